"""What was written to a tree, kept on disk so that it can be undone after a crash.

Owns the journal's files and their order. Must not know how a write is made or taken back.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDS = "journal.jsonl"
BLOBS = "blobs"


State = tuple[bytes, bool] | None
"""A file's bytes, or a symbolic link's target and True; None for neither."""


@dataclass(frozen=True, slots=True)
class Write:
    """One replacement of a file's bytes. None stands for no file."""

    path: str
    """Real name relative to the workspace's root."""
    before: bytes | None
    """A symbolic link's bytes are its target."""
    after: bytes | None
    mode: int
    """Permission bits that the file had before, with `S_IFLNK` for a symbolic link; 0 if it did
    not exist."""
    made: tuple[str, ...] = ()
    """Folders that were created for it, outermost first."""
    new_mode: int | None = None
    """As `mode`, after it; None where the write itself does not change it."""
    turn: int = 0
    """The session's turn that it was made in; 0: not known."""

    @property
    def old_state(self) -> State:
        return None if self.before is None else (self.before, stat.S_ISLNK(self.mode))

    @property
    def new_state(self) -> State:
        return None if self.after is None else (self.after, stat.S_ISLNK(self.new_mode or 0))


class Journal:
    """A folder of blobs by SHA-256 and an append-only file of records.

    It lives in the session's state folder, never in the tree. A record is on disk before the
    write that it describes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / BLOBS).mkdir(mode=0o700, exist_ok=True)
        records = folder / RECORDS
        if records.exists() and records.read_bytes()[-1:] not in (b"", b"\n"):
            _write(records, b"\n", os.O_APPEND)  # a crash cut the last record short

    def record(self, write: Write) -> None:
        """Keep both states of a file, then the record that names them.

        Raises:
            OSError: It could not be kept; the write must not be made.
        """
        self._append(self._described(write, sync=True))

    def record_made(self, writes: Iterable[Write]) -> None:
        """Keep what was written already, by a program.

        Only the records are waited for: what a crash of the machine leaves of a blob is
        recognised by its digest.

        Raises:
            OSError: They could not be kept, all or some.
        """
        self._append(*(self._described(write, sync=False) for write in writes))

    def undone(self, path: str, since: int = 0) -> None:
        """All writes to a path so far, from a turn on, have been taken back."""
        self._append({"undone": path, "since": since})

    def _described(self, write: Write, sync: bool) -> dict[str, Any]:
        return {
            "path": write.path,
            "before": self._keep(write.before, sync),
            "after": self._keep(write.after, sync),
            "mode": write.mode,
            "made": list(write.made),
            "new_mode": write.new_mode,
            "turn": write.turn,
        }

    def writes(self) -> tuple[Write, ...]:
        """Those that have not been taken back, oldest first; records cut short are skipped."""
        found: list[Write] = []
        for record in self._records():
            try:
                if "undone" in record:
                    path, since = record["undone"], record.get("since", 0)
                    found = [w for w in found if w.path != path or w.turn < since]
                    continue
                write = Write(
                    record["path"],
                    self._blob(record["before"]),
                    self._blob(record["after"]),
                    record["mode"],
                    tuple(record["made"]),
                    record.get("new_mode"),
                    record.get("turn", 0),
                )
            except (ValueError, KeyError, TypeError, FileNotFoundError):
                continue
            found.append(write)
        return tuple(found)

    def paths(self) -> tuple[frozenset[tuple[int, str]], frozenset[tuple[int, str]]]:
        """The turns and paths of all writes, and of those that have not been taken back."""
        ever: set[tuple[int, str]] = set()
        standing: set[tuple[int, str]] = set()
        for record in self._records():
            if "undone" in record:
                path, since = record["undone"], record.get("since", 0)
                standing = {item for item in standing if item[1] != path or item[0] < since}
            elif "path" in record:
                standing.add((record.get("turn", 0), record["path"]))
                ever.add((record.get("turn", 0), record["path"]))
        return frozenset(ever), frozenset(standing)

    def _records(self) -> Iterator[dict[str, Any]]:
        """The records, oldest first; those cut short are skipped."""
        records = self.folder / RECORDS
        if not records.is_file():
            return
        for line in records.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record

    def _blob(self, digest: str | None) -> bytes | None:
        if digest is None:
            return None
        data = (self.folder / BLOBS / digest).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("the blob is damaged")
        return data

    def _keep(self, data: bytes | None, sync: bool) -> str | None:
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        place = self.folder / BLOBS / digest
        if not place.exists():
            partial = place.with_suffix(".tmp")
            _write(partial, data, os.O_TRUNC, sync)
            partial.replace(place)
        return digest

    def _append(self, *records: dict[str, Any]) -> None:
        lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        _write(self.folder / RECORDS, lines, os.O_APPEND)


def _write(place: Path, data: bytes, how: int, sync: bool = True) -> None:
    """Write, and unless told otherwise wait until it is on disk."""
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
