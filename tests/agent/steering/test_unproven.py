"""Where no test fails and the issue shows a value, a test is made of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agent import events
from agent.events import Event, Status
from tests.agent.steering.test_guided import (
    CODE,
    DOUBLE,
    HALF,
    HALF_NO_BETTER,
    TEST_OF_ISSUE,
    call,
    ended,
    questions,
)
from tests.agent.steering.test_guided import conduct as conduct_with

PASSING = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
TASK = "Halves are too small:\n\n```\n>>> half(4)\n1.33\n```\n"
WRITTEN = call("", TEST_OF_ISSUE, "write_file", "test_issue.py")
LARGE = "def half(x):\n    parts = 2\n    result = x / parts\n    return result\n"
conduct = partial(conduct_with, tests=PASSING, task=TASK)


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "repository").glob("*.py")}


def code(tmp_path: Path) -> str:
    return (tmp_path / "repository" / "calc.py").read_text()


def test_the_test_of_the_value_is_kept_with_the_change(tmp_path: Path) -> None:
    more = TEST_OF_ISSUE + "    assert half(8) == 5\n"
    written = call("", more, "write_file", "test_issue.py")
    seen = conduct(tmp_path, [written, call("half", HALF)])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 2
    assert end.changed == ("calc.py", "test_issue.py")
    assert (tmp_path / "repository" / "test_issue.py").read_text() == TEST_OF_ISSUE
    assert "== 2" not in questions(seen)[1]


def test_a_small_change_that_passes_the_test_is_kept_with_it(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [WRITTEN, call("half", LARGE)], mending=True)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue.py")
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


def test_test_and_change_stay_where_the_turn_ends_while_a_smaller_one_is_sought(
    tmp_path: Path,
) -> None:
    def sought(event: Event) -> bool:
        return isinstance(event, events.Rewound) and "smaller" in event.reason

    seen = conduct(tmp_path, [WRITTEN, call("half", LARGE)], mending=True, stop=sought)
    end = ended(seen)
    assert end.status is Status.INTERRUPTED
    assert end.changed == ("calc.py", "test_issue.py")
    assert LARGE in code(tmp_path)
    assert (tmp_path / "repository" / "test_issue.py").read_text() == TEST_OF_ISSUE


def test_a_limit_leaves_what_the_end_would_have_left(tmp_path: Path) -> None:
    worse = call("half", "def half(x):\n    return x + 1\n")
    seen = conduct(tmp_path, [WRITTEN, worse, call("half", HALF_NO_BETTER)], steps=3)
    end = ended(seen)
    assert end.status is Status.STEP_LIMIT
    assert end.changed == ("calc.py",)
    assert left(tmp_path) == {"calc.py", "test_calc.py"}
    assert code(tmp_path) != CODE


def test_a_limit_leaves_no_test_without_its_change(tmp_path: Path) -> None:
    worse = call("half", "def half(x):\n    return x + 1\n")
    seen = conduct(tmp_path, [WRITTEN, worse], steps=2)
    assert ended(seen).changed == ()
    assert left(tmp_path) == {"calc.py", "test_calc.py"}
    assert code(tmp_path) == CODE


def test_where_no_attempt_helps_nothing_is_left(tmp_path: Path) -> None:
    worse = call("half", "def half(x):\n    return x + 1\n")
    seen = conduct(tmp_path, [WRITTEN, *[worse] * 60])
    assert ended(seen).changed == ()
    assert left(tmp_path) == {"calc.py", "test_calc.py"}
    assert code(tmp_path) == CODE


def test_a_value_that_is_right_already_makes_no_test(tmp_path: Path) -> None:
    right = TEST_OF_ISSUE.replace("half(4) == 2", "half(0) == 0")
    steps = [
        call("", right, "write_file", "test_issue.py"),
        *[WRITTEN] * 4,
        call("half", HALF),
    ]
    end = ended(conduct(tmp_path, steps, task=TASK.replace("half(4)", "half(0)")))
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue.py")


TWO = (
    "`half` and `double` are wrong: `half(4)` gives 1.33 and should give 2, "
    "`double(4)` gives 6 and should give 8."
)
FIRST = TEST_OF_ISSUE
SECOND = "from calc import double\n\n\ndef test_issue():\n    assert double(4) == 8\n"
WRITTEN_TWO = [
    call("", FIRST, "write_file", "test_issue.py"),
    call("", SECOND, "write_file", "test_issue_2.py"),
]


def test_what_passes_one_of_two_written_tests_is_built_upon(tmp_path: Path) -> None:
    same = call("double", "def double(x):\n    return x + RATE\n")
    steps = [*WRITTEN_TWO, call("half", HALF), *[same] * 3, call("double", DOUBLE)]
    seen = conduct(tmp_path, steps, task=TWO)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue.py", "test_issue_2.py")
    assert any("going on" in e.reason for e in seen if isinstance(e, events.Rewound))
    assert "x / 2" in code(tmp_path)
    assert "x * RATE" in code(tmp_path)


def test_a_written_test_that_nothing_passes_is_left_out(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [*WRITTEN_TWO, call("half", HALF), *[call("", "")] * 80], task=TWO)
    assert ended(seen).status is Status.VERIFIED
    assert left(tmp_path) == {"calc.py", "test_calc.py", "test_issue.py"}
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


GUESSES = [
    call("", text, "write_file", path)
    for text, path in (
        (FIRST.replace("== 2", "== 7"), "test_issue.py"),
        (FIRST.replace("half(4) == 2", "half(8) == 9"), "test_issue_2.py"),
    )
]
VAGUE = "Halves are too small."


def test_a_guess_is_not_tried_for_long(tmp_path: Path) -> None:
    steps = [*GUESSES, call("half", HALF), *[call("", "")] * 80]
    end = ended(conduct(tmp_path, steps, task=VAGUE))
    assert end.status is Status.UNVERIFIED
    assert end.totals.steps < 10
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")
    assert left(tmp_path) == {"calc.py", "test_calc.py"}


def test_of_guesses_and_what_the_issue_says_only_that_stays(tmp_path: Path) -> None:
    guess = GUESSES[1].replace("test_issue_2", "test_issue")
    stated = call("", FIRST, "write_file", "test_issue_2.py")
    steps = [guess, stated, call("half", HALF)]
    end = ended(conduct(tmp_path, steps, task=f"{VAGUE} That of 4 should be 2."))
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue_2.py")


def test_words_about_the_code_are_no_change(tmp_path: Path) -> None:
    words = 'def half(x):\n    """Half."""\n    return x / 3  # half\n'
    told = call("half", words)
    end = ended(conduct(tmp_path, [*GUESSES, told, *[call("", "")] * 80], task=VAGUE))
    assert end.changed == ()
