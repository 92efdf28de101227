"""What a run of the tests came to, whole or in few lines for a small model.

Owns the values alone. Must not know how tests are run or how their output is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from tools.testing.commands import Runner
from tools.text_filter import clip, clip_line

_LINE = 180
"""Characters of one line where room is short."""
_ID = 200
"""Characters of a test's name."""
_SHOWN = 3
"""Failing tests that a model is shown."""
NONE_COLLECTED = 5
"""Exit code of pytest, and of unittest from Python 3.12 on, when there was no test."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """It could not be run: its file cannot be imported, a fixture raised, the process died."""
    SKIPPED = "skipped"
    XFAIL = "xfailed"
    """It failed as its author expects."""
    XPASS = "xpassed"
    """It passed although its author expects a failure."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test and what became of it."""

    id: str
    """`tests/test_a.py::TestA::test_b`; the file's path alone if it cannot be imported."""
    outcome: Outcome
    message: str = ""
    """Why it failed, in a few lines: the places in the workspace with their source, the error."""
    frames: tuple[tuple[str, int], ...] = ()
    """Path in the workspace and line of the traceback's frames, innermost last."""
    calls: tuple[tuple[str, int], ...] = ()
    """Path in the workspace and first line of the functions it called, where that is known."""

    __test__ = False

    @property
    def failing(self) -> bool:
        return self.outcome in (Outcome.FAILED, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Gist:
    """What is recorded of a run."""

    ok: bool
    failure: str = ""
    """The first failing test: `failed tests/test_a.py::test_b`."""
    error: str = ""
    """Its error, one line."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """The tests were run once."""

    command: tuple[str, ...]
    runner: Runner
    cases: tuple[TestCase, ...]
    code: int | None
    """Exit code; None: killed at the timeout, or it could not be started."""
    output: str
    seconds: float
    timed_out: bool = False

    __test__ = False

    @property
    def passed(self) -> frozenset[str]:
        good = (Outcome.PASSED, Outcome.XPASS)
        return frozenset(case.id for case in self.cases if case.outcome in good)

    @property
    def failed(self) -> frozenset[str]:
        return frozenset(case.id for case in self.failures)

    @property
    def failures(self) -> tuple[TestCase, ...]:
        return tuple(case for case in self.cases if case.failing)

    @property
    def ok(self) -> bool:
        """Nothing failed; true too of a run that found no test."""
        ended = self.code == 0 or (self.code == NONE_COLLECTED and not self.cases)
        return ended and not self.failed and not self.timed_out

    @property
    def unusable(self) -> str:
        """Why the tests could not be run at all; empty if any was reached."""
        only = self.cases[0] if len(self.cases) == 1 and not self.timed_out else None
        if only is None or only.outcome is not Outcome.ERROR or "::" in only.id:
            return ""
        if only.id.endswith(".py") and " " not in only.id:  # a file of tests, not the command
            return ""
        return " ".join(only.message.split())

    def summary(self) -> str:
        """One line: `3 passed, 1 failed in 0.4 s`."""
        counts = Counter(case.outcome for case in self.cases)
        parts = [f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]]
        line = f"{', '.join(parts) or 'no tests'} in {self.seconds:.1f} s"
        if self.timed_out:
            return f"{line}; stopped at the timeout"
        return line if self.ok or self.failed else f"{line}; exit code {self.code}"

    def brief(self, limit: int = 1500) -> str:
        """The first failing tests for a small model: which, where, and why; empty if all pass.

        Args:
            limit: The most characters.
        """
        shown = self._ranked[:_SHOWN]
        if not shown:
            return ""
        more = len(self.failures) - len(shown)
        last = f"\n\nand {more} more failing" if more else ""
        blocks: list[str] = []
        room = limit - len(last)
        for index, case in enumerate(shown):
            gap = "\n\n" if blocks else ""
            # What one test leaves of its share goes to those after it.
            share = max(0, room // (len(shown) - index) - len(gap))
            text = f"{case.outcome.upper()} {clip_line(case.id, _ID)}\n{case.message}"
            block = gap + _fit(text, share)
            blocks.append(block)
            room -= len(block)
        return ("".join(blocks) + last)[:limit]

    def gist(self) -> Gist:
        if not self.failures:
            return Gist(self.ok)
        case = self._ranked[0]
        lines = [line for line in case.message.split("\n") if line.strip()]
        error = next((line for line in lines if line.startswith("E ")), (lines or [""])[-1])
        return Gist(self.ok, f"{case.outcome} {clip_line(case.id, _ID)}", clip_line(error, _LINE))

    @property
    def _ranked(self) -> list[TestCase]:
        # A failure tells more of the code than a test that could not be run.
        return sorted(self.failures, key=lambda case: case.outcome is Outcome.ERROR)


def gist(details: object) -> Gist | None:
    """Of a tool result's details: of a run from this process or from a record; else None."""
    if isinstance(details, TestRun):
        return details.gist()
    return details if isinstance(details, Gist) else None


def _fit(text: str, limit: int) -> str:
    """A failure in less room: its name, the error and the innermost place before all else."""
    if len(text) <= limit:
        return text
    lines = [clip_line(line, _LINE) for line in text.splitlines()]
    errors = [number for number, line in enumerate(lines) if line.startswith("E ")]
    if not errors:
        return clip(text, limit, head=0.3)
    kept: set[int] = set()
    for number in (0, errors[0], errors[0] - 1, *range(len(lines))):
        trial = "\n".join(lines[i] for i in sorted(kept | {number}))
        if len(trial) <= limit:
            kept.add(number)
    return "\n".join(lines[i] for i in sorted(kept)) or text[:limit]
