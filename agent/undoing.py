"""`agent undo`: taking back what a session wrote.

Owns the choice of the session and what is said of it. Must not know how files are restored.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from agent.errors import ExitCode, InputError
from agent.session import SessionInfo, find_session, sessions, state_folder
from agent.work_tree import find_root
from tools.errors import ToolError
from tools.journal import Journal
from tools.snapshot_store import at_work
from tools.text import shown
from tools.text_filter import clip_line
from tools.undo import by_path, undo


def undo_session(name: str | None, repo: Path, confirm: Callable[[str], bool]) -> ExitCode:
    """Take back a session's changes, listed first.

    Raises:
        InputError: There is no such session, or nothing to take back.
    """
    info = _session_to_undo(name, find_root(repo))
    if at_work(info.root, state_folder() / "snapshots"):
        raise InputError(f"A session is at work on {info.root}: stop it, or wait for its end.")
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
    return ExitCode.VERIFIED


def list_undoable(repo: Path) -> ExitCode:
    """Tell which sessions can be taken back, the newest first."""
    root = find_root(repo)
    for info in sessions(state_folder()):
        if info.root == root and (paths := _written(info)):
            title = info.task.lstrip("# ").partition("\n")[0]
            task = clip_line(shown(title), 60)
            files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
            print(f"{info.id}  {files}  {task}")
    return ExitCode.VERIFIED


def _written(info: SessionInfo) -> list[str]:
    """The files that a session left changed; what it took back itself is not among them."""
    if not info.journal.is_dir():
        return []
    changed = []
    for path, own in by_path(Journal(info.journal).writes()).items():
        moded = own[-1].new_mode not in (None, own[0].mode)
        if own[0].old_state != own[-1].new_state or (moded and own[0].before is not None):
            changed.append(path)
    return sorted(changed)


def _session_to_undo(name: str | None, root: Path) -> SessionInfo:
    if name is not None:
        info = find_session(name, state_folder(), root)
        if not _written(info):
            raise InputError(f"Session {info.id} changed nothing.")
        return info
    for info in sessions(state_folder()):
        if info.root == root and _written(info):
            return info
    raise InputError(f"There is no session that changed {root} to undo.")
