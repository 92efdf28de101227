"""What is said between the harness and a model, free of any provider's format.

Owns the values and their JSON form in a session's record. Must not know how a model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's (or the harness's) wish to use a tool."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What the model is told of one call's result."""

    call_id: str
    name: str
    output: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class SystemMessage:
    text: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    text: str


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """One answer of a model."""

    text: str
    """What it said outside its tool calls and its reasoning."""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    malformed: tuple[str, ...] = ()
    """One line for each attempt at a tool call that could not be read."""
    raw: str = ""
    """Exactly what a text-format model wrote, calls included; empty for native tool use."""
    tokens: tuple[int, ...] = ()
    """The token ids of `raw` as the model sampled them: text tokenised again may differ."""
    model: str = ""
    """The name of the model that wrote it."""
    provider: str = ""
    """What `model` wants to have back unchanged, as JSON; only `model` may read it."""
    mended: tuple[str, ...] = ()
    """As `malformed`, of attempts that could be read when they were asked for again."""


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """Results of the calls of the assistant message before it, in their order."""

    results: tuple[ToolOutput, ...] = field(default_factory=tuple)


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage
