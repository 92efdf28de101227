"""The `run_tests` tool.

Owns what a model is told of a run. Must not know what a result is used for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tools.action import Command
from tools.base import Arguments, Cancel, Heard, ProgramTool, ToolResult, unheard
from tools.errors import ToolError
from tools.sandboxing.base import UNCONFINED, Sandbox
from tools.shell import program_for
from tools.testing.commands import Runner, TestCommand, startable

if TYPE_CHECKING:
    from tools.testing.runners import Trial


class RunTestsArguments(Arguments):
    only: str | None = Field(
        None, description="A test file, or one test as tests/test_a.py::test_b; all if left out."
    )


class RunTests(ProgramTool[RunTestsArguments]):
    name = "run_tests"
    description = "Run the project's tests, or some of them, and see which fail and why."
    Args = RunTestsArguments

    def __init__(
        self,
        root: Path,
        command: TestCommand,
        timeout: float = 300,
        sandbox: Sandbox = UNCONFINED,
    ) -> None:
        """
        Args:
            timeout: Seconds for a whole run.
            sandbox: What keeps the tests in.
        """
        self._root = root
        self._command = command
        self._startable: TestCommand | None = None
        self._timeout = timeout
        self._sandbox = sandbox

    def action(self, args: RunTestsArguments) -> Command:
        command, only = self._command, self._only(args)
        program = program_for(self._found().argv[0], self._root)
        return Command(command.argv, str(self._root), program, command.env, chosen=only)

    def run(self, args: RunTestsArguments, cancel: Cancel, heard: Heard = unheard) -> ToolResult:
        only = self._only(args)
        # 20 ms; only needed to run them
        from tools.testing.runners import run_tests

        run = run_tests(
            self._found(),
            self._root,
            cancel,
            self._timeout,
            only,
            sandbox=self._sandbox,
            heard=heard,
        )
        summary = run.summary()
        output = f"{summary}\n\n{run.brief()}".strip()
        if only and run.runner is Runner.OTHER:
            output = f"All tests were run: {self._command} takes no names.\n{output}"
        parts = summary.replace(" in ", " (", 1).replace(" s", " s)", 1)
        return ToolResult(output=output, display=f"tests: {parts}", details=run)

    def trials(
        self, trials: Iterable[Trial], seconds: float, cancel: Cancel, only: str | None = None
    ) -> tuple[int | None, ...]:
        """How many tests fail with each changed file; see `tools.testing.runners.run_trials`."""
        from tools.testing.runners import run_trials  # as above

        chosen = self._only(RunTestsArguments(only=only))
        command = self._found()
        return run_trials(command, self._root, cancel, seconds, trials, chosen, self._sandbox)

    def _found(self) -> TestCommand:
        """Once: what the tests ran with before a change, they run with after it."""
        self._startable = self._startable or startable(self._command, self._root)
        return self._startable

    def _only(self, args: RunTestsArguments) -> tuple[str, ...]:
        only = (args.only or "").strip()
        if only.startswith("-") or "\0" in only:
            raise ToolError(f"{only!r} is no test; give a file or tests/test_a.py::test_b.")
        place = (self._root / only.partition("::")[0]).resolve()
        if not place.is_relative_to(self._root.resolve()):
            raise ToolError(f"{only!r} is outside the repository.")
        return (only,) if only else ()
