"""The tests as evidence: run for the judge, and distrusted where they were rewritten.

Owns the harness's own runs and the look at the tests' files. Must not know who conducts a turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from agent.approval import Denial
from agent.messages import ToolCall
from agent.steering.moves import Move, Reply, use
from agent.verify import Judge
from tools.errors import ToolError
from tools.testing.find_tests import is_test_path
from tools.testing.reports import TestRun
from tools.workspace import Workspace


def run_tests(
    judge: Judge, call_id: str, *, needed: bool = True
) -> Generator[Move, Reply, TestRun]:
    """Run all tests of the harness's own accord and let the judge see what came of it.

    Args:
        needed: Whether the turn ends where the user does not allow it.

    Raises:
        ToolError: They cannot be run.
    """
    call = ToolCall(call_id, "run_tests", {})
    result = yield from use(call, by_model=False, needed=needed)
    if isinstance(result.details, Denial):
        raise ToolError("The tests were not allowed.")
    if not isinstance(result.details, TestRun):
        raise ToolError(f"The tests could not be run: {result.output}")
    if judge.baseline is None and result.details.unusable:
        raise ToolError(f"The tests cannot be run: {result.details.unusable}")
    judge.see(result.details)
    return result.details


@dataclass(slots=True)
class Case:
    """One task before the judge, shared by the steerings that follow each other on it."""

    judge: Judge = field(default_factory=Judge)
    evidence: Evidence | None = None
    """None until the first tool is used."""
    began: int = 0
    """The workspace's checkpoint when the task was told."""
    untested: str = ""
    """Why nothing is tested any more; empty: it is."""

    def open(self, began: int) -> None:
        """A new task: what the tests prove is measured from here on."""
        self.judge = Judge()
        self.began = began
        self.evidence = None
        self.untested = ""

    def rewritten(self) -> list[str]:
        """The files of tests that are not what they were; see `Evidence`."""
        return self.evidence.rewritten() if self.evidence is not None else []


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
