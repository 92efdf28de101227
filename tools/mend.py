"""The tool that tries small changes of definitions against one test, and takes all of them back.

Owns the trial. Must not know which change is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from tools.action import Action
from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.deadline import Deadline
from tools.editing.splice import splice
from tools.errors import Cancelled, ToolError
from tools.syntax import symbols
from tools.testing.reports import TestRun
from tools.tests import RunTests, RunTestsArguments
from tools.text import SourceText
from tools.workspace import Workspace

SHOWN = 3
"""Definitions that are named to the user."""
TRIAL_SECONDS = 10.0
"""What one run of the test may take: a small change often makes a loop endless."""


class Definition(Arguments):
    path: str = Field(description="file")
    symbol: str = Field(description="name of a function, method or class in it")


class TryMendsArguments(Arguments):
    definitions: tuple[Definition, ...] = Field(description="where, the likeliest first")
    test: str = Field(description="a test that fails, as run_tests names it")
    error: str = Field("", description="the exception that it ends with")
    seconds: float = Field(60, gt=0, description="when to stop")
    enough: int = Field(4, gt=0, description="passing changes after which to stop")


@dataclass(frozen=True, slots=True)
class Mend:
    """A definition as it would be."""

    definition: Definition
    code: str


@dataclass(frozen=True, slots=True)
class Mends:
    """The changes with which the test passes, the likeliest first."""

    passing: tuple[Mend, ...]


class TryMends(Tool[TryMendsArguments]):
    name = "try_mends"
    description = "Try small changes of definitions, and say with which a failing test passes."
    Args = TryMendsArguments
    effect = Effect.RUN

    def __init__(self, workspace: Workspace, tests: RunTests) -> None:
        self._workspace = workspace
        self._tests = tests

    def action(self, args: TryMendsArguments) -> Action | None:
        return self._tests.action(RunTestsArguments(only=args.test))

    def run(self, args: TryMendsArguments, cancel: Cancel) -> ToolResult:
        began = time.monotonic()
        passing: list[Mend] = []
        tried = 0
        for mend in self._mends(args):
            left = began + args.seconds - time.monotonic()
            if left <= 0 or len(passing) == args.enough:
                break
            tried += 1
            until = Deadline(cancel, time.monotonic() + min(left, TRIAL_SECONDS))
            if self._passes(args.test, mend, until):
                passing.append(mend)
        seconds = time.monotonic() - began
        where = ", ".join(definition.symbol for definition in args.definitions[:SHOWN])
        where += " …" if len(args.definitions) > SHOWN else ""
        count = f"{len(passing)} pass" if len(passing) != 1 else "1 passes"
        changes = "small change" if tried == 1 else "small changes"
        display = f"{tried} {changes} of {where}: {count} ({seconds:.1f} s)"
        return ToolResult(output=display, display=display, details=Mends(tuple(passing)))

    def _mends(self, args: TryMendsArguments) -> Iterator[Mend]:
        """The likely changes of all definitions, then the others."""
        # 15 ms; only needed here
        from tools.editing.mends import mends

        codes = {place: self._code(place) for place in args.definitions}
        for likely in (True, False):
            for place, code in codes.items():
                for mended in mends(code, args.error, likely=likely):
                    yield Mend(place, mended)

    def _code(self, place: Definition) -> str:
        data = SourceText.of(self._workspace.peek(place.path)).text.encode()
        for symbol in symbols(place.path, data):
            if symbol.name == place.symbol:
                return data[symbol.start : symbol.end].decode()
        raise ToolError(f"There is no {place.symbol} in {place.path}.")

    def _passes(self, test: str, mend: Mend, until: Deadline) -> bool:
        place = mend.definition
        before = self._workspace.peek(place.path)
        source = SourceText.of(before)
        try:
            text = source.with_text(splice(place.path, source.text, place.symbol, mend.code).text)
        except ToolError:
            return False  # a change that does not stand in its file
        checkpoint = self._workspace.checkpoint()
        self._workspace.write(place.path, text, basis=before)
        try:
            run = self._tests.run(RunTestsArguments(only=test), until).details
        except Cancelled:
            if until.cancel.is_set():
                raise
            return False
        finally:
            self._workspace.restore(checkpoint)
        return isinstance(run, TestRun) and test in run.passed
