"""What changes in a tree while programs run, seen by comparing it with a snapshot.

Owns what is looked at, what is too large or too secret to keep, and what is said of it. Must not
know how a change is recorded or taken back.

Ignored files are not looked at. Files of nested repositories are looked at like any others; git's
own folders are not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.beneath import Tree
from tools.errors import ToolError
from tools.snapshot_pruning import LIMITS, Limits, prune
from tools.snapshot_store import Store, StoreError
from tools.text_filter import printable
from tools.workspace import MAX_FILE, is_secret

MAX_ADDED = 512 << 20
"""Bytes of new or changed files that one session may bring into the store."""
MAX_CHANGE = 128 << 20
"""Bytes, before and after, of all files that one command may change so that they are kept."""
PATIENCE = 10.0
"""Seconds that git has for a step: a pipe that somebody names `.gitignore` would keep it for ever.
To read what is new, at first the whole tree, it has six times as many."""
_NAMED = 5
"""Names in a notice."""


@dataclass(frozen=True, slots=True)
class State:
    """What stands at a path: a file, or a symbolic link with its target as its bytes."""

    data: bytes
    mode: int
    """Permission bits, with `S_IFLNK` for a symbolic link. Of a file that is gone it is only known
    whether it was executable."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that changed between two looks."""

    path: str
    before: State | None
    after: State | None
    made: tuple[str, ...] = ()
    """Folders that no file was known in before, outermost first."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look found: names as git has them, relative to the root."""

    changed: list[str]
    """New or changed; small enough, readable and no secret."""
    gone: list[str]
    """Removed, or something else than a file now."""
    known: dict[str, tuple[str, str]]
    """Mode and object of everything before; empty if nobody asked for it."""


