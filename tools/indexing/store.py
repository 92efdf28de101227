"""The index on disk: one SQLite file for a workspace, private to its user.

Owns the file, its tables and their agreement with the tree. Must not know how entries are ranked.
Entries are numbered; a changed file gets new numbers and its old postings stay behind, ignored,
until half of the file is such litter and it is built anew.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.indexing.scan import WEIGHT_BITS, Scan, scan_all, stamp
from tools.syntax import Kind, Symbol

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

FORMAT = 2
"""Raised when the tables or the meaning of their contents change; an older file is built anew."""
_TABLES = """
CREATE TABLE about (version INTEGER, root TEXT, next INTEGER);
CREATE TABLE files (path TEXT PRIMARY KEY, mtime INTEGER, size INTEGER, first INTEGER,
                    kinds BLOB) WITHOUT ROWID;
CREATE TABLE outlines (first INTEGER PRIMARY KEY, symbols TEXT);
CREATE TABLE words (first INTEGER PRIMARY KEY, uses TEXT);
CREATE TABLE postings (term TEXT PRIMARY KEY, entries BLOB) WITHOUT ROWID;
CREATE TABLE names (name TEXT, entry INTEGER, qualified TEXT, PRIMARY KEY (name, entry))
    WITHOUT ROWID;
"""
_APPEND = (
    "INSERT INTO postings VALUES (?, ?) "
    "ON CONFLICT (term) DO UPDATE SET entries = CAST(entries || excluded.entries AS BLOB)"
)


@dataclass(frozen=True, slots=True)
class Entries:
    """The numbers of a file's entries: `first` is the file, then its symbols in their order."""

    path: str
    mtime: int
    size: int
    first: int
    kinds: bytes
    """For each entry the first letter of its kind; that of the file itself is `-`."""

    @property
    def end(self) -> int:
        return self.first + len(self.kinds)


