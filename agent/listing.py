"""`agent sessions`: which conversations there are.

Owns the look of the list. Must not know what a record holds beyond how its turn ended.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import AgentError, ExitCode
from agent.recorded import load
from agent.session import SessionInfo, sessions, state_folder
from agent.work_tree import find_root
from tools.text_filter import clip_line, printable

TASK = 60
"""Characters of a task's first line."""


def list_sessions(repo: Path | None) -> ExitCode:
    """Print a line for each session of a repository, or of all of them.

    Raises:
        InputError: There is no such folder.
    """
    root = find_root(repo) if repo is not None else None
    for info in sessions(state_folder()):
        if root is None or info.root == root:
            print(_line(info, with_root=root is None))
    return ExitCode.VERIFIED


def _line(info: SessionInfo, *, with_root: bool) -> str:
    try:
        recorded = load(info)
        ended, model = recorded.ended or "unfinished", recorded.model or "-"
    except AgentError:
        ended, model = "unreadable", "-"
    task = clip_line(info.task.partition("\n")[0], TASK)
    columns = [info.id, f"{ended:<12}", model, *([str(info.root)] if with_root else []), task]
    return "  ".join(map(printable, columns))