class Snapshots:
    """The snapshots of one tree in one session.

    What cannot be done (no git, a tree too large, a disk full) is told once in `notices`, and
    from then on nothing is seen.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        session: str,
        limits: Limits = LIMITS,
        patience: float = PATIENCE,
    ) -> None:
        """
        Args:
            folder: Where the snapshots of all trees are, in a state folder.
            session: A name for it, unique.
            patience: Seconds that git has for a step.
        """
        self._tree = Tree(root)
        self._store = Store(self._tree.root, folder, session)
        self._session = session
        self._limits = limits
        self._patience = patience
        self._turn = 0
        self._kept = False
        self._lock = self._store.turn_lock()
        self._off = False
        self._added = 0
        self._skipped: dict[str, tuple[int, ...]] = {}
        """What is not kept, and how it stood at the last look."""
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self.notices: list[str] = []
        """For the user; whoever tells them empties it."""

    def begin_turn(self, number: int | None = None) -> None:
        """The tree's next change is the turn's first: what stands before it will be kept.

        Args:
            number: Of the session's turn; None: the next one.
        """
        self._turn = self._turn + 1 if number is None else number
        self._kept = False
        with self._guarded():
            if not self._lock.take():
                self.notices.append(
                    "Another session is at work on this tree: what it changes while a command "
                    "runs here cannot be told from what the command changes."
                )

    def end_turn(self) -> None:
        self._lock.release()

    def before_change(self, *, watch: bool) -> None:
        """Something is about to change the tree: keep it, if it is the turn's first change.

        Args:
            watch: Whether `differences` will be asked what changed from now on.
        """
        if self._off or (self._kept and not watch):
            return
        with self._guarded():
            self._look()
            if not self._kept:
                tree = self._git("write-tree").decode().strip()
                self._store.keep(tree, self._session, self._turn)
            self._kept = True

    def differences(self) -> tuple[Difference, ...]:
        """What has changed since the last look; what is gone first, each by its path."""
        if self._off:
            return ()
        found: tuple[Difference, ...] = ()
        with self._guarded():
            skipped = self._skipped
            seen = self._look(compared=True)
            left_out = sorted(
                name
                for name in {*skipped, *self._skipped}
                if skipped.get(name) != self._skipped.get(name)
            )
            found, dropped = self._compare(seen)
            self._tell(left_out, "they are secret, unreadable or over 8 MB")
            self._tell(dropped, "the command changed more than 128 MB")
        return found

    def close(self, *, tidy: bool = False) -> None:
        """Leave the store to the next session.

        Args:
            tidy: Whether there is time to prune, where it is due.
        """
        self.end_turn()
        if tidy and self._store.ready and not self._off:
            with self._guarded():
                prune(self._store, self._limits)
        self._store.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """A failure ends the watching, not the turn."""
        try:
            yield
        except (StoreError, ToolError, OSError) as error:
            self._off = True
            self._store.discard()
            self.notices.append(
                "What commands change is not watched from here on, and `agent undo` will not "
                f"take it back: {printable(str(error)).rstrip('.')}."
            )

    def _tell(self, names: Sequence[str], reason: str) -> None:
        if not names:
            return
        named = ", ".join(printable(os.fsdecode(name)) for name in names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        self.notices.append(f"Changed and not kept for undoing, for {reason}: {named}{more}.")

    def _git(self, *argv: str, stdin: bytes = b"", nested: str = "", times: int = 1) -> bytes:
        return self._store.git(*argv, seconds=times * self._patience, stdin=stdin, nested=nested)

    def _look(self, compared: bool = False) -> _Seen:
        """Bring the index up to the tree; once more if the tree moved meanwhile."""
        self._store.open()
        try:
            return self._update(compared)
        except StoreError:
            return self._update(compared)

    def _update(self, compared: bool) -> _Seen:
        new, modified, gone = self._listed()
        usable = self._usable(new | modified)
        unusable = modified - usable
        if not (usable or unusable or gone):
            return _Seen([], [], {})
        known = self._known() if compared or new else {}
        # Where a folder was a link or a file stands now; git sees through the link.
        if above := usable & _folders(known):
            gone |= {name for name in known if not above.isdisjoint(_parents(name))}
        gone |= unusable - self._skipped.keys()
        if gone or unusable:
            self._git(
                *("update-index", "--force-remove", "-z", "--stdin"), stdin=_joined(gone | unusable)
            )
        if usable:
            self._git(
                *("update-index", "--add", "--replace", "-z", "--stdin"),
                stdin=_joined(usable),
                times=6,
            )
        return _Seen(sorted(usable), sorted(gone), known)

    def _listed(self) -> tuple[set[str], set[str], set[str]]:
        """The names of what is new, of what is modified and of what is gone."""
        new, modified, gone = set[str](), set[str](), set[str]()
        flags = ("-t", "-z", "--others", "--modified", "--deleted", "--exclude-standard")
        for line in self._git("ls-files", *flags).split(b"\0"):
            tag, _, rest = line.partition(b" ")
            name = os.fsdecode(rest)
            if tag == b"R":
                gone.add(name)
            elif tag == b"C":
                modified.add(name)
            elif name.endswith("/"):
                new.update(self._nested(name))
            elif tag:
                new.add(name)
        return new, modified - gone, gone

    def _nested(self, folder: str) -> Iterator[str]:
        """The files of a repository in the tree that is not known yet."""
        flags = ("-z", "--others", "--exclude-standard")
        for name in self._git("ls-files", *flags, nested=folder).split(b"\0"):
            path = folder + os.fsdecode(name)
            if name.endswith(b"/"):
                yield from self._nested(path)
            elif name:
                yield path

    def _known(self) -> dict[str, tuple[str, str]]:
        """Mode and object of every file in the index."""
        known = {}
        for line in self._git("ls-files", "-s", "-z").split(b"\0"):
            entry, tab, name = line.partition(b"\t")
            if tab:
                mode, identity, _ = entry.decode().split()
                known[os.fsdecode(name)] = (mode, identity)
        return known

    def _usable(self, names: Iterable[str]) -> set[str]:
        """Those that can be kept; files that cannot are noted in `_skipped`."""
        usable = set()
        self._skipped = {}
        for name in names:
            place = f"{self._tree.root}/{name}"
            if ".git" in name.casefold().split("/"):
                continue  # git refuses these in any spelling
            try:
                status = os.lstat(place)
            except OSError:
                continue
            regular = stat.S_ISREG(status.st_mode)
            plain = status.st_size <= MAX_FILE and not is_secret(name) and os.access(place, os.R_OK)
            if stat.S_ISLNK(status.st_mode) or (regular and plain):
                usable.add(name)
                self._added += status.st_size
            elif regular:
                how = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
                self._skipped[name] = how
        if self._added > MAX_ADDED:
            raise ToolError(f"there are more than {MAX_ADDED >> 20} MB to look at")
        return usable

    def _compare(self, seen: _Seen) -> tuple[tuple[Difference, ...], list[str]]:
        """The differences, and the names of those for which there is no room."""
        names = [*seen.gone, *seen.changed]
        had = [name for name in names if name in seen.known]
        blobs = self._store.blobs([seen.known[name][1] for name in had], MAX_CHANGE) if had else ()
        before = dict(zip(had, blobs, strict=False))
        room = MAX_CHANGE - sum(map(len, before.values()))
        gone, folders = set(seen.gone), _folders(seen.known)
        found, dropped = [], []
        for name in names:
            if name in seen.known and name not in before:
                dropped.append(name)
                continue
            after = None if name in gone else self._standing(name)
            room -= len(after.data) if after else 0
            if room < 0:
                dropped.append(name)
                continue
            old = None
            if name in before:
                old = State(before[name], self._old_mode(seen.known[name][0], after))
            made = () if old else tuple(p for p in _parents(name) if p not in folders)
            if old != after:
                found.append(Difference(name, old, after, made))
        return tuple(found), dropped

    def _standing(self, name: str) -> State | None:
        there = self._tree.load(name, MAX_FILE, links=True)
        return State(there.data, there.mode) if there else None

    def _old_mode(self, mode: str, after: State | None) -> int:
        """Permission bits from the little that git keeps of them, and from what stands now."""
        if mode == "120000":
            return stat.S_IFLNK | 0o777
        executable = mode == "100755"
        if after is None or stat.S_ISLNK(after.mode):
            return (0o777 if executable else 0o666) & ~self._umask
        if executable == bool(after.mode & 0o100):
            return after.mode
        return after.mode | (after.mode & 0o444) >> 2 if executable else after.mode & ~0o111


def _parents(name: str) -> Iterator[str]:
    """`a`, `a/b` for `a/b/c`."""
    parts = name.split("/")
    for depth in range(1, len(parts)):
        yield "/".join(parts[:depth])


def _folders(names: Iterable[str]) -> set[str]:
    """Every folder that one of the names is in."""
    found = set[str]()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _joined(names: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)
