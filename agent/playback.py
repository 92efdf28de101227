"""A recorded session played again, each event after the time that it took then; or followed.

Owns the times, the pieces of an answer that a record does not hold, and how far a record that still
grows has been read. Must not know who shows the events.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.errors import InputError
from agent.event_reading import from_json
from agent.events import Event, Said, StepStarted, Wrote
from agent.messages import AssistantMessage

LONGEST = 5.0
"""Seconds at most between two events, before they are scaled: nobody waits for a test run again."""
_PIECES = 30.0
"""Pieces of an answer in a second."""
_MOST = 1 << 24
"""Bytes of a record that are read at a time."""
_WORDS = re.compile(r"\S*\s*")


def played(
    record: Path, speed: float = 1.0, longest: float = LONGEST
) -> Iterator[tuple[float, Event]]:
    """The events of a session, each with the seconds to wait before it is shown.

    The pieces in which an answer was written come between its step's beginning and its message,
    evenly over the time that the answer took. Lines that are no event, or cannot be read, are
    passed over.

    Args:
        record: Of a session.
        speed: 2 for twice as fast; infinity for no waiting at all.
        longest: Seconds at most between two events, before they are scaled.

    Raises:
        InputError: The record cannot be read, or the speed is none.
    """
    if not speed > 0:
        raise InputError("The speed must be more than 0.")
    before: float | None = None
    answering = False
    for at, event in events_of(record):
        pause = min(max(0.0, at - before), longest) if before is not None else 0.0
        before = at
        if answering and isinstance(event, Said) and isinstance(event.message, AssistantMessage):
            pieces = list(_pieces(event.message, pause if math.isfinite(speed) else 0.0))
            yield from ((seconds / speed, piece) for seconds, piece in pieces)
            pause = 0.0 if pieces else pause
        answering = isinstance(event, StepStarted) or (answering and not isinstance(event, Said))
        yield pause / speed, event


def events_of(record: Path) -> Iterator[tuple[float, Event]]:
    """The events of a record, each with the time it was written at.

    Raises:
        InputError: The record cannot be read.
    """
    try:
        lines = record.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"The record {record} cannot be read: {error.strerror}.") from error
    yield from _read(lines)


class Tail:
    """What is added to a record from one look to the next, wherever it is moved meanwhile."""

    def __init__(self) -> None:
        self._inode = self._offset = 0

    def read(self, record: Path) -> tuple[bool, list[Event]]:
        """Whether it is another record than at the last look, and the events that are new.

        Raises:
            OSError: It cannot be read.
        """
        with record.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            another = inode != self._inode
            if another:
                self._inode, self._offset = inode, 0
            file.seek(self._offset)
            data = file.read(_MOST)
        whole = data.rfind(b"\n") + 1  # a line may still be written
        self._offset += whole or (len(data) if len(data) == _MOST else 0)
        return another, [event for _, event in _read(data[:whole].split(b"\n"))]


def _read(lines: Iterable[bytes]) -> Iterator[tuple[float, Event]]:
    for line in lines:
        try:
            plain = json.loads(line)
            event = from_json(plain)
            at = float(plain.get("at", 0.0))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        yield at, event


def _pieces(message: AssistantMessage, seconds: float) -> Iterator[tuple[float, Event]]:
    """An answer as it may have been written, in so many seconds."""
    parts = [(message.reasoning, True), (message.text, False)]
    words = [(word, kind) for text, kind in parts for word in _WORDS.findall(text) if word]
    if not words:
        return
    count = max(1, min(len(words), round(seconds * _PIECES)))
    size = math.ceil(len(words) / count)
    pause = seconds / math.ceil(len(words) / size)
    for kind in (True, False):
        own = [word for word, reasoning in words if reasoning is kind]
        for start in range(0, len(own), size):
            yield pause, Wrote("".join(own[start : start + size]), kind)
