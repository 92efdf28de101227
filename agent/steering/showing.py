"""Whether a test that a model wrote shows an issue, and what of the test does.

A weak model's test is wrong as often as right: it fails for how it is written, expects what is
wrong now, or makes up a value. Must not know how tests are written or run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from agent.steering.stated import exceptions, holds
from tools.python_syntax import parsed, source_lines
from tools.testing.reports import Outcome, TestCase, TestRun

_UNWRITTEN = ("NameError", "ImportError", "ModuleNotFoundError", "fixture", "SyntaxError")
_MISCALLED = ("required positional argument", "unexpected keyword argument", "positional arg")
_RAISED = re.compile(r"^E\s+(?:[\w.]*\.)?([A-Z]\w*)(?::|$)", re.MULTILINE)
_ASSERTED = ("", "AssertionError", "Failed")
"""What a test ends with that says what is wrong itself."""
_OUTSIDE = ("FileNotFoundError", "SystemExit")
"""What a test that was not given its files or arguments ends with."""
_REFUSED = re.compile(
    r"\b(?:rais|refus|reject|forbid|complain|invalid|not allowed|exception)", re.IGNORECASE
)
_EXPECTED = re.compile(r"\b(?:raises|assertRaises\w*)\(\s*(?:[\w.]*\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class Shows:
    """What of a test shows an issue."""

    source: str
    """Its file without what follows the statement at which it fails: what a weak model asserts
    first is what the issue says; what comes after, it makes up."""
    sure: bool
    """Whether the issue itself says what is asked for."""


def shows(issue: str, source: str, before: TestRun, after: TestRun, path: str) -> Shows | None:
    """What of a new test shows the issue; None if it fails for how it is written, or not at all.

    Args:
        source: The test's file.
        before: The tests without it.
        after: The tests with it.
        path: Where it is.
    """
    new = [case for case in after.failures if case.id.startswith(path)]
    tree = parsed(source)
    if not new or tree is None or before.passed - after.passed:
        return None
    case = new[0]
    raised = next(reversed(_RAISED.findall(case.message)), "")
    expected = set(_EXPECTED.findall(source))
    if (
        any(each.outcome is not Outcome.FAILED for each in new)
        or _mistaken(issue, raised, case, path)
        or (expected and not _told(issue, expected))
    ):
        return None
    crashes = raised not in _ASSERTED
    statement, function = _failing(tree, case, path)
    if statement is None or function is None:
        return None
    text = _without(source, statement, function)
    if _EXPECTED.search(text):
        # Where the exception came, what the test asks of it is asked of what is wrong now.
        return Shows(text, sure=holds(issue, text)) if raised == "Failed" else None
    if crashes and raised in issue:
        text = text if holds(issue, text) else _without(source, statement, function, checked=False)
        return Shows(text, sure=True)
    return Shows(text, sure=holds(issue, text))


def _told(issue: str, expected: set[str]) -> bool:
    """Whether an issue asks for one of these exceptions, or for one that it does not name."""
    named = exceptions(issue)
    return bool(named & expected) or (not named and _REFUSED.search(issue) is not None)


def _mistaken(issue: str, raised: str, case: TestCase, path: str) -> bool:
    """Whether a test ends with an exception that is its own fault, or none that the issue is of."""
    own = [place for place, _ in case.frames[-1:]] == [path]
    if any(word in case.message for word in (*_UNWRITTEN, *(_MISCALLED if own else ()))):
        return True
    if raised in _ASSERTED or raised in issue:
        return False
    absent = "'NoneType'" in case.message  # something is missing in what was returned
    return bool(exceptions(issue)) or raised in _OUTSIDE or (own and not absent)


def _failing(
    tree: ast.Module, case: TestCase, path: str
) -> tuple[ast.stmt | None, ast.FunctionDef | None]:
    """The statement at which a test fails, and its function."""
    line = max((at for place, at in case.frames if place == path), default=0)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                if statement.lineno <= line <= (statement.end_lineno or 0):
                    return statement, function
    return None, None


def _without(
    source: str, statement: ast.stmt, function: ast.FunctionDef, *, checked: bool = True
) -> str:
    """A file without what follows a statement in a function.

    Args:
        checked: Whether an assertion stays one. Else what it asks of is done, and is wrong if that
            fails.
    """
    lines = source_lines(source)
    rest = lines[function.end_lineno :]
    alone = not lines[statement.lineno - 1][: statement.col_offset].strip()
    if checked or not alone or not isinstance(statement, ast.Assert):
        return "".join(lines[: statement.end_lineno] + rest)
    asked = statement.test.left if isinstance(statement.test, ast.Compare) else statement.test
    done = f"{' ' * statement.col_offset}{ast.unparse(asked)}\n"
    return "".join([*lines[: statement.lineno - 1], done, *rest])