class Store:
    """The tables, and which numbers are alive."""

    def __init__(self, root: str, place: Path | None) -> None:
        """Open what is there, or begin anew if it is absent, damaged or of another format.

        Args:
            root: The workspace's folder.
            place: The database's file; None keeps it in memory.
        """
        self.root = root
        self.place = place
        self.files: dict[str, Entries] = {}
        self._symbols: dict[str, tuple[Symbol, ...]] = {}
        self._uses: dict[str, list[str]] = {}
        self._ranges: tuple[list[int], list[str]] | None = None
        self._database = self._open()

    def update(self, paths: Sequence[str]) -> None:
        """Bring the index to the tree's state; `paths` are all files it should hold."""
        stale: list[str] = []
        kept: set[str] = set()
        for path in paths:
            known = self.files.get(path)
            if known is None or stamp(f"{self.root}/{path}") != (known.mtime, known.size):
                stale.append(path)
            kept.add(path)
        gone = [path for path in self.files if path not in kept]
        if stale or gone or not self.files:
            self.replace(stale, gone)

    def replace(self, changed: Sequence[str], gone: Sequence[str] = ()) -> None:
        """Read some files again and forget others."""
        # 8 ms; only needed to open or change the index
        import sqlite3

        if not self.files or len(changed) * 2 > len(self.files) + len(gone):
            self._rebuild(sorted({*self.files, *changed}.difference(gone)))
            return
        try:
            with self._database:
                self._forget((*changed, *gone))
                self._add(scan_all(self.root, changed))
        except sqlite3.DatabaseError:
            self._rebuild(sorted({*self.files, *changed}.difference(gone)))

    def rebuild(self) -> None:
        """Read every file again into a new database: the old one is damaged."""
        self._rebuild(sorted(self.files))

    def symbols(self, path: str) -> tuple[Symbol, ...]:
        """A file's symbols; empty for a file that is not in the index."""
        if path not in self.files:
            return ()
        if path not in self._symbols:
            row = self._database.execute(
                "SELECT symbols FROM outlines WHERE first = ?", (self.files[path].first,)
            ).fetchone()
            rows = json.loads(row[0]) if row else ()
            self._symbols[path] = tuple(
                Symbol(name, Kind(kind), *rest) for name, kind, *rest in rows
            )
        return self._symbols[path]

    def owners(self) -> tuple[list[int], list[str]]:
        """First numbers in ascending order and, beside each, its file."""
        if self._ranges is None:
            ordered = sorted((file.first, path) for path, file in self.files.items())
            self._ranges = [first for first, _ in ordered], [path for _, path in ordered]
        return self._ranges

    def owner(self, entry: int) -> str | None:
        """The file that an entry belongs to; None for one that was replaced."""
        firsts, paths = self.owners()
        found = bisect_right(firsts, entry) - 1
        if found < 0 or entry >= self.files[paths[found]].end:
            return None
        return paths[found]

    @property
    def end(self) -> int:
        """One more than the highest number that is alive."""
        _, paths = self.owners()
        return self.files[paths[-1]].end if paths else 0

    def postings(self, term: str) -> array[int]:
        """Where a term occurs: numbers and weights, ascending, dead ones among them."""
        row = self._database.execute(
            "SELECT entries FROM postings WHERE term = ?", (term,)
        ).fetchone()
        found = array("I")
        if row is not None:
            found.frombytes(row[0])
        end = self.end << WEIGHT_BITS
        while found and found[-1] >= end:  # another process has added to the file
            found.pop()
        return found

    def definitions(self, name: str) -> list[tuple[int, str]]:
        """Live entries of a last name (`render`), with their qualified names, at most 20."""
        rows = self._database.execute(
            "SELECT entry, qualified FROM names WHERE name = ? LIMIT 20", (name,)
        )
        return [(entry, qualified) for entry, qualified in rows if self.owner(entry) is not None]

    def uses(self, entry: int) -> list[str]:
        """The identifiers in an entry's own text."""
        path = self.owner(entry)
        if path is None:
            return []
        first = self.files[path].first
        if path not in self._uses:
            row = self._database.execute(
                "SELECT uses FROM words WHERE first = ?", (first,)
            ).fetchone()
            self._uses[path] = str(row[0]).split("\n") if row else []
        lines = self._uses[path]
        return lines[entry - first].split() if entry - first < len(lines) else []

    def _open(self) -> sqlite3.Connection:
        # 8 ms; only needed to open or change the index
        import sqlite3

        if self.place is not None and self.place.is_file():
            database = None
            try:
                database = _connect(str(self.place))
                version, root = database.execute("SELECT version, root FROM about").fetchone()
                if version == FORMAT and root == self.root:
                    rows = database.execute("SELECT path, mtime, size, first, kinds FROM files")
                    self.files = {row[0]: Entries(*row) for row in rows}
                    live = sum(len(file.kinds) for file in self.files.values())
                    if self.end <= 2 * live + 1000:
                        return database
            except (sqlite3.DatabaseError, TypeError, ValueError):
                pass
            if database is not None:
                database.close()
            self.files = {}
            self._ranges = None
        return _connect(":memory:")

    def _rebuild(self, paths: Sequence[str]) -> None:
        """Write a new file beside the old one and put it in its place."""
        # 8 ms; only needed to open or change the index
        import sqlite3

        self._database.close()
        if self.place is not None:
            beside = f"{self.place}.{os.getpid()}"
            try:
                self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb"):
                    self._fill(beside, paths)
                os.replace(beside, self.place)
                return
            except (OSError, sqlite3.Error):
                self.place = None  # no room or no permission: it serves this process alone
            finally:
                with suppress(OSError):
                    os.unlink(beside)
        self._fill(":memory:", paths)

    def _fill(self, name: str, paths: Sequence[str]) -> None:
        self.files, self._symbols, self._uses, self._ranges = {}, {}, {}, None
        self._database = _connect(name)
        # A file that was not finished is thrown away: nothing in it needs to be rolled back.
        self._database.execute("PRAGMA journal_mode = OFF")
        with self._database:
            self._database.executescript(_TABLES)
            self._database.execute("INSERT INTO about VALUES (?, ?, 0)", (FORMAT, self.root))
            self._add(scan_all(self.root, paths))

    def _forget(self, paths: Iterable[str]) -> None:
        for path in paths:
            found = self.symbols(path)
            file = self.files.pop(path, None)
            self._symbols.pop(path, None)
            self._uses.pop(path, None)
            if file is not None:
                execute = self._database.execute
                execute("DELETE FROM files WHERE path = ?", (path,))
                execute("DELETE FROM outlines WHERE first = ?", (file.first,))
                execute("DELETE FROM words WHERE first = ?", (file.first,))
                self._database.executemany(
                    "DELETE FROM names WHERE name = ? AND entry = ?",
                    ((_last(symbol.name), file.first + 1 + at) for at, symbol in enumerate(found)),
                )
        self._ranges = None

    def _add(self, scans: Iterable[Scan]) -> None:
        """Number the entries after those in use and write them, each scan while the next is made.

        The postings come last: a term's are in every scan.
        """
        base = int(self._database.execute("SELECT next FROM about").fetchone()[0])
        merged: dict[str, list[bytes]] = {}
        for found in scans:
            names: list[tuple[str, int, str]] = []
            shift = base << WEIGHT_BITS
            for term, data in found.postings.items():
                merged.setdefault(term, []).append(_shifted(data, shift))
            for file in found.files:
                first = base + file.first
                kinds = "-" + "".join(row[1][0] for row in file.symbols)
                entries = Entries(file.path, file.mtime, file.size, first, kinds.encode())
                self.files[file.path] = entries
                self._database.execute(
                    "INSERT INTO files VALUES (?, ?, ?, ?, ?)",
                    (file.path, file.mtime, file.size, first, entries.kinds),
                )
                self._database.execute(
                    "INSERT INTO outlines VALUES (?, ?)", (first, json.dumps(file.symbols))
                )
                self._database.execute(
                    "INSERT INTO words VALUES (?, ?)", (first, "\n".join(file.words))
                )
                names += [
                    (_last(row[0]), entry, row[0])
                    for entry, row in enumerate(file.symbols, first + 1)
                ]
            self._database.executemany("INSERT INTO names VALUES (?, ?, ?)", sorted(names))
            base += found.count
        self._ranges = None
        self._database.execute("UPDATE about SET next = ?", (base,))
        self._database.executemany(
            _APPEND,
            ((term, b"".join(parts)) for term, parts in sorted(merged.items())),
        )


def _shifted(items: bytes, by: int) -> bytes:
    """An array('I') with `by` added to each item, none of which overflows.

    As one addition of two long integers: a tenth of the time that a loop takes.
    """
    order = sys.byteorder
    each = by.to_bytes(4, order) * (len(items) // 4)
    whole = int.from_bytes(items, order) + int.from_bytes(each, order)
    return whole.to_bytes(len(items), order)


def _last(qualified: str) -> str:
    return qualified.rpartition(".")[2]


def _connect(name: str) -> sqlite3.Connection:
    # 8 ms; only needed to open or change the index
    import sqlite3

    database = sqlite3.connect(name, timeout=2.0, check_same_thread=False)
    # It can be built anew at any time: not worth waiting for the disk.
    database.execute("PRAGMA synchronous = OFF")
    return database
