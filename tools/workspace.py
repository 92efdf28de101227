"""The folder an agent works in: containment, listing, safe reads, atomic writes, undo.

Owns every byte that is read from or written to the user's tree by a tool. Must not know models,
sessions' records or what an edit means. Not for several threads at once.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tools import ripgrep
from tools.base import Effect
from tools.beneath import NO_LIMIT, Loaded, Tree
from tools.errors import ToolError
from tools.journal import Journal, Write
from tools.patch import file_patch, git_mode
from tools.undo import Restored, by_path, take_back, undo

if TYPE_CHECKING:
    from tools.snapshots import Difference, Snapshots

MAX_FILE = 8 << 20
"""The largest file that is read, in bytes."""
SETTINGS_FOLDER = ".agent"
"""Beneath the root; what stands there is the user's to write, though it is not there yet."""
_SECRETS = (
    *(".env", ".env.*", ".envrc", ".netrc", ".pypirc", ".npmrc", ".pgpass", ".git-credentials"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.keystore"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
)
_CHANGED = "{!r} has changed on disk since it was read; read it again."
_NO_SECRETS = ("*.example", "*.sample", "*.template", "*.dist", "*.pub")


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it was when the workspace was opened, and as it is."""

    path: str
    before: bytes | None
    """None: it did not exist. A symbolic link's bytes are its target."""
    after: bytes | None
    old_mode: int
    """Permission bits, with `S_IFLNK` for a symbolic link; 0 if it did not exist."""
    new_mode: int


class Workspace:
    """A root folder and everything a tool may do beneath it.

    A path is relative to the root, or absolute and beneath it; where a link is on the way, the
    real name counts.
    """

    def __init__(
        self,
        root: Path,
        journal: Journal | None = None,
        snapshots: Snapshots | None = None,
        named: Iterable[str] = (),
        turn: int = 0,
    ) -> None:
        """
        Args:
            journal: Where writes are kept so that they can be undone.
            snapshots: Of the same root: how it is seen what programs change.
            named: Files, relative, that are read although they may hold secrets: the user wants
                it so.
            turn: The session's turns so far; a write is kept with the number of its own.
        """
        self._tree = Tree(root)
        self._journal = journal
        self._snapshots = snapshots
        self._named = frozenset(named)
        self._seen: dict[str, str] = {}
        self._writes: list[Write] = []
        self.turn = turn
        """The number of the present turn, or of the last one."""
        self._listing: tuple[str, ...] | None = None

    @property
    def root(self) -> Path:
        """Real path."""
        return self._tree.root

    def files(self) -> tuple[str, ...]:
        """Paths of the files that are not ignored, relative, with `/`, sorted; `.git` left out.

        Kept until a write or `refresh`. Links, and names that are not UTF-8, are left out.
        """
        if self._listing is None:
            self._listing = ripgrep.files(self.root)
        return self._listing

    def refresh(self) -> None:
        """Forget the listing: something else may have made or removed files."""
        self._listing = None

    def resolve(self, path: str) -> Path:
        """The real place of a path beneath the root.

        Raises:
            ToolError: It is outside the root, or in `.git`.
        """
        return self.root / self._tree.name(path)

    def name(self, path: str) -> str:
        """The real name of a path, relative to the root, with `/`; `.` for the root.

        Raises:
            ToolError: As `resolve`.
        """
        return self._tree.name(path)

    def read(self, path: str) -> bytes:
        """A file's bytes, remembered as seen.

        Raises:
            ToolError: There is no such file (the nearest are named), or it is a folder, a pipe,
                a device, binary, a secret, or larger than `MAX_FILE`.
        """
        name = self.name(path)
        self._seen.pop(name, None)
        data = self._load(name).data
        self._seen[name] = _digest(data)
        return data

    def peek(self, path: str) -> bytes:
        """As `read`, for those who do not show the bytes to a model: not remembered as seen."""
        return self._load(self.name(path)).data

    def withholds(self, name: str) -> bool:
        """Whether a file is not shown, for it may hold secrets and the user did not name it."""
        return is_secret(name) and name not in self._named

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        return self._tree.status(self.name(path)) is not None

    def basis(self, path: str, unread: bool = False) -> bytes:
        """A file's bytes to make a new version from, when they are the ones that were read.

        Args:
            unread: Whether a file that was never read will do as well.

        Raises:
            ToolError: It was not read, or has changed since; and as `read`.
        """
        name = self.name(path)
        data = self._load(name).data
        known = self._seen.get(name)
        if known is None and not unread:
            raise ToolError(f"{name!r} exists and was not read: read it first.")
        if known is not None and known != _digest(data):
            raise ToolError(_CHANGED.format(name))
        return data

    def write(self, path: str, data: bytes, *, basis: bytes | None = None) -> None:
        """Replace or create a file atomically; missing folders are made.

        Args:
            basis: The whole bytes that `data` was made from. Without it the file must have been
                read, or not exist.

        Raises:
            ToolError: The file was not read, has changed since, or cannot be written, or is a
                setting of ours; it is as it was.
        """
        name = self.name(path)
        if name.partition("/")[0].casefold() == SETTINGS_FOLDER:
            raise ToolError(f"{name!r} is of the user's own settings; it is not written here.")
        known = self._seen.get(name) if basis is None else _digest(basis)
        there = self._tree.load(name, MAX_FILE)
        if there is not None:
            if is_secret(name):
                raise ToolError(f"{name!r} may hold secrets; it is neither read nor written.")
            _refuse_binary(name, there.data)
            if known is None:
                raise ToolError(f"{name!r} exists and was not read: read it first.")
        if known is not None and (there is None or _digest(there.data) != known):
            raise ToolError(_CHANGED.format(name))
        self._put(name, there, data)
        if basis is None or name in self._seen:
            self._seen[name] = _digest(data)

    @contextmanager
    def watched(self, effect: Effect) -> Iterator[list[str]]:
        """Around the use of a tool: what the programs that it runs change counts as written here.

        Yields:
            The paths that they changed, filled in at the end.
        """
        paths: list[str] = []
        runs = effect is Effect.RUN
        if self._snapshots is not None and effect is not Effect.READ:
            self._snapshots.before_change(watch=runs)
        try:
            yield paths
        finally:
            if runs:
                self.refresh()
                if self._snapshots is not None:
                    paths += self._adopt(self._snapshots.differences())

    def begin_turn(self) -> None:
        """What is changed from here on belongs to a new turn."""
        self.turn += 1
        if self._snapshots is not None:
            self._snapshots.begin_turn(self.turn)

    def end_turn(self) -> None:
        if self._snapshots is not None:
            self._snapshots.end_turn()

    def notices(self) -> tuple[str, ...]:
        """What the user should know of the watching, each once."""
        if self._snapshots is None:
            return ()
        told = tuple(self._snapshots.notices)
        self._snapshots.notices.clear()
        return told

    def changes(self, *, turn: bool = False, since: int = 0) -> tuple[Change, ...]:
        """What was written since the workspace was opened, a file each, net, sorted by path.

        Args:
            turn: Since the present turn began, and no earlier.
            since: A checkpoint; since then, and no earlier.
        """
        found = []
        writes = [w for w in self._writes[since:] if not turn or w.turn == self.turn]
        for path, own in sorted(by_path(writes).items()):
            try:
                there = self._tree.load(path, NO_LIMIT, links=True)
            except ToolError:
                there = None  # something else than a file stands there now
            before, old_mode = own[0].before, own[0].mode
            after, new_mode = (there.data, there.mode) if there else (None, 0)
            if before != after or git_mode(old_mode) != git_mode(new_mode):
                found.append(Change(path, before, after, old_mode, new_mode))
        return tuple(found)

    def patch(self, *, turn: bool = False) -> str:
        """The changes as a patch that `git apply` takes; empty for none.

        Bytes that are not UTF-8 are surrogates: write it with `errors="surrogateescape"` and
        `newline=""`.
        """
        return "".join(
            file_patch(change.path, change.before, change.after, change.old_mode, change.new_mode)
            for change in self.changes(turn=turn)
        )

    def checkpoint(self) -> int:
        """A mark to return to."""
        return len(self._writes)

    def rewind(self, turn: int) -> tuple[Restored, ...]:
        """Take back every write of the session since a turn began, as `restore` does; between
        two turns. Those of earlier processes are among them, where there is a journal.

        Raises:
            ToolError: A file cannot be written.
        """
        if self._journal is None:
            earlier = [write for write in self._writes if write.turn < turn]
            return self.restore(len(earlier))
        done = undo(self._journal.folder, self.root, turn)
        kept = {item.path for item in done if item.outcome == "kept"}
        self._writes = [w for w in self._writes if w.turn < turn or w.path in kept]
        for item in done:
            self._seen.pop(item.path, None)
        self.refresh()
        return done

    def restore(self, checkpoint: int) -> tuple[Restored, ...]:
        """Take back every write since the mark, newest first, and folders made for them.

        What others wrote to the same files meanwhile stays where it can be merged; where it
        cannot, the file is left as it is.

        Raises:
            ToolError: A file cannot be written.
        """
        taken = self._writes[checkpoint:]
        done = []
        for path, own in by_path(taken).items():
            restored = take_back(self._tree, own, self._journal)
            if restored is None:
                continue
            done.append(restored)
            if path in self._seen and restored.outcome == "restored":
                self._seen[path] = _digest(own[0].before or b"")
            else:
                self._seen.pop(path, None)
        kept = {item.path for item in done if item.outcome == "kept"}
        self._writes[checkpoint:] = [write for write in taken if write.path in kept]
        self._tree.prune(folder for write in taken for folder in write.made)
        self.refresh()
        return tuple(done)

    def _adopt(self, differences: Sequence[Difference]) -> list[str]:
        """Take over what a program did to the tree as if it had been written here."""
        writes = []
        for difference in differences:
            before, after = difference.before, difference.after
            writes.append(
                Write(
                    difference.path,
                    before.data if before else None,
                    after.data if after else None,
                    before.mode if before else 0,
                    difference.made,
                    after.mode if after else None,
                    self.turn,
                )
            )
            if after is None:
                self._seen.pop(difference.path, None)  # nothing is left that could be read again
        self._writes += writes
        if self._journal and self._snapshots and writes:
            try:
                self._journal.record_made(writes)
            except OSError as error:
                self._snapshots.notices.append(
                    "What the last command changed could not be kept, so `agent undo` will not "
                    f"take it back: {error.strerror}."
                )
        return [difference.path for difference in differences]

    def _load(self, name: str) -> Loaded:
        if self.withholds(name):
            raise ToolError(f"{name!r} may hold secrets; it is not read.")
        there = self._tree.load(name, MAX_FILE)
        if there is None:
            raise ToolError(self.missing(name))
        _refuse_binary(name, there.data)
        return there

    def _put(self, name: str, there: Loaded | None, data: bytes) -> None:
        def record(made: tuple[str, ...]) -> None:
            # The file is looked at again: the temporary one took its time to reach the disk.
            now = self._tree.load(name, MAX_FILE)
            if (now and now.data) != (there and there.data):
                raise ToolError(_CHANGED.format(name))
            before, mode = (there.data, there.mode) if there else (None, 0)
            write = Write(name, before, data, mode, made, turn=self.turn)
            if self._journal:
                self._journal.record(write)
            self._writes.append(write)

        count = len(self._writes)
        mode, owner = (there.mode, there.owner) if there else (None, None)
        try:
            self._tree.replace(name, data, mode, owner, record)
        except ToolError:
            del self._writes[count:]
            raise
        self.refresh()

    def missing(self, name: str) -> str:
        """What to tell somebody who asked for a file that is not there."""
        leaf = PurePosixPath(name).name.casefold()
        files = self.files()
        same = [path for path in files if PurePosixPath(path).name.casefold() == leaf]
        nearest = (same + get_close_matches(name, files, 3))[:3]
        hint = f" Nearest: {', '.join(dict.fromkeys(nearest))}." if nearest else ""
        return f"There is no file {name!r}.{hint}"


def is_secret(name: str) -> bool:
    """Whether a file of this name usually holds keys or passwords."""
    leaf = name.rpartition("/")[2].casefold()
    return bool(_any_of(_SECRETS).match(leaf)) and not _any_of(_NO_SECRETS).match(leaf)


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))


def _refuse_binary(name: str, data: bytes) -> None:
    if b"\0" in data:
        kind = guess_type(name)[0] or "unknown type"
        raise ToolError(f"{name!r} is binary ({kind}, {len(data):,} bytes).")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
