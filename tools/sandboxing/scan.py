"""What in a work tree no command should read or change: files of secrets, nested repositories.

Looks again before each command, at folders that have changed alone. Must not know what is done with
what it finds.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from tools.workspace import is_secret

_PASSED_OVER = frozenset(
    {".git", "node_modules", "site-packages", "__pycache__", ".tox", ".nox", ".mypy_cache"}
)
"""Folders of what others published, certificates included, or of what tools keep."""
_SETTLED = 2.0
"""Seconds after its last change from which a folder's time tells of the next one."""


@dataclass(frozen=True, slots=True)
class Found:
    secrets: tuple[Path, ...]
    """Files that may hold keys or passwords; of links, what they lead to."""
    repositories: tuple[Path, ...]
    """The `.git` of each repository below the root."""


@dataclass(slots=True)
class _Folder:
    changed: int
    """Nanoseconds; -1: too lately for its time to tell of the next change."""
    folders: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    repository: str = ""


class Scan:
    """The search of one work tree."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._known: dict[str, _Folder] = {}

    def look(self) -> Found:
        """Everything that is there now; folders that cannot be read are passed over."""
        known: dict[str, _Folder] = {}
        secrets: list[str] = []
        repositories: list[str] = []
        waiting = [self._root]
        while waiting:
            path = waiting.pop()
            try:
                folder = self._folder(path)
            except OSError:
                continue
            known[path] = folder
            waiting += folder.folders
            secrets += folder.secrets
            if folder.repository and path != self._root:
                repositories.append(folder.repository)
        self._known = known
        return Found(
            tuple(Path(os.path.realpath(path)) for path in sorted(self._unpublished(secrets))),
            tuple(map(Path, sorted(repositories))),
        )

    def _folder(self, path: str) -> _Folder:
        changed = os.stat(path).st_mtime_ns
        if (known := self._known.get(path)) is not None and known.changed == changed:
            return known
        settled = time.time_ns() - changed > _SETTLED * 1e9
        folder = _Folder(changed if settled else -1)
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name == "pyvenv.cfg":
                    return _Folder(folder.changed)
                if name == ".git":
                    folder.repository = "" if entry.is_symlink() else entry.path
                elif entry.is_dir(follow_symlinks=False):
                    if name not in _PASSED_OVER:
                        folder.folders.append(entry.path)
                elif is_secret(name) and entry.is_file():
                    folder.secrets.append(entry.path)
        return folder

    def _unpublished(self, secrets: list[str]) -> list[str]:
        """Without the keys that git tracks: tests need theirs, and they are no secret any more.

        The index holds each path as it is, but for its fourth version: there all stay hidden.
        """
        keys = [path for path in secrets if not os.path.basename(path).startswith(".")]
        if not keys:
            return secrets
        try:
            with open(os.path.join(self._root, ".git", "index"), "rb") as file:
                index = file.read()
        except OSError:  # no repository, a work tree of another, nothing added yet
            return secrets
        tracked = {
            path for path in keys if os.fsencode(os.path.relpath(path, self._root)) + b"\0" in index
        }
        return [path for path in secrets if path not in tracked]
