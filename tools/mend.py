"""The tool that tries small changes of definitions against one test, none of them in the tree.

Owns the trial. Must not know which change is kept.
"""

from __future__ import annotations

import os.path
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydantic import Field

from tools.action import Action
from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.editing.splice import splice
from tools.errors import ToolError
from tools.syntax import symbols
from tools.tests import RunTests, RunTestsArguments
from tools.text import SourceText
from tools.workspace import Workspace

SHOWN = 3
"""Definitions that are named to the user."""


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
        # 20 ms; only needed here
        from tools.testing.runners import Trial

        began = time.monotonic()
        mends: list[Mend] = []
        trials: list[Trial] = []
        for mend, old, new in self._mends(args):
            start = len(os.path.commonprefix((old, new)))
            same = len(os.path.commonprefix((old[start:][::-1], new[start:][::-1])))
            place = self._workspace.resolve(mend.definition.path)
            mends.append(mend)
            trials.append(Trial(place, start, len(old) - same, new[start : len(new) - same]))
        left = began + args.seconds - time.monotonic()
        outcomes = self._tests.trials(args.test, trials, max(left, 1), args.enough, cancel)
        passing = tuple(mend for mend, passed in zip(mends, outcomes, strict=False) if passed)
        seconds = time.monotonic() - began
        where = ", ".join(definition.symbol for definition in args.definitions[:SHOWN])
        where += " …" if len(args.definitions) > SHOWN else ""
        count = f"{len(passing)} pass" if len(passing) != 1 else "1 passes"
        changes = "small change" if len(outcomes) == 1 else "small changes"
        display = f"{len(outcomes)} {changes} of {where}: {count} ({seconds:.1f} s)"
        return ToolResult(output=display, display=display, details=Mends(passing))

    def _mends(self, args: TryMendsArguments) -> Iterator[tuple[Mend, bytes, bytes]]:
        """Each change, with its file as it is and as it would be; the likely ones first."""
        # 15 ms; only needed here
        from tools.editing.mends import mends

        files = {place.path: self._workspace.peek(place.path) for place in args.definitions}
        codes = {place: self._code(place, files[place.path]) for place in args.definitions}
        for likely in (True, False):
            for place, code in codes.items():
                data = files[place.path]
                source = SourceText.of(data)
                for mended in mends(code, args.error, likely=likely):
                    with suppress(ToolError):  # a change that does not stand in its file
                        text = splice(place.path, source.text, place.symbol, mended).text
                        yield Mend(place, mended), data, source.with_text(text)

    def _code(self, place: Definition, file: bytes) -> str:
        data = SourceText.of(file).text.encode()
        for symbol in symbols(place.path, data):
            if symbol.name == place.symbol:
                return data[symbol.start : symbol.end].decode()
        raise ToolError(f"There is no {place.symbol} in {place.path}.")
