"""The replays that the user has made: where they lie, and the words that each was begun with.

Owns one small file for each in the state folder, so that a replay is found again and can be gone on
with from anywhere. What lies in a replay's own folder is never believed for that. Must not know
what a replay is.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from agent import private
from agent.session import state_folder

_MARK = "run.json"


@dataclass(frozen=True, slots=True)
class Known:
    """A replay that was begun on this machine."""

    folder: Path
    words: tuple[str, ...] = ()
    """What followed `agent replay`; empty: not known."""
    cwd: Path = Path()
    """The folder that they were said in."""
    last: float = 0.0
    """When it was begun or gone on with last; seconds since the epoch."""


def remember(folder: Path, words: Sequence[str]) -> None:
    """Keep where a replay lies, and how to go on with it.

    Raises:
        OSError: It cannot be written.
    """
    known = Known(folder, tuple(words), Path.cwd(), time.time())
    private.write(_file(folder), _adapter().dump_json(known))


def recall(folder: Path) -> Known | None:
    """What is known of the replay in a folder; None: it was not begun by this user."""
    return _read(_file(folder))


def at_hand(here: Path) -> list[Known]:
    """The replays that were begun, and those in a folder or right beneath it; newest first."""
    found = {known.folder: known for known in _all()}
    for mark in (*here.glob(_MARK), *here.glob(f"*/{_MARK}")):
        folder = mark.parent.absolute()
        if folder not in found:
            with suppress(OSError):  # it is deleted just now
                found[folder] = Known(folder, last=mark.stat().st_mtime)
    return sorted(found.values(), key=lambda known: -known.last)


def _all() -> Iterator[Known]:
    for file in (state_folder() / "replays").glob("*.json"):
        known = _read(file)
        # What is not there may be on a disk that is not: how to go on with it stays known.
        if known is not None and _is_there(known.folder / _MARK):
            yield known


def _is_there(mark: Path) -> bool:
    try:
        return mark.is_file()
    except OSError:
        return False


def _file(folder: Path) -> Path:
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return state_folder() / "replays" / f"{name}.json"


def _read(file: Path) -> Known | None:
    try:
        return _adapter().validate_json(file.read_bytes())
    except (OSError, ValueError):
        return None


@functools.cache
def _adapter() -> TypeAdapter[Known]:
    return TypeAdapter(Known)
