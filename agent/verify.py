"""The project's tests as the judge of "done".

Owns the meaning of fixed and broken. Must not know how tests are found or run, nor who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.events import Status
from agent.steering.moves import Verdict

if TYPE_CHECKING:
    from tools.testing.reports import TestRun


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of the same tests, before and after a change."""

    fixed: frozenset[str]
    """Tests that failed, or could not even be run, and pass now."""
    broken: frozenset[str]
    """Tests that passed and fail now, or are gone."""
    failing: frozenset[str]
    """Tests that fail now."""

    @property
    def better(self) -> bool:
        return bool(self.fixed) and not self.broken

    @property
    def done(self) -> bool:
        return self.better and not self.failing


def compare(before: TestRun, after: TestRun) -> Comparison:
    """What a change did. Every test that passes now and did not before counts as fixed, but
    only if `before` had failures: a test that never failed proves nothing."""
    fixed = after.passed - before.passed if not before.ok else frozenset[str]()
    return Comparison(fixed, before.passed - after.passed, after.failed)


@dataclass(slots=True)
class Judge:
    """Sees every run of the tests in a turn and says what they prove at its end."""

    baseline: TestRun | None = None
    """The first run, before any edit."""
    _failures: set[str] = field(default_factory=set)
    """Tests seen to fail although the baseline did not pass them."""
    _last: TestRun | None = None

    @property
    def baseline_ok(self) -> bool:
        """Whether nothing failed before the first edit."""
        return self.baseline is not None and self.baseline.ok

    def see(self, run: TestRun) -> None:
        if self.baseline is None:
            self.baseline = run
        self._failures |= run.failed - self.baseline.passed
        self._last = run

    def verdict(self, changed: Iterable[str], rewritten_tests: Iterable[str] = ()) -> Verdict:
        """The verdict on the tree as the last run saw it.

        Args:
            changed: Paths the agent changed.
            rewritten_tests: Those of them that held tests before: what they say is no proof.
        """
        if not list(changed):
            return Verdict(Status.FAILED, "Nothing was changed.")
        if self.baseline is None or self._last is None:
            return Verdict(Status.UNVERIFIED, "There are no tests to verify the change with.")
        comparison = compare(self.baseline, self._last)
        if comparison.broken:
            return Verdict(Status.FAILED, f"{_tests(comparison.broken)} passed before and no more.")
        if not self._last.ok and not comparison.better:
            return Verdict(Status.FAILED, f"{_tests(comparison.failing)} still fail.")
        distrusted = tuple(rewritten_tests)
        proven = comparison.fixed | (self._last.passed & self._failures)
        proven = frozenset(name for name in proven if not name.startswith(distrusted or ("\0",)))
        if not proven:
            return Verdict(
                Status.UNVERIFIED,
                "No test failed before, so none proves the change; none that passed fails.",
            )
        left = f"; {_tests(comparison.failing)} still fail" if comparison.failing else ""
        return Verdict(
            Status.VERIFIED,
            f"{_tests(proven)} failed and pass now; none that passed fails{left}.",
        )


def _tests(names: Iterable[str]) -> str:
    count = len(list(names))
    return f"{count} test" if count == 1 else f"{count} tests"
