"""What is said between the harness and a model, free of any provider's format.

Owns the values and their JSON form in a session's record. Must not know how a model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

LOST = "Interrupted; its effect is unknown."
"""What a model is told of a call whose result was never seen."""


def from_json(plain: Mapping[str, Any]) -> Message:
    """The message that `agent.events.to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: It is no such message.
    """
    role = plain["role"]
    body = {name: value for name, value in plain.items() if name != "role"}
    match role:
        case "system":
            return SystemMessage(**body)
        case "user":
            return UserMessage(**body)
        case "assistant":
            body["calls"] = tuple(ToolCall(**call) for call in body["calls"])
            body["malformed"] = tuple(body["malformed"])
            body["tokens"] = tuple(body["tokens"])
            body["mended"] = tuple(body.get("mended", ()))  # older records lack it
            return AssistantMessage(**body)
        case "tool":
            return ToolMessage(tuple(ToolOutput(**result) for result in body["results"]))
        case _:
            raise ValueError(f"a message of the role {role!r}")


def closing(message: AssistantMessage, known: Mapping[str, ToolOutput]) -> ToolMessage:
    """The results of an answer's calls: those that are known, by the calls' ids, and the loss of
    the others."""
    return ToolMessage(
        tuple(
            known.get(call.id) or ToolOutput(call.id, call.name, LOST, ok=False)
            for call in message.calls
        )
    )


def answered(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with a result after every call, as native tool use demands.

    A guided model's calls have none: what came of them is told in the next question. The view of
    a history is the beginning of the view of a longer one.
    """
    found: list[Message] = []
    for message in messages:
        last = found[-1] if found else None
        if isinstance(last, AssistantMessage) and last.calls:
            told = message.results if isinstance(message, ToolMessage) else ()
            known = {result.call_id for result in told}
            missing = [call for call in last.calls if call.id not in known]
            if missing:
                more = tuple(ToolOutput(call.id, call.name, "See below.") for call in missing)
                if isinstance(message, ToolMessage):
                    message = ToolMessage((*told, *more))
                else:
                    found.append(ToolMessage(more))
        found.append(message)
    return tuple(found)
