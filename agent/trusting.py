"""`agent trust`: showing what a folder would tell the agent, and trusting it.

Owns what is shown and asked. Must not know how trust is recorded or verified.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from agent.config import ProjectSettings
from agent.errors import ExitCode, InputError
from agent.project import configure
from agent.session import state_folder
from agent.trust import SETTINGS, ProjectFile, Standing, TrustStore, project_files
from agent.work_tree import find_root
from tools.errors import ToolError
from tools.text import SourceText, shown
from tools.text_filter import printable
from tools.workspace import Workspace


def trust_folder(folder: Path, confirm: Callable[[str], bool]) -> ExitCode:
    """Show everything of a folder that needs trust, whole, and ask.

    Raises:
        InputError: There is no such folder, or its settings cannot be used.
        ModelMissing: Its settings name a model that the catalogue lacks.
    """
    root = find_root(folder)
    files = _project_files(root)
    store = TrustStore(state_folder())
    trust = store.of(root)
    print(shown(str(root)))
    if not files:
        print(f"There is nothing to trust: no {SETTINGS}, no AGENTS.md or CLAUDE.md.")
        return ExitCode.VERIFIED
    for file in files:
        print(f"\n{shown(file.name)} ({trust.standing(file)})")
        print(_quoted(file))
    print(flush=True)
    for file in files:
        if file.name == SETTINGS and not file.problem:
            configure({}, os.environ, ProjectSettings(root / file.name, file.data))
    usable = [file for file in files if not file.problem]
    if all(trust.standing(file) is Standing.TRUSTED for file in usable):
        print("All that can be used is trusted as it is.")
        return ExitCode.VERIFIED
    what = "this file" if len(usable) == 1 else f"these {len(usable)} files"
    if not confirm(f"Let {what} tell the agent what to do, until they change?"):
        return ExitCode.FAILED
    store.trust(root, usable)
    print("Trusted.")
    return ExitCode.VERIFIED


def list_trusted() -> ExitCode:
    """Show what is trusted, and whether it still is what was trusted."""
    store = TrustStore(state_folder())
    folders = store.folders()
    if not folders:
        print("Nothing is trusted: `agent trust PATH` shows and trusts a folder.", file=sys.stderr)
    for name in sorted(folders):
        print(shown(name))
        root = Path(name)
        trust = store.of(root) if root.is_dir() else None
        there = {file.name: file for file in _project_files(root)} if trust else {}
        for path in sorted(folders[name]):
            standing = str(trust.standing(there[path])) if trust and path in there else "gone"
            print(f"  {shown(path)} ({standing})")
    return ExitCode.VERIFIED


def forget_folder(folder: Path) -> ExitCode:
    """Trust nothing of a folder, which may be gone.

    Raises:
        InputError: Nothing of it was trusted.
    """
    root = find_root(folder) if folder.is_dir() else folder
    if not TrustStore(state_folder()).remove(root):
        raise InputError(f"Nothing in {root} is trusted.")
    print(f"No longer trusted: {shown(str(root))}")
    return ExitCode.VERIFIED


def _project_files(root: Path) -> tuple[ProjectFile, ...]:
    try:
        return project_files(Workspace(root))
    except ToolError as error:
        raise InputError(str(error)) from error


def _quoted(file: ProjectFile) -> str:
    """A file's text behind a margin, so that none of it can pass for ours."""
    text = file.problem or printable(SourceText.of(file.data).text).rstrip("\n")
    return "\n".join(f"  | {line}" for line in text.split("\n"))
