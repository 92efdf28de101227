"""The tests as they were when a turn began: what was rewritten since proves nothing.

Owns the look at their files. Must not know verdicts.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from tools.base import ToolError
from tools.testing.find_tests import is_test_path
from tools.workspace import Workspace


class Evidence:
    """Remembers every file of tests, and of what tests rest on, by its digest."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._before = self._digests()

    def rewritten(self) -> list[str]:
        """The files that were changed or removed since, and any new `conftest.py`."""
        now = self._digests()
        changed = [path for path, digest in self._before.items() if now.get(path) != digest]
        new = [path for path in now if path not in self._before]
        return changed + [path for path in new if PurePosixPath(path).name == "conftest.py"]

    def _digests(self) -> dict[str, bytes]:
        self._workspace.refresh()
        found: dict[str, bytes] = {}
        for path in filter(is_test_path, self._workspace.files()):
            try:
                found[path] = hashlib.sha256(self._workspace.peek(path)).digest()
            except ToolError:
                continue  # binary or secret: no test
        return found
