"""What of a test that a model wrote shows an issue."""

from __future__ import annotations

import pytest

from agent.steering.showing import Shows, shows
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun

BEFORE = TestRun(("pytest",), Runner.PYTEST, (), 0, "", 1.0)
HEAD = "def test_issue():\n"
EQUAL = "E   assert 1 == 2"
SILENT = "E   Failed: DID NOT RAISE <class 'ValueError'>"
REFUSED = "E   ValueError: not a number: '-'"


def shown(
    issue: str, body: str, message: str, line: int = 2, inner: str = "", **changed: Outcome
) -> Shows | None:
    frames = (("t.py", line), *((inner, 5),) * bool(inner))
    outcome = changed.get("outcome", Outcome.FAILED)
    case = TestCase("t.py::test_issue", outcome, message, frames)
    after = TestRun(("pytest",), Runner.PYTEST, (case,), 1, "", 1.0)
    return shows(issue, HEAD + body, BEFORE, after, "t.py")


@pytest.mark.parametrize(
    ("message", "inner", "kept"),
    [
        ("E   TypeError: Reading() missing 1 required positional argument: 'x'", "", False),
        ("E   TypeError: Reading() missing 1 required positional argument: 'x'", "box.py", True),
        ("E   NameError: name 'a' is not defined", "", False),
        ("E   FileNotFoundError: [Errno 2] No such file", "box.py", False),
        ("E   AttributeError: 'NoneType' object has no attribute 'x'", "", True),
        ("E   AttributeError: 'Box' object has no attribute 'x'", "", False),
        (EQUAL, "", True),
    ],
)
def test_a_test_that_is_wrong_itself_shows_nothing(message: str, inner: str, kept: bool) -> None:
    assert (shown("", "    f()\n", message, inner=inner) is not None) is kept


def test_one_that_passes_or_cannot_be_run_shows_nothing() -> None:
    assert shown("", "    f()\n", EQUAL, outcome=Outcome.PASSED) is None
    assert shown("", "    f()\n", EQUAL, outcome=Outcome.ERROR) is None
    broken = TestCase("a.py::test_b", Outcome.PASSED)
    before = TestRun(("pytest",), Runner.PYTEST, (broken,), 0, "", 1.0)
    case = TestCase("t.py::test_issue", Outcome.FAILED, EQUAL, (("t.py", 2),))
    after = TestRun(("pytest",), Runner.PYTEST, (case,), 1, "", 1.0)
    assert shows("", f"{HEAD}    f()\n", before, after, "t.py") is None


def test_what_follows_the_statement_that_fails_is_left_out() -> None:
    found = shown("It is 2.", "    assert f() == 2\n    assert g() == 3\n", EQUAL)
    assert found == Shows(f"{HEAD}    assert f() == 2\n", sure=True)


@pytest.mark.parametrize(
    ("issue", "expected", "message", "kept"),
    [
        ("A `ValueError` is wanted.", "Empty", "E   Failed: DID NOT RAISE", False),
        ("A `ValueError` is wanted.", "ValueError", SILENT, True),
        ("`f` raises KeyError, not ValueError", "ValueError", SILENT, True),
        ("it should be refused", "Empty", "E   Failed: DID NOT RAISE", True),
        ("it is cut off", "Empty", "E   Failed: DID NOT RAISE", False),
    ],
)
def test_an_exception_that_the_issue_does_not_name_is_not_expected(
    issue: str, expected: str, message: str, kept: bool
) -> None:
    body = f"    with pytest.raises({expected}):\n        f()\n"
    assert (shown(issue, body, message) is not None) is kept


def test_the_exception_that_the_issue_complains_of_is_not_expected() -> None:
    body = (
        "    with pytest.raises(ValueError) as e:\n        f('-')\n    assert str(e.value) == ''\n"
    )
    assert shown("ValueError: not a number", body, EQUAL, line=4) is None


def test_where_the_issue_names_the_exception_the_value_need_not_be_guessed() -> None:
    guess = "    assert report('-') == ['skipped']\n    assert more()\n"
    found = shown("It ends with a ValueError.", guess, REFUSED, inner="log.py")
    assert found == Shows(f"{HEAD}    report('-')\n", sure=True)


def test_a_value_that_the_issue_states_stays() -> None:
    stated = "    assert report('-') == ['skipped']\n"
    issue = "It ends with a ValueError.\n\n    ['skipped']\n\nis wanted."
    assert shown(issue, stated, REFUSED, inner="log.py") == Shows(HEAD + stated, sure=True)


def test_another_exception_than_the_issue_names_shows_nothing() -> None:
    assert shown("It ends with a KeyError.", "    f('-')\n", REFUSED, inner="log.py") is None


def test_a_value_that_the_model_found_is_a_guess() -> None:
    found = shown("It is too small.", "    assert f() == 2\n", EQUAL)
    assert found == Shows(f"{HEAD}    assert f() == 2\n", sure=False)
