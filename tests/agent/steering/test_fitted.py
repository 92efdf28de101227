"""Which changes answer a test with its own value, and which mend the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.events import Status
from agent.steering.fitted import fitted
from tests.agent.steering.test_guided import CODE, HALF, call, conduct, ended, questions

BEFORE = "def due(day):\n    raise LookupError(day)\n"
TESTS = (
    "def test_due():\n    assert due('2024-03-01') == datetime(2024, 3, 3, 6, 15)\n"
    "    assert price(59.9) == 71.28\n    assert due(12) == 'none'\n    assert not due(5) == 1710\n"
)


def told(line: str) -> bool:
    return fitted(BEFORE, BEFORE.replace("raise LookupError(day)", line), lambda: TESTS)


@pytest.mark.parametrize(
    "line",
    [
        "return datetime(2024, 3, 3, 6, 15)",
        "return datetime.datetime(2024, 3, 3)",
        "return 71.28",
        "return '2024-03-01'",
    ],
)
def test_a_value_out_of_the_tests_is_found(line: str) -> None:
    assert told(line)


@pytest.mark.parametrize(
    "line",
    [
        "return day * 71.28",
        "return round(day, 2)",
        "return 'none'",
        "return 'HTTP/1.1'",
        "if day == 1710:\n        return None",
        "if '2024-03-01' == day:\n        return None",
        "if day == 12:\n        return 24",
        "return TABLE.get(day, 1710)",
        "return True",
        "return 128",
        "return",
        "RATES = {'2024-03-01': 71.28}",
    ],
)
def test_rules_tables_and_usual_numbers_are_left_alone(line: str) -> None:
    assert not told(line)


def test_what_was_there_before_and_what_is_no_python_is_left_alone() -> None:
    code = "def due(day):\n    return 1710\n"
    assert not fitted(code, f"{code}\n\nRATE = 2\n", lambda: TESTS)
    assert not fitted("", "def due(:\n", lambda: TESTS)


def test_the_tests_are_read_only_where_there_is_such_a_value() -> None:
    def never() -> str:
        raise AssertionError

    assert not fitted(BEFORE, "def due(day):\n    return day + 1710\n", never)


def test_such_an_answer_is_taken_back_and_asked_for_anew(tmp_path: Path) -> None:
    tests = "from calc import half\n\n\ndef test_half():\n    assert half(34) == 17\n"
    constant = call("half", "def half(x):\n    return 17\n")
    seen = conduct(tmp_path, [constant, call("half", HALF)], tests)
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 2
    assert (tmp_path / "repository" / "calc.py").read_text() == CODE.replace("x / 3", "x / 2")
    assert "value that a test expects" in questions(seen)[1]
