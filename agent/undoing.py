"""`agent undo`: taking back what a session wrote.

Owns the choice of the session and what is said of it. Must not know how files are restored.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from agent.errors import ExitCode, InputError
from agent.session import SessionInfo, sessions, state_folder
from agent.work_tree import find_root
from tools.base import ToolError
from tools.journal import Journal
from tools.text import shown
from tools.undo import undo


def undo_session(name: str | None, repo: Path, confirm: Callable[[str], bool]) -> ExitCode:
    """Take back a session's changes, listed first.

    Raises:
        InputError: There is no such session, or nothing to take back.
    """
    root = find_root(repo)
    info = _session_to_undo(name, root)
    for path in _written(info):
        print(f"  {shown(path)}", file=sys.stderr)
    if not confirm(f"Take back what session {shown(info.id)} wrote to these files?"):
        return ExitCode.FAILED
    kept = False
    try:
        outcomes = undo(info.journal, info.root)
    except ToolError as error:
        raise InputError(str(error)) from error
    for restored in outcomes:
        kept = kept or restored.outcome == "kept"
        print(f"{restored.outcome}  {shown(restored.path)}")
    if kept:
        print("Files marked kept have your own later edits in the same lines.", file=sys.stderr)
        return ExitCode.FAILED
    (info.folder / "undone").touch()
    return ExitCode.VERIFIED


def _written(info: SessionInfo) -> list[str]:
    """The files that a session left changed; what it took back itself is not among them."""
    if not info.journal.is_dir():
        return []
    before: dict[str, bytes | None] = {}
    after: dict[str, bytes | None] = {}
    for write in Journal(info.journal).writes():
        before.setdefault(write.path, write.before)
        after[write.path] = write.after
    return sorted(path for path in before if before[path] != after[path])


def _session_to_undo(name: str | None, root: Path) -> SessionInfo:
    for info in sessions(state_folder()):
        if name is not None and info.id != name:
            continue
        if name is None and (info.root != root or (info.folder / "undone").exists()):
            continue
        if _written(info):
            return info
        if name is not None:
            raise InputError(f"Session {name} changed nothing.")
    wanted = f"session {name}" if name else f"session that changed {root}"
    raise InputError(f"There is no {wanted} to undo.")
