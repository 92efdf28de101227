"""The project's tests as the judge of "done".

Owns the meaning of fixed and broken. Must not know how tests are found or run, nor who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.events import Status
from agent.steering.moves import Verdict
from tools.testing.reports import NONE_COLLECTED, Outcome, TestRun


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
    """What a change did.

    Fixed is what failed before and passes now; also what could not be reached before, because its
    file could not be imported or the run did not get so far. A test that is new proves nothing.
    """
    known = {case.id for case in before.cases}
    unread = {_file(case.id) for case in before.failures if case.outcome is Outcome.ERROR}
    cut = before.timed_out or before.code not in (0, 1, NONE_COLLECTED)
    fixed = frozenset(
        name
        for name in after.passed - before.passed
        if name in before.failed
        or (not before.ok and name not in known and (cut or _file(name) in unread))
    )
    return Comparison(fixed, before.passed - after.passed, after.failed)


@dataclass(slots=True)
class Judge:
    """Sees every run of the tests in a turn and says what they prove at its end."""

    baseline: TestRun | None = None
    """The first run, before any edit."""
    _failures: set[str] = field(default_factory=set)
    """Tests seen to fail although the baseline did not pass them."""
    _last: TestRun | None = None

    def _rests_on(self, name: str, path: str) -> bool:
        """Whether a test's outcome may be the work of a file of tests or of their support."""
        if "::" not in name or _file(name) == path:  # one exit code may stand for all tests
            return True
        runs = [run for run in (self.baseline, self._last) if run is not None]
        holds_tests = any(_file(case.id) == path for run in runs for case in run.cases)
        return not holds_tests and name.startswith(path.rpartition("/")[0])

    def see(self, run: TestRun) -> None:
        if self.baseline is None:
            self.baseline = run
        self._failures |= run.failed - self.baseline.passed
        self._last = run

    def verdict(self, changed: Iterable[str], rewritten_tests: Iterable[str] = ()) -> Verdict:
        """The verdict on the tree as the last run saw it.

        Args:
            changed: Paths the agent changed.
            rewritten_tests: Tests and their support that are not what they were at the start,
                whoever changed them: what they say now is no proof.
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
        proven = comparison.fixed | (self._last.passed & self._failures)
        for path in rewritten_tests:
            proven = frozenset(name for name in proven if not self._rests_on(name, path))
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


def _file(name: str) -> str:
    """The file of a test's id."""
    return name.partition("::")[0]


def _tests(names: Iterable[str]) -> str:
    count = len(list(names))
    return f"{count} test" if count == 1 else f"{count} tests"
