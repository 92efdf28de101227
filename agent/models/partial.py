"""A file that is still coming: its bytes so far and what is known of the whole.

Owns the folder beside the final file and its index. Must not know how bytes arrive.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path


class SourceFailed(Exception):
    """One source cannot give the file; the message is the reason, for a notice."""


@dataclass(frozen=True, slots=True)
class State:
    """What is written down between two attempts."""

    origin: str = ""
    """The address or the set of wheels that the bytes came from."""
    etag: str = ""
    size: int = 0
    """Bytes of the whole; 0 while unknown."""
    digest: str = ""
    """The SHA-256 that the source states."""
    parts: int = 0
    """Parts that are wholly in the data."""
    kept: int = 0
    """Bytes of those parts."""


class Partial:
    """A folder that holds one source's unfinished file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._index = folder / "index.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.data.touch()
        self.state = self._load()

    @property
    def length(self) -> int:
        return self.data.stat().st_size

    def save(self, state: State) -> None:
        self.state = state
        fresh = self._index.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state)), encoding="utf-8")
        os.replace(fresh, self._index)

    def truncate(self, length: int) -> None:
        os.truncate(self.data, length)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> State:
        try:
            return State(**json.loads(self._index.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            # Without its index the data is of unknown origin.
            self.truncate(0)
            return State()
