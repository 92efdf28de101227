"""Writes taken back, newest first, without losing what somebody else wrote since.

Owns the three-way merge. Must not know sessions or what was written for.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.beneath import NO_LIMIT, Loaded, Tree
from tools.errors import ToolError
from tools.journal import Journal, State, Write
from tools.process import system_program


@dataclass(frozen=True, slots=True)
class Restored:
    """What undoing did to one file."""

    path: str
    outcome: str
    """`restored`, `removed`, `merged`, or `kept` when the user's later edits conflict."""


def undo(journal: Path, root: Path, since: int = 0) -> tuple[Restored, ...]:
    """Take back what a journal holds, three-way with the user's later edits.

    A file that cannot be taken back is left as it is and may be tried again; what was taken
    back is noted in the journal, so undoing twice does nothing the second time.

    Args:
        since: The first turn of the session whose writes are taken back.

    Raises:
        ToolError: The root cannot be opened.
    """
    tree = Tree(root)
    if not journal.is_dir():
        return ()
    kept = Journal(journal)
    writes = [write for write in kept.writes() if write.turn >= since]
    done: list[Restored] = []
    for path, own in by_path(writes).items():
        try:
            restored = take_back(tree, own)
        except ToolError:
            restored = Restored(path, "kept")
        if restored is None or restored.outcome != "kept":
            kept.undone(path, since)
        if restored is not None:
            done.append(restored)
    tree.prune(folder for write in writes for folder in write.made)
    return tuple(done)


def by_path(writes: Sequence[Write]) -> dict[str, list[Write]]:
    """The writes of each file, the file that was written last first."""
    grouped: dict[str, list[Write]] = {}
    for write in reversed(writes):
        grouped.setdefault(write.path, []).insert(0, write)
    return grouped


def take_back(
    tree: Tree, writes: Sequence[Write], journal: Journal | None = None
) -> Restored | None:
    """Bring one file back to what it was before its writes.

    Args:
        writes: All of one path, oldest first.
        journal: Where the restoring write itself is recorded.

    Returns:
        None if the file is already as it was.

    Raises:
        ToolError: It cannot be written, or its restoring cannot be recorded.
    """
    path = writes[0].path
    there = tree.load(path, NO_LIMIT, links=True)
    current = (there.data, there.link) if there else None
    mode = writes[0].mode
    if there and there.mode != _given_mode(writes):
        mode = there.mode  # theirs to choose
    if current == writes[0].old_state and (there is None or there.mode == mode):
        return None
    taken = _unwound(tree, current, writes) or _unwound(tree, current, _joined(writes))
    if taken is None:
        return Restored(path, "kept")
    state, merged = taken
    if state is None:
        if journal:
            try:
                before = there.data if there else None
                journal.record(Write(path, before, None, mode, turn=writes[-1].turn))
            except OSError as error:
                raise ToolError(f"{path!r} was not taken back: {error.strerror}.") from error
        tree.remove(path)
        # Where a folder stands now a file may have been, which is put back next.
        tree.prune(folder for write in writes for folder in write.made)
        return Restored(path, "removed")
    if state[1] != stat.S_ISLNK(mode):
        mode = writes[0].mode
    _put(tree, path, there, state[0], mode, journal, writes[-1].turn)
    return Restored(path, "merged" if merged else "restored")


def _given_mode(writes: Sequence[Write]) -> int | None:
    """The mode that the last of the writes which set one gave to the file."""
    modes = [write.new_mode for write in writes if write.new_mode is not None]
    return modes[-1] if modes else None


def _unwound(tree: Tree, current: State, writes: Sequence[Write]) -> tuple[State, bool] | None:
    """A file without its writes, and whether that took a merge; None if it cannot be had."""
    state, merged = current, False
    for write in reversed(writes):
        before, after = write.old_state, write.new_state
        if state == after:
            state = before
        elif state != before:
            if state is None or before is None or after is None:
                return None
            if state[1] or before[1] or after[1]:
                return None
            combined = _merge(tree.root, state[0], after[0], before[0])
            if combined is None:
                return None
            state, merged = (combined, False), True
    return state, merged


def _joined(writes: Sequence[Write]) -> list[Write]:
    """Writes that followed each other without another's hand between them, as one."""
    joined: list[Write] = []
    for write in writes:
        if joined and joined[-1].new_state == write.old_state:
            joined[-1] = replace(joined[-1], after=write.after, new_mode=write.new_mode)
        else:
            joined.append(write)
    return joined


def _put(
    tree: Tree,
    path: str,
    there: Loaded | None,
    data: bytes,
    mode: int,
    journal: Journal | None,
    turn: int,
) -> None:
    def record(made: tuple[str, ...]) -> None:
        if journal:
            before = there.data if there else None
            old_mode = there.mode if there else 0
            journal.record(Write(path, before, data, old_mode, made, mode or None, turn))

    tree.replace(path, data, mode or None, there.owner if there else None, record)


def _merge(root: Path, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """Both changes of `base` in one; None if they conflict or git is not installed."""
    git = system_program("git", root)
    if git is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        names = ("ours", "base", "theirs")
        for name, data in zip(names, (ours, base, theirs), strict=True):
            (Path(folder) / name).write_bytes(data)
        merged = subprocess.run(
            [git, "merge-file", "-p", *names],
            cwd=folder,
            # No configuration of the user's or of a repository around the folder.
            env={
                "PATH": os.defpath,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CEILING_DIRECTORIES": str(Path(folder).parent),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    return merged.stdout if merged.returncode == 0 else None
