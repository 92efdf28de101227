"""Settings, and where each came from: flag, environment, project, the user's file, default.

Owns the names and the types of settings, and which of them a project may set. Must not know what
they are used for, nor whether a project is trusted.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agent.config_file import parsed, read, user_file
from agent.errors import InputError
from agent.mode import Mode


class Settings(BaseModel):
    """All settings. The user's file is TOML with these keys; the environment has them in capitals
    behind `PARITY_`, as `PARITY_MODEL`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    """A catalogue name, a path to a GGUF file, `claude`, any `claude-…`, a server's address,
    `ollama:NAME` or `scripted:FILE`; `local` or empty: the best local model that fits."""
    escalate: str = ""
    """The model that goes on when `model` gives up; empty: none."""
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    """How much a Claude model puts into an answer; none: the model's own."""
    thinking: bool = True
    """Whether a Claude model may think before it answers, where it can be told not to."""
    mode: Mode | None = None
    """What happens without a question; none: as each command has it, `auto` for `agent fix`."""
    test_command: str = ""
    """How the project's tests are run; empty: found."""
    max_steps: int = Field(100, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    """Prompt tokens read and output tokens written in a turn."""
    max_seconds: float | None = Field(None, gt=0)
    max_usd: float | None = Field(None, gt=0)
    context: int | None = Field(None, ge=512)
    """Tokens of the model's window; none: what the plan affords or the server has."""
    threads: int | None = Field(None, ge=1)
    """Processor threads for a local model; none: one a core."""
    test_seconds: float = Field(120.0, gt=0)
    """The most that one run of the tests may take."""
    watts: float | None = Field(None, gt=0, allow_inf_nan=False)
    """What the machine draws while a local model works, where it cannot be measured."""
    usd_per_kwh: float | None = Field(None, ge=0, allow_inf_nan=False)
    """The price of electricity; none: a local model's energy is told in watt-hours alone."""
    card_usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The price of the machine's card, or of all of it; none: a local model's use is told without
    its share of that."""
    card_hours: float = Field(8000.0, gt=0, allow_inf_nan=False)
    """Hours of work that the price is spread over: 8,000 are four years of 40 hours a week."""
    sandbox_read: tuple[Path, ...] = ()
    """Folders outside the workspace that commands may read; the environment has them with `:`
    between."""
    theme: str = "dark"
    """The colours of the screen: dark, light, contrast, ansi, or the name of one of Textual's."""

    @field_validator("sandbox_read", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part for part in value.split(os.pathsep) if part]
        return value

    @field_validator("sandbox_read")
    @classmethod
    def _absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        folders = tuple(folder.expanduser() for folder in value)
        for folder in folders:
            if not folder.is_absolute():
                raise ValueError(f"{folder} is no absolute path")
        return folders


PROJECT_LIMITS = ("max_steps", "max_tokens", "max_seconds", "max_usd")
"""Settings that a project may lower, and never raise."""
PROJECT_SETTINGS = ("model", "test_command", "test_seconds", *PROJECT_LIMITS)
"""The settings that a project may have, trusted though it is: none of them moves a key, reaches
a server, or loosens what holds a command. A setting that is not named here is the user's alone."""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The settings of a trusted project, as its file has them."""

    file: Path
    text: bytes


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force and the origin of each: `flag`, `environment`, a path or `default`."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    file: Path,
    project: ProjectSettings | None = None,
) -> Configuration:
    """Put the settings together.

    Args:
        flags: Options of the command line; None means not given.
        environment: As `os.environ`.
        file: The user's file; it need not exist.
        project: The project's, once it is trusted.

    Raises:
        InputError: A value cannot be used; names its origin.
    """
    named = {
        name: environment[key]
        for name in Settings.model_fields
        if (key := f"PARITY_{name.upper()}") in environment
    }
    given = {name: value for name, value in flags.items() if value is not None}
    defaults = dict(Settings.model_validate({}))
    own = _checked(parsed(read(file), file), str(file))
    layers = [("default", defaults), (str(file), own)]
    if project is not None:
        layers.append((str(project.file), _of_project(project, {**defaults, **own})))
    layers += [("environment", _checked(named, "environment")), ("flag", _checked(given, "flag"))]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    return Configuration(Settings.model_validate(values), origins)


def _of_project(project: ProjectSettings, own: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of a project's settings.

    Args:
        own: The user's settings and the defaults, which limits are measured by.
    """
    values = parsed(project.text, project.file)
    for name in values:
        if name in Settings.model_fields and name not in PROJECT_SETTINGS:
            raise InputError(
                f"A project may not set {name}: take it out of {project.file}, or put it into "
                f"your own {user_file()}."
            )
    layer = _checked(values, str(project.file))
    return {
        name: value
        for name, value in layer.items()
        if name not in PROJECT_LIMITS or own[name] is None or value < own[name]
    }


def _checked(layer: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """One origin's values in the types of the settings.

    Raises:
        InputError: An unknown name, or a value that cannot be used.
    """
    try:
        checked = Settings.model_validate(dict(layer))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise InputError(f"There is no setting {name!r} ({origin}){hint}") from error
        raise InputError(f"The setting {name} ({origin}) is wrong: {first['msg']}.") from error
    return {name: getattr(checked, name) for name in layer}
