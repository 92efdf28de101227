"""The `run_tests` tool, and all that a caller needs of tests in one place.

Owns what a model is told of a run. Must not know what a result is used for.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tools.base import Arguments, Cancel, Tool, ToolError, ToolResult
from tools.find_tests import Runner, TestCommand, find_command, is_test_path, parse_command
from tools.reports import Outcome, TestCase, TestRun
from tools.runners import run_tests

__all__ = [
    "Outcome",
    "RunTests",
    "RunTestsArguments",
    "Runner",
    "TestCase",
    "TestCommand",
    "TestRun",
    "find_command",
    "is_test_path",
    "parse_command",
    "run_tests",
]


class RunTestsArguments(Arguments):
    only: str | None = Field(
        None, description="A test file, or one test as tests/test_a.py::test_b; all if left out."
    )


class RunTests(Tool[RunTestsArguments]):
    name = "run_tests"
    description = "Run the project's tests, or some of them, and see which fail and why."
    Args = RunTestsArguments

    def __init__(self, root: Path, command: TestCommand, timeout: float = 300) -> None:
        """
        Args:
            timeout: Seconds for a whole run.
        """
        self._root = root
        self._command = command
        self._timeout = timeout

    def run(self, args: RunTestsArguments, cancel: Cancel) -> ToolResult:
        only = (args.only or "").strip()
        if only.startswith("-"):
            raise ToolError(f"{only!r} is no test; give a file or tests/test_a.py::test_b.")
        run = run_tests(self._command, self._root, cancel, self._timeout, (only,) if only else ())
        summary = run.summary()
        output = f"{summary}\n\n{run.brief()}".strip()
        if only and run.runner is Runner.OTHER:
            output = f"All tests were run: {self._command} takes no names.\n{output}"
        parts = summary.replace(" in ", " (", 1).replace(" s", " s)", 1)
        return ToolResult(output=output, display=f"tests: {parts}", details=run)
