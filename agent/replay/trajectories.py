"""The trajectories of a run's attempts in other programs' formats.

Owns which file is whose. Must not know a format.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent import private
from agent.errors import InputError
from agent.export import Format, export
from agent.replay.store import Replay


def write_trajectories(replay: Replay, kind: Format) -> Iterator[str]:
    """Write one for each attempt that left a record, beside it; what could not be, in lines.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.
    """
    for attempt in replay.attempts:
        place = replay.place(attempt)
        record = place / "session" / "record.jsonl"
        if not record.is_file():
            continue
        try:
            told = export(record, kind, attempt.instance)
        except InputError as error:
            name = f"{attempt.instance}: {attempt.model}"
            yield f"{name}: its trajectory cannot be told as {kind}: {error}"
            continue
        private.write(place / f"{attempt.instance}{kind.suffix}", told.encode())
