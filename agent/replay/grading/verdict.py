"""What a log says of a patch: which tests count as passed, and whether that resolves the instance.

Equal to swebench's grading case by case. Owns the marks in a log and the rule. Must not know how
the log came about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.replay.environments.base import Grade, Outcome
from agent.replay.grading.parsers import Status, parse
from agent.replay.instance import RepositoryTask

START = ">>>>> Start Test Output"
END = ">>>>> End Test Output"
EXIT_CODE = ">>>>> Test Exit Code"
APPLIED = ">>>>> Applied Patch"
UNAPPLIED = ">>>>> Patch Apply Failed"
TIMED_OUT = ">>>>> Tests Timed Out"
_BROKEN = (">>>>> Reset Failed", ">>>>> Tests Errored")

_CODE = re.compile(rf"{re.escape(EXIT_CODE)}:\s*(-?\d+)")
_RAN = re.compile(
    r"Executed [1-9]\d* of \d+"
    r"|TOTAL: [1-9]\d* (?:SUCCESS|FAILED)"
    r"|[1-9]\d* passing"
    r"|Tests:\s+[1-9]\d*"
    r"|Test Suites:\s+(?:\d+ \w+, )*[1-9]\d* total"
    r"|^# tests [1-9]\d*"
    r"|[1-9]\d* specs?, \d+ failures?"
    r"|': ok$",
    re.MULTILINE,
)
"""What runners that name failing tests alone print of a run that had none."""
_OF_THE_MACHINE = (
    ("browser launch failed", r"Failed to launch|Failed to connect to the bus"),
    ("display unavailable", r"cannot open display|Missing X server|unable to open X display"),
    ("out of memory", r"Cannot allocate memory|OutOfMemoryError|^Killed$"),
    ("container unavailable", r"Error response from daemon|Cannot connect to the Docker daemon"),
    ("network unreachable", r"Could not resolve host|Temporary failure in name resolution"),
)
"""The official harness's reasons, with spaces for their underscores."""
_PASSED = (Status.PASSED, Status.XFAIL)


def judge(task: RepositoryTask, log: str, parser: str = "") -> Grade:
    """The verdict on the run that a log is of.

    Args:
        parser: The recipe's; empty: the task's.

    Raises:
        Unavailable: There is nothing to read the log with.
    """
    if UNAPPLIED in log:
        return Grade(Outcome.UNAPPLIED, log=log)
    if TIMED_OUT in log:
        return Grade(Outcome.TIMEOUT, log=log)
    if any(mark in log for mark in _BROKEN) or START not in log or END not in log:
        return _invalid(log)
    parser = parser or task.log_parser
    statuses: Mapping[str, str] = parse(parser, log.split(START)[1].split(END)[0])
    # Some runners write past the marks.
    statuses = statuses or parse(parser, log)
    if not statuses and not _RAN.search(log):
        return _invalid(log)
    code = _CODE.search(log)
    bad = (Status.FAILED, Status.ERROR)
    # A patch can print lines that look like passed tests, but not the runner's exit code.
    if code and int(code[1]) and statuses and not any(s in bad for s in statuses.values()):
        return _invalid(log)
    counts = (_not_failed, _not_failed) if task.fail_only else (_passed, _maintained)
    to_pass = {name: counts[0](name, statuses) for name in task.fail_to_pass}
    to_stay = {name: counts[1](name, statuses) for name in task.pass_to_pass}
    resolved = all(to_pass.values()) and all(to_stay.values())
    return Grade(Outcome.RESOLVED if resolved else Outcome.UNRESOLVED, to_pass, to_stay, log)


def _invalid(log: str) -> Grade:
    found = (what for what, sign in _OF_THE_MACHINE if re.search(sign, log, re.MULTILINE))
    return Grade(Outcome.INVALID, log=log, infrastructure=next(found, ""))


def _found(name: str, statuses: Mapping[str, str]) -> str | None:
    """The status of a test; of all that a name begins whose parameters were cut, if they agree."""
    if name in statuses:
        return statuses[name]
    if name.count("[") > name.count("]"):
        begun = [status for other, status in statuses.items() if other.startswith(name)]
        if begun and len({status in _PASSED for status in begun}) == 1:
            return begun[0]
    return None


def _passed(name: str, statuses: Mapping[str, str]) -> bool:
    return _found(name, statuses) in _PASSED


def _maintained(name: str, statuses: Mapping[str, str]) -> bool:
    """A test that passed before and is skipped now was not broken."""
    return _found(name, statuses) in (*_PASSED, Status.SKIPPED)


def _not_failed(name: str, statuses: Mapping[str, str]) -> bool:
    return statuses.get(name) != Status.FAILED


_UNITTEST = re.compile(r"^(test\w*) \(([\w.]+)\.\1\)", re.MULTILINE)


def normalised(output: str, how: str) -> str:
    """What tests printed, with their names as the rows have them.

    Args:
        how: Begins with `py311-unittest-id` for `test_x (a.b.C.test_x)`, which unittest prints
            from Python 3.11, where rows from older Pythons say `test_x (a.b.C)`.
    """
    return _UNITTEST.sub(r"\1 (\2)", output) if how.startswith("py311-unittest-id") else output
