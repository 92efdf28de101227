"""`agent` without a command: an interactive session, on the screen or line by line.

Owns the choice of the two and of the session that goes on. Must not know what either shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.approval import Mode
from agent.conversation import Wanted
from agent.errors import ExitCode, InputError
from agent.session import SessionInfo, find_session, sessions, state_folder
from agent.work_tree import find_root


def converse(
    repo: Path, flags: Mapping[str, Any], *, last: bool, resume: str | None, plain: bool
) -> ExitCode:
    """Work with the user until they leave.

    Args:
        flags: Settings given as options; None for those that were not.
        last: Whether the newest session of the repository goes on.
        resume: The id of the session that goes on.
        plain: Line by line, whatever the terminal can do.

    Raises:
        AgentError: What was given cannot be used.
    """
    before = _before(repo, last=last, resume=resume)
    wanted = Wanted(repo, flags, mode=Mode.ASK, resume=before, talk=True)
    if not plain and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("There is no terminal for the screen: give --plain, or use `agent fix`.")
    if plain or os.environ.get("TERM") == "dumb":
        raise InputError("--plain is not there yet.")
    from tui.app import run  # 200 ms; only here is there a screen

    return run(wanted)


def _before(repo: Path, *, last: bool, resume: str | None) -> SessionInfo | None:
    if resume:
        return find_session(resume, state_folder())
    if not last:
        return None
    root = find_root(repo)
    for info in sessions(state_folder()):
        if info.root == root:
            return info
    raise InputError(f"There is no session of {root} to go on with.")
