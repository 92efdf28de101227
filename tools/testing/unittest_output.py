"""The verbose output of unittest, read as cases.

Knows the format alone: status lines as tests end, then a block for each failure. Must not know how
the tests are run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tools.testing.reports import Outcome, TestCase
from tools.testing.tracebacks import Place, Places, positions
from tools.text_filter import printable

_BEGIN = re.compile(r"^(?P<test>\S+) \((?P<inside>[\w.<>]+)\)(?P<sub> [\[(].*?)?(?= \.\.\. |$)")
_STATUS = re.compile(
    r"(?P<status>ok|FAIL|ERROR|skipped '.*'|skipped \".*\"|expected failure|unexpected success)$"
)
_BLOCK = re.compile(r"^={70}\n(?P<kind>FAIL|ERROR): (?P<title>.*)\n", re.M)
_RULE = "-" * 70
_OUTCOMES = {
    "ok": Outcome.PASSED,
    "FAIL": Outcome.FAILED,
    "ERROR": Outcome.ERROR,
    "skipped": Outcome.SKIPPED,
    "expected failure": Outcome.XFAIL,
    "unexpected success": Outcome.XPASS,
}


def read_unittest(
    output: str, root: Path, start: str, places: Places
) -> tuple[tuple[TestCase, ...], str | None]:
    """The cases, and the test that had begun and did not end.

    Args:
        start: The folder, relative to the root, that module names begin at; empty for the root.
    """
    first = _BLOCK.search(output)
    statuses, unfinished = _statuses(output[: first.start()] if first else output)
    cases = {
        name: TestCase(_node(name, root, start), outcome) for name, outcome in statuses.items()
    }
    matches = list(_BLOCK.finditer(output))
    ends = [match.start() for match in matches[1:]] + [len(output)]
    for match, end in zip(matches, ends[: len(matches)], strict=True):
        block = output[match.end() : end]
        name, failed_import = _name(match["title"])
        begun = _BEGIN.match(match["title"])
        # An error in the test's body is a failing test; in a class's or module's setup it is not.
        own_body = begun is not None and begun["test"].startswith("test")
        outcome = Outcome.FAILED if own_body and not failed_import else Outcome.ERROR
        found, error = _traceback(block, places)
        message = places.explain(found, error)
        node = _node(name, root, start)
        if failed_import:
            message = f"cannot be imported\n{message}"
        if name not in cases or not cases[name].message:  # of several sub-tests, the first
            cases[name] = TestCase(node, outcome, message, positions(found))
    last = _node(unfinished, root, start) if unfinished else None
    return tuple(cases.values()), last


def _statuses(text: str) -> tuple[dict[str, Outcome], str | None]:
    found: dict[str, Outcome] = {}
    current: str | None = None
    for line in text.splitlines():
        if begun := _BEGIN.match(line):
            name, _ = _name(line)
            if begun["sub"]:
                continue
            current = name
        status = _STATUS.search(line)
        # What a test prints comes between its name and its status.
        if current is None or status is None:
            continue
        before = line[: status.start()]
        if before == "" or before.endswith("... ") or begun:
            found[current] = _OUTCOMES[re.split(" ['\"]", status["status"])[0]]
            current = None
    return found, current


def _name(title: str) -> tuple[str, bool]:
    """A dotted name of a test and whether it stands for a module that cannot be imported."""
    match = _BEGIN.match(title)
    if match is None:
        return printable(title.split(" ")[0]), False
    test, inside = match["test"], match["inside"]
    if "_FailedTest" in inside:
        return test, True
    # From Python 3.11 on the brackets hold the test's name too.
    return (inside if inside.endswith(f".{test}") else f"{inside}.{test}"), False


def _node(name: str, root: Path, start: str) -> str:
    """`tests.test_a.TestA.test_b` as `tests/test_a.py::TestA::test_b`, if the file is there."""
    parts = name.split(".")
    for folder in dict.fromkeys((start, "")):
        for count in range(len(parts), 0, -1):
            path = Path(folder, *parts[:count]).with_suffix(".py")
            if (root / path).is_file():
                return "::".join((path.as_posix(), *parts[count:]))
    return name


def _traceback(block: str, places: Places) -> tuple[Sequence[Place], str]:
    """The frames in the workspace of the last exception, and the lines of the error itself."""
    body = block.split(_RULE + "\n", 1)[-1].split("\n" + _RULE)[0]
    last = body.rsplit("Traceback (most recent call last):", 1)[-1]
    lines = last.strip("\n").splitlines()
    frame = max((i for i, line in enumerate(lines) if re.match(r'  +File "', line)), default=-1)
    error = [
        line for line in lines[frame + 1 :] if line.strip() and not line.startswith("    ")
    ] or [line for line in lines if line.strip()][-3:]
    return places.in_text(last), printable("\n".join(f"E   {line}" for line in error[:14]))
