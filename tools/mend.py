"""The tool that tries small changes of definitions against one test, none of them in the tree.

Owns the trial. Must not know which change is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from tools.action import Action
from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.editing.splice import splice
from tools.errors import Cancelled, ToolError
from tools.syntax import symbols
from tools.tests import RunTests, RunTestsArguments
from tools.text import SourceText, changed_span
from tools.workspace import Workspace

if TYPE_CHECKING:
    from tools.testing.runners import Trial

SHOWN = 3
"""Definitions that are named to the user."""
ALL = 0.3
"""Part of the time that is kept for all tests, with the changes with which the one passes."""
MAKING, MOST = 0.2, 2_000
"""Part of the time after which no further changes are made, and how many at most."""
TOGETHER = 8
"""Definitions of which all other changes are tried before those of the next."""


class Definition(Arguments):
    path: str = Field(description="file")
    symbol: str = Field(description="name of a function, method or class in it")
    code: str = Field(default="", description="what it might be; empty: try small changes")


class TryMendsArguments(Arguments):
    definitions: tuple[Definition, ...] = Field(description="where, the likeliest first")
    test: str = Field(description="a test that fails, as run_tests names it")
    error: str = Field("", description="the exception that it ends with")
    rare: bool = Field(True, description="whether to try changes that are seldom right")
    seconds: float = Field(60, gt=0, description="when to stop")


@dataclass(frozen=True, slots=True)
class Mend:
    """A definition as it would be."""

    definition: Definition
    code: str
    trial: Trial
    """It in its file."""


@dataclass(frozen=True, slots=True)
class Mends:
    """With them the test passes and fewer fail: the fewest first, of these the likeliest."""

    passing: tuple[Mend, ...]
    best: int = 0
    """How many of them, from the first on, leave equally few tests failing."""


class TryMends(Tool[TryMendsArguments]):
    name = "try_mends"
    description = "Try small changes of definitions, and say with which a failing test passes."
    Args = TryMendsArguments
    effect = Effect.RUN

    def __init__(self, workspace: Workspace, tests: RunTests) -> None:
        self._workspace = workspace
        self._tests = tests

    def action(self, args: TryMendsArguments) -> Action | None:
        return self._tests.action(RunTestsArguments(only=None))

    def run(self, args: TryMendsArguments, cancel: Cancel) -> ToolResult:
        end = time.monotonic() + args.seconds
        mends = []
        until = end - (1 - MAKING) * args.seconds
        for mend in self._mends(args, until, cancel):
            if cancel.is_set():
                raise Cancelled
            mends.append(mend)
            if len(mends) == MOST or time.monotonic() > until:
                break
        fails, *rest = self._tried(mends, args.test, end - ALL * args.seconds, cancel)
        # A test that does not come to an end fails, too.
        mended = [m for m, failed in zip(mends, rest, strict=False) if fails != 0 and failed == 0]
        found = self._sound(mended, end, cancel)
        passing = found.passing
        seconds = args.seconds - (end - time.monotonic())
        names = [*dict.fromkeys(definition.symbol for definition in args.definitions)]
        where = ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
        count = f"{len(passing)} pass" if len(passing) != 1 else "1 passes"
        changes = "small change" if len(rest) == 1 else "small changes"
        display = f"{len(rest)} {changes} of {where}: {count} ({seconds:.1f} s)"
        return ToolResult(output=display, display=display, details=found)

    def _tried(
        self, mends: Sequence[Mend], only: str | None, end: float, cancel: Cancel
    ) -> tuple[int | None, ...]:
        seconds = max(end - time.monotonic(), 1)
        return self._tests.trials((mend.trial for mend in mends), seconds, cancel, only) or (None,)

    def _sound(self, mends: Sequence[Mend], end: float, cancel: Cancel) -> Mends:
        """Those with which fewer tests fail, the fewest first; then those there was no time for."""
        if not mends:
            return Mends(())
        now, *rest = self._tried(mends, None, end, cancel)
        if now is None:
            return Mends(tuple(mends), len(mends))
        sound = [
            (failed, mend)
            for mend, failed in zip(mends, rest, strict=False)
            if failed is not None and failed < now
        ]
        best = sorted(sound, key=lambda pair: pair[0])
        fewest = sum(failed == best[0][0] for failed, _ in best)
        return Mends((*(mend for _, mend in best), *mends[len(rest) :]), fewest)

    def _mends(self, args: TryMendsArguments, until: float, cancel: Cancel) -> Iterator[Mend]:
        """Those that are given, else small ones."""
        files = {place.path: self._workspace.peek(place.path) for place in args.definitions}
        every = [_Found.of(place, files[place.path]) for place in args.definitions]
        given = [(found, found.place.code) for found in every if found.place.code]
        for found, code in given or self._small(args, every, until, cancel):
            with suppress(ToolError):  # a change that does not stand in its file
                yield Mend(found.place, code, self._trial(found, code))

    def _small(
        self, args: TryMendsArguments, every: Sequence[_Found], until: float, cancel: Cancel
    ) -> Iterator[tuple[_Found, str]]:
        """The likely ones of all definitions, then the others of some after some."""
        # 15 ms; only needed here
        from tools.editing.mends import mends
        from tools.editing.mends.neighbours import neighbours
        from tools.editing.mends.source import Rank

        ranks = [Rank.USUAL, Rank.RARE, Rank.LAST] if args.rare else [Rank.USUAL]
        files = {found.place.path: found.file for found in every}
        known = {path: neighbours(SourceText.of(file).text) for path, file in files.items()}
        blocks = [every[at : at + TOGETHER] for at in range(0, len(every), TOGETHER)]
        others = ((rank, block) for block in blocks for rank in ranks)
        for rank, some in ((Rank.LIKELY, every), *others):
            for found in some:
                if cancel.is_set() or time.monotonic() > until:
                    return  # a definition may be long
                for code in mends(found.code, args.error, [rank], known[found.place.path]):
                    yield found, code

    def _trial(self, found: _Found, mended: str) -> Trial:
        from tools.testing.runners import Trial  # 20 ms; only needed here

        old, new = found.file, found.with_code(mended)
        start, end, stop = changed_span(old, new)
        return Trial(self._workspace.resolve(found.place.path), start, end, new[start:stop])


@dataclass(frozen=True, slots=True)
class _Found:
    """A definition in its file."""

    place: Definition
    file: bytes
    before: str
    code: str
    after: str

    @classmethod
    def of(cls, place: Definition, file: bytes) -> _Found:
        data = SourceText.of(file).text.encode()
        for symbol in symbols(place.path, data):
            if symbol.name == place.symbol:
                parts = data[: symbol.start], data[symbol.start : symbol.end], data[symbol.end :]
                return cls(place, file, *(part.decode() for part in parts))
        raise ToolError(f"There is no {place.symbol} in {place.path}.")

    def with_code(self, code: str) -> bytes:
        """The file with the definition so; an import that stands before it goes to the others."""
        if code.startswith(("import ", "from ")):
            text = f"{self.before}{self.code}{self.after}"
            text = splice(self.place.path, text, self.place.symbol, code).text
        else:  # hundreds of times, and the file may be long
            text = f"{self.before}{code}{self.after}"
        return SourceText.of(self.file).with_text(text)
