"""Verdicts, compared with the official ones case by case."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.replay.environments.base import Outcome
from agent.replay.grading.verdict import judge, normalised
from agent.replay.instance import RepositoryTask
from tests.agent.replay.grading import official

TASK = RepositoryTask(
    *("a/b", "0", "", ""),
    fail_to_pass=("t.py::fixed",),
    pass_to_pass=("t.py::kept", "t.py::cut[a"),
    log_parser="parse_log_pytest",
)


def log(*lines: str, code: int | None = 0, before: str = "", after: str = "") -> str:
    ending = "" if code is None else f">>>>> Test Exit Code: {code}\n"
    start, end = "+ : '>>>>> Start Test Output'", "+ : '>>>>> End Test Output'"
    return "\n".join((before, start, *lines, end, ending, after))


FIXED, KEPT, CUT = "PASSED t.py::fixed", "PASSED t.py::kept", "PASSED t.py::cut[a-b]"
CASES = {
    "resolved": (log(FIXED, KEPT, CUT), Outcome.RESOLVED),
    "without an exit code": (log(FIXED, KEPT, CUT, code=None), Outcome.RESOLVED),
    "fixed and xfail": (log("XFAIL t.py::fixed", KEPT, CUT), Outcome.RESOLVED),
    "fixed and skipped": (log("SKIPPED t.py::fixed", KEPT, CUT), Outcome.UNRESOLVED),
    "not fixed": (log("FAILED t.py::fixed - no", KEPT, CUT, code=1), Outcome.UNRESOLVED),
    "not run": (log(KEPT, CUT), Outcome.UNRESOLVED),
    "kept and skipped": (log(FIXED, "SKIPPED t.py::kept", CUT), Outcome.RESOLVED),
    "kept and xfail": (log(FIXED, "XFAIL t.py::kept", CUT), Outcome.RESOLVED),
    "broken": (log(FIXED, "FAILED t.py::kept", CUT, code=1), Outcome.UNRESOLVED),
    "broken by an error": (log(FIXED, "ERROR t.py::kept", CUT, code=1), Outcome.UNRESOLVED),
    "gone": (log(FIXED, CUT), Outcome.UNRESOLVED),
    "cut, and all agree": (log(FIXED, KEPT, CUT, "XFAIL t.py::cut[a-c]"), Outcome.RESOLVED),
    "cut, and they differ": (log(FIXED, KEPT, CUT, "FAILED t.py::cut[a-c]"), Outcome.UNRESOLVED),
    "cut, and skipped": (log(FIXED, KEPT, "SKIPPED t.py::cut[a-b]"), Outcome.RESOLVED),
    "said twice": (log("FAILED t.py::fixed", FIXED, KEPT, CUT, code=1), Outcome.INVALID),
    "said outside": (log(after="\n".join((FIXED, KEPT, CUT))), Outcome.RESOLVED),
    "said outside too": (log(KEPT, after=f"{FIXED}\n{CUT}"), Outcome.UNRESOLVED),
    "non-zero, and nothing failed": (log(FIXED, KEPT, CUT, code=1), Outcome.INVALID),
    "non-zero, and another failed": (
        log(FIXED, KEPT, CUT, "FAILED t.py::other", code=1), Outcome.RESOLVED),
    "killed": (log(FIXED, KEPT, CUT, code=-9), Outcome.INVALID),
    "nothing ran": (log("ImportError: no"), Outcome.INVALID),
    "nothing ran, and failed": (log("Traceback", code=2), Outcome.INVALID),
    "no marks": (f"{FIXED}\n{KEPT}\n{CUT}", Outcome.INVALID),
    "no end": (log(FIXED, KEPT, CUT).split("+ : '>>>>> End")[0], Outcome.INVALID),
    "empty": ("", Outcome.INVALID),
    "does not apply": (">>>>> Patch Apply Failed:\nno\n", Outcome.UNAPPLIED),
    "timed out": (log(FIXED, KEPT, CUT, after=">>>>> Tests Timed Out"), Outcome.TIMEOUT),
    "reset failed": (log(FIXED, KEPT, CUT, after=">>>>> Reset Failed"), Outcome.INVALID),
    "out of memory": (log("MemoryError: Cannot allocate memory"), Outcome.INVALID),
    "no network": (log("Could not resolve host: x"), Outcome.INVALID),
    "an ambiguous sign": (log("collected 0 items"), Outcome.INVALID),
    "marks twice": (log(FIXED, KEPT, CUT) + log("FAILED t.py::kept"), Outcome.RESOLVED),
    "a runner's count": (log("Executed 3 of 3 SUCCESS"), Outcome.UNRESOLVED),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_outcome(name: str) -> None:
    text, outcome = CASES[name]
    assert judge(TASK, text).outcome is outcome


@official.needed
def test_verdicts_equal_the_official_ones(tmp_path: Path) -> None:
    tasks = (TASK, replace(TASK, fail_only=True), replace(TASK, fail_to_pass=()))
    cases = [(task, text) for task in tasks for text, _ in CASES.values()]
    for (task, text), report in zip(cases, official.reports(cases, tmp_path), strict=True):
        grade = judge(task, text)
        told = (
            grade.outcome is Outcome.RESOLVED,
            grade.outcome in (Outcome.RESOLVED, Outcome.UNRESOLVED),
            bool(grade.infrastructure),
        )
        applied = report["patch_successfully_applied"]
        assert told == (report["resolved"], applied, report["infra_failure"]), text
        if report["infra_failure"]:
            assert grade.infrastructure.replace(" ", "_") == report["infra_failure_reason"]
        if "tests_status" in report:
            status = report["tests_status"]
            for ours, key in (
                (grade.fail_to_pass, "FAIL_TO_PASS"),
                (grade.pass_to_pass, "PASS_TO_PASS"),
            ):
                good = [test for test, passed in ours.items() if passed]
                bad = [test for test, passed in ours.items() if not passed]
                assert (good, bad) == (status[key]["success"], status[key]["failure"]), text


def test_names_of_a_newer_unittest_become_those_of_the_rows() -> None:
    output = "test_a (m.T.test_a) ... ok\ntest_b (m.T) ... ok\nFAIL: test_a (m.T.test_a)\n"
    wanted = "test_a (m.T) ... ok\ntest_b (m.T) ... ok\nFAIL: test_a (m.T.test_a)\n"
    assert normalised(output, 'py311-unittest-id: "a" -> "b"') == wanted
    assert normalised(output, "") == output
