"""The tool that tries small changes of one definition against one test, and takes all of them back.

Owns the trial. Must not know which change is kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import Field

from tools.action import Action
from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.editing.splice import splice
from tools.errors import Cancelled, ToolError
from tools.syntax import symbols
from tools.testing.reports import TestRun
from tools.tests import RunTests, RunTestsArguments
from tools.text import SourceText
from tools.workspace import Workspace

TRIAL_SECONDS = 10.0
"""What one run of the test may take: a small change often makes a loop endless."""


class TryMendsArguments(Arguments):
    path: str = Field(description="file")
    symbol: str = Field(description="name of a function, method or class in it")
    test: str = Field(description="a test that fails, as run_tests names it")
    error: str = Field("", description="the exception that it ends with")
    seconds: float = Field(60, gt=0, description="when to stop")


@dataclass(frozen=True, slots=True)
class Mends:
    """The definitions with which the test passes, the likeliest first."""

    codes: tuple[str, ...]
    seconds: float


class _Until:
    """Raised with another flag, or when the time is over."""

    def __init__(self, cancel: Cancel, seconds: float) -> None:
        self.cancel = cancel
        self._end = time.monotonic() + seconds

    def is_set(self) -> bool:
        return self.cancel.is_set() or time.monotonic() > self._end


class TryMends(Tool[TryMendsArguments]):
    name = "try_mends"
    description = "Try small changes of a definition, and say with which a failing test passes."
    Args = TryMendsArguments
    effect = Effect.RUN

    def __init__(self, workspace: Workspace, tests: RunTests) -> None:
        self._workspace = workspace
        self._tests = tests

    def action(self, args: TryMendsArguments) -> Action | None:
        return self._tests.action(RunTestsArguments(only=args.test))

    def run(self, args: TryMendsArguments, cancel: Cancel) -> ToolResult:
        # 15 ms; only needed here
        from tools.editing.mends import mends

        began = time.monotonic()
        data = self._workspace.peek(args.path)
        source = SourceText.of(data)
        code = _code(args.path, source.text, args.symbol)
        found, tried = [], 0
        for mended in mends(code, args.error):
            left = began + args.seconds - time.monotonic()
            if left <= 0:
                break
            try:
                text = source.with_text(splice(args.path, source.text, args.symbol, mended).text)
            except ToolError:
                continue  # a change that does not stand in its file
            tried += 1
            if self._passes(args, text, data, _Until(cancel, min(left, TRIAL_SECONDS))):
                found.append(mended)
        seconds = time.monotonic() - began
        count = f"{len(found)} pass" if len(found) != 1 else "1 passes"
        display = f"{tried} small changes of {args.symbol}: {count} ({seconds:.1f} s)"
        return ToolResult(output=display, display=display, details=Mends(tuple(found), seconds))

    def _passes(self, args: TryMendsArguments, text: bytes, before: bytes, until: _Until) -> bool:
        checkpoint = self._workspace.checkpoint()
        self._workspace.write(args.path, text, basis=before)
        try:
            run = self._tests.run(RunTestsArguments(only=args.test), until).details
        except Cancelled:
            if until.cancel.is_set():
                raise
            return False
        finally:
            self._workspace.restore(checkpoint)
        return isinstance(run, TestRun) and args.test in run.passed


def _code(path: str, text: str, name: str) -> str:
    data = text.encode()
    for symbol in symbols(path, data):
        if symbol.name == name:
            return data[symbol.start : symbol.end].decode()
    raise ToolError(f"There is no {name} in {path}.")
