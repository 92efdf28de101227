"""Settings, and where each came from: flag, then environment, then the user's file, then default.

Owns the names and the types of settings. Must not know what they are used for.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import InputError


class Settings(BaseModel):
    """All settings. The user's file is TOML with these keys; the environment has them in capitals
    behind `PARITY_`, as `PARITY_MODEL`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    """A catalogue name, a path to a GGUF file, a server's address, `ollama:NAME` or
    `scripted:FILE`; empty: the best that fits."""
    test_command: str = ""
    """How the project's tests are run; empty: found."""
    max_steps: int = Field(50, ge=1)
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


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force and the origin of each: `flag`, `environment`, a path or `default`."""

    settings: Settings
    origins: Mapping[str, str]


def user_file() -> Path:
    """The user's configuration file, whether it exists or not."""
    override = os.environ.get("PARITY_CONFIG")
    if override:
        return Path(override)
    from platformdirs import user_config_path  # 20 ms; not needed for --help

    return user_config_path("parity", appauthor=False) / "config.toml"


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path) -> Configuration:
    """Put the settings together.

    Args:
        flags: Options of the command line; None means not given.
        environment: As `os.environ`.
        file: The user's file; it need not exist.

    Raises:
        InputError: A value cannot be used; names its origin.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    layers: list[tuple[str, dict[str, Any]]] = [
        (str(file), _read(file)),
        (
            "environment",
            {
                name: environment[key]
                for name in Settings.model_fields
                if (key := f"PARITY_{name.upper()}") in environment
            },
        ),
        ("flag", {name: value for name, value in flags.items() if value is not None}),
    ]
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = value
            origins[name] = origin
    try:
        return Configuration(Settings.model_validate(values), origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        origin = origins.get(name, "configuration")
        raise InputError(f"The setting {name} ({origin}) is wrong: {first['msg']}.") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"The configuration {file} cannot be read: {error}.") from error
