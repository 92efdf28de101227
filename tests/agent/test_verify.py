"""What is fixed, what is broken, and what that proves."""

from __future__ import annotations

from agent.events import Status
from agent.verify import Judge, compare
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun


def run(**cases: bool) -> TestRun:
    found = tuple(
        TestCase(
            f"tests/test_a.py::{name}",
            Outcome.PASSED if good else Outcome.FAILED,
            "" if good else "assert 1 == 2",
            (),
        )
        for name, good in cases.items()
    )
    code = 0 if all(cases.values()) else 1
    return TestRun(("pytest",), Runner.PYTEST, found, code, "", 0.1)


def judged(
    *runs: TestRun, changed: tuple[str, ...] = ("a.py",), tests: tuple[str, ...] = ()
) -> str:
    judge = Judge()
    for item in runs:
        judge.see(item)
    return judge.verdict(changed, tests).status


def test_a_failing_test_that_passes_is_fixed() -> None:
    comparison = compare(run(one=False, two=True), run(one=True, two=True))
    assert comparison.fixed == {"tests/test_a.py::one"}
    assert comparison.better
    assert comparison.done


def test_fixing_one_and_breaking_another_is_no_better() -> None:
    comparison = compare(run(one=False, two=True), run(one=True, two=False))
    assert comparison.broken == {"tests/test_a.py::two"}
    assert not comparison.better


def test_a_test_that_is_gone_is_broken() -> None:
    assert compare(run(one=False, two=True), run(one=True)).broken == {"tests/test_a.py::two"}


def test_new_tests_prove_nothing_where_nothing_failed() -> None:
    assert not compare(run(one=True), run(one=True, two=True)).fixed


def test_verified_needs_a_test_that_failed() -> None:
    assert judged(run(one=False), run(one=True)) is Status.VERIFIED
    assert judged(run(one=True), run(one=True)) is Status.UNVERIFIED


def test_a_test_written_and_seen_to_fail_proves_the_change() -> None:
    before, written, after = run(one=True), run(one=True, new=False), run(one=True, new=True)
    assert judged(before, written, after) is Status.VERIFIED
    assert judged(before, after) is Status.UNVERIFIED


def test_breaking_a_test_for_a_while_proves_nothing() -> None:
    assert judged(run(one=True), run(one=False), run(one=True)) is Status.UNVERIFIED


def test_still_failing_and_broken_are_failed() -> None:
    assert judged(run(one=False), run(one=False)) is Status.FAILED
    assert judged(run(one=False, two=True), run(one=True, two=False)) is Status.FAILED


def test_rewritten_tests_are_no_proof() -> None:
    status = judged(
        run(one=False), run(one=True), changed=("tests/test_a.py",), tests=("tests/test_a.py",)
    )
    assert status is Status.UNVERIFIED


def test_nothing_changed_is_failed_and_no_tests_is_unverified() -> None:
    assert judged(run(one=False), run(one=True), changed=()) is Status.FAILED
    assert judged() is Status.UNVERIFIED


def test_what_still_fails_is_told() -> None:
    judge = Judge()
    judge.see(run(one=False, two=False))
    judge.see(run(one=True, two=False))
    verdict = judge.verdict(["a.py"])
    assert verdict.status is Status.VERIFIED
    assert "1 test still fail" in verdict.summary


def test_a_new_test_that_passes_fixes_nothing() -> None:
    before, after = run(one=False), run(one=False, new=True)
    assert not compare(before, after).fixed
    assert judged(before, after) is Status.FAILED


def test_what_could_not_be_imported_counts_once_it_passes() -> None:
    error = TestCase("tests/test_a.py", Outcome.ERROR, "cannot be imported", ())
    before = TestRun(("pytest",), Runner.PYTEST, (error,), 1, "", 0.1)
    assert compare(before, run(one=True)).fixed == {"tests/test_a.py::one"}


def test_rewritten_support_discredits_the_tests_beneath_it() -> None:
    status = judged(run(one=False), run(one=True), tests=("tests/conftest.py",))
    assert status is Status.UNVERIFIED
    assert judged(run(one=False), run(one=True), tests=("other/conftest.py",)) is Status.VERIFIED
