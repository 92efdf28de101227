"""A session's record as a story to read: what was said, done and answered, in order.

Owns the choice of what is told and its length. Must not know how it is laid out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tools.text_filter import clip, clip_line, printable

_ONE = 4_000
"""Characters of one text, at most."""
_ARGUMENT = 160


class Teller(StrEnum):
    """Whose part it is."""

    TASK = "task"
    """What the model was told."""
    THOUGHT = "thought"
    ANSWER = "answer"
    CALL = "call"
    RESULT = "result"
    FAILURE = "failure"
    """The result of a call that did not do what it should."""
    NOTE = "note"
    """The harness's."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One thing that happened."""

    teller: Teller
    title: str
    """One line."""
    text: str = ""


def read_trajectory(record: Path, limit: int) -> tuple[Beat, ...]:
    """What a record tells; nothing if there is none.

    Args:
        limit: Characters in all; the middle is left out beyond.
    """
    beats = list(_beats(record))
    sizes = [len(beat.title) + len(beat.text) for beat in beats]
    if sum(sizes) <= limit:
        return tuple(beats)
    first, last = 0, len(beats)
    room = limit
    # From both ends, as the end tells most of a failure, the beginning most of the task.
    while first < last and room > 0:
        room -= sizes[first]
        first += 1
        if first < last:
            last -= 1
            room -= sizes[last]
    if last <= first:
        return tuple(beats)
    gap = Beat(Teller.NOTE, f"{last - first} more are left out here; the record has them.")
    return (*beats[:first], gap, *beats[last:])


def _beats(record: Path) -> Iterator[Beat]:
    try:
        lines = record.read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line) if line.strip() else None
            if isinstance(event, dict):
                yield from _told(event)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # cut short by a crash, or of another version


def _told(event: Mapping[str, Any]) -> Iterator[Beat]:
    match event["event"]:
        case "said":
            yield from _said(event["message"])
        case "tool_finished":
            call, result = event["call"], event["result"]
            teller = Teller.RESULT if result["ok"] else Teller.FAILURE
            if event.get("origin") == "harness":
                yield Beat(Teller.CALL, f"harness: {_line(_call(call))}")
            yield Beat(teller, _line(result["display"]), _text(result["output"]))
        case "rewound":
            yield Beat(Teller.NOTE, f"taken back: {_line(event['reason'])}")
        case "compacted":
            yield Beat(Teller.NOTE, f"shortened: {_line(event['reason'])}")
        case "notice":
            yield Beat(Teller.NOTE, _line(event["text"]))
        case "turn_finished":
            yield Beat(Teller.NOTE, f"{event['status']}: {_line(event['summary'])}")


def _said(message: Mapping[str, Any]) -> Iterator[Beat]:
    match message["role"]:
        case "user":
            yield Beat(Teller.TASK, "told", _text(message["text"]))
        case "assistant":
            if message.get("reasoning"):
                yield Beat(Teller.THOUGHT, "thought", _text(message["reasoning"]))
            if message["text"].strip():
                yield Beat(Teller.ANSWER, "said", _text(message["text"]))
            for call in message["calls"]:
                arguments = {k: v for k, v in call["arguments"].items() if len(str(v)) > _ARGUMENT}
                body = "\n\n".join(f"{name}:\n{value}" for name, value in arguments.items())
                yield Beat(Teller.CALL, _line(_call(call)), _text(body))
            for line in message["malformed"]:
                yield Beat(Teller.FAILURE, f"unreadable call: {_line(line)}")


def _call(call: Mapping[str, Any]) -> str:
    short = (
        f"{name}={value!r}" if len(str(value)) <= _ARGUMENT else f"{name}=…"
        for name, value in call["arguments"].items()
    )
    return f"{call['name']}({', '.join(short)})"


def _line(text: object) -> str:
    return clip_line(" ".join(printable(str(text)).split()), 300)


def _text(text: object) -> str:
    return clip(printable(str(text)), _ONE)
