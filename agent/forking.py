"""A session forked: a new one that begins with the conversation of another, up to a turn.

Owns what of a record goes into the new one. Must not know how a conversation goes on.

What was written to files stays as it is and the other session's to take back; a model is told
which files were changed after the point that it goes on from.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from agent.errors import InputError
from agent.going_back import patch_of
from agent.recorded import load
from agent.session import Session, SessionInfo


def fork(info: SessionInfo, state: Path, turn: int | None = None) -> SessionInfo:
    """Make a session that goes on from another one, which stays as it is.

    Args:
        turn: The last turn that it begins with; None: all of them.

    Raises:
        InputError: The conversation has no such turn, or its record cannot be read.
    """
    turns = load(info).turns
    if not turns:
        raise InputError(f"Nothing was said in session {info.id} yet.")
    if turn is not None and turn not in (known.number for known in turns):
        numbers = ", ".join(str(known.number) for known in turns)
        raise InputError(f"Session {info.id} has no turn {turn}; its turns are {numbers}.")
    stale: set[str] = set()
    for known in turns:
        if turn is not None and known.number > turn:
            stale.update(known.changed or patch_of(known.number, info.journal)[0])
    session = Session.create(info.root, state, info.task)
    try:
        session.copy(_lines(info, turn))
        session.append(
            {"event": "forked", "session": info.id, "turn": turn or 0, "stale": sorted(stale)}
        )
    finally:
        session.close()
    return session.info


def _lines(info: SessionInfo, turn: int | None) -> list[bytes]:
    """The lines of a record up to the end of a turn, but for its first."""
    kept, number = [], 0
    for line in info.record.read_bytes().split(b"\n"):
        with suppress(ValueError, KeyError, TypeError):  # what cannot be read is left out
            plain = json.loads(line)
            if plain["event"] == "turn_started":
                number = plain.get("turn") or number + 1
                if turn is not None and number > turn:
                    break
            if plain["event"] != "session":
                kept.append(line)
    return kept
