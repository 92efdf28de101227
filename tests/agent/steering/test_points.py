"""The points of an issue, and which of them no test has shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.steering.points import MOST, Point, changed, points
from tools.outline import Index
from tools.workspace import Change, Workspace

LISTED = """# Two wrong results

I tried both:

1. `half(4)` gives 1.33.
   It should give 2:

   ```
   - not this
   ```

2) `double(3)` is not 6.

Thank you.
"""


def test_each_point_stands_behind_what_is_before_the_list() -> None:
    first, second = points(LISTED)
    assert first.text == ("`half(4)` gives 1.33.\nIt should give 2:\n\n```\n- not this\n```")
    assert second.task == "# Two wrong results\n\nI tried both:\n\n`double(3)` is not 6."


def test_of_a_long_beginning_the_first_line_is_enough() -> None:
    task = "Two things\n" + "and so on\n" * 50 + "- `half` is wrong\n- `double` is wrong\n"
    assert points(task)[0].task == "Two things\n\n`half` is wrong"


def test_what_is_listed_below_a_point_is_a_part_of_it() -> None:
    task = "- `double(3)` is wrong:\n  - gives 4.1\n  - should give 6\n- `half(4)` is wrong\n"
    assert [point.text.count("\n") for point in points(task)] == [2, 0]


def test_the_first_list_counts_and_ends_with_a_paragraph() -> None:
    task = "- alone\n\nTwo:\n\n* one\n* two\n\nMine:\n\n- Linux\n- Python\n- pytest\n"
    first, second = points(task)
    assert (first.text, second.text) == ("one", "two")
    assert "alone" in first.lead


def test_a_fence_in_a_longer_one_does_not_end_it() -> None:
    task = "````\n```\n- a\n- b\n````\n- `half` is wrong\n- `double` is wrong\n"
    assert [point.text for point in points(task)] == ["`half` is wrong", "`double` is wrong"]


def test_code_before_the_list_is_about_something_else() -> None:
    task = "Odd\n\nI tried `half(5)`.\n\n1. `half(4)` is 1.33.\n2. `double(3)` is 4.1.\n"
    assert points(task)[1].task == "Odd\n\n`double(3)` is 4.1."


@pytest.mark.parametrize(
    "task",
    [
        "`half(4)` gives 1.33.",
        "1. `half(4)` gives 1.33.",
        "- `half` is wrong\n" * (MOST + 1),
        "```\n- one\n- two\n```",
        "It is -3 - not 3.\n-3 it was.",
        "One\n\n* * *\n\nTwo\n\n- - -\n",
        "",
    ],
    ids=["no list", "one", "too many", "code", "numbers", "rules", "nothing"],
)
def test_what_is_no_list_of_several_has_no_points(task: str) -> None:
    assert points(task) == ()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    (tmp_path / "calc.py").write_text(
        "class Sum:\n    def double(self):\n        pass\n\n\ndef half(x):\n    pass\n"
    )
    (tmp_path / "test_calc.py").write_text("def test_half():\n    pass\n")
    return Index.build(Workspace(tmp_path), None)


@pytest.mark.parametrize(
    ("text", "still"),
    [
        ("`Sum().double()` returns 9.", True),
        ("I expected 6 of double(3).", True),
        ("Call `double(3)`.", False),
        ("The double of 3 is wrong.", False),
        ("`half(4)` is wrong, `double(3)` is not.", False),
        ("`test_half` should fail.", False),
        ("`triple(3)` should be 9.", False),
        ("`Sum([3])` should fail.", True),
        ("`double` should not change.", False),
    ],
    ids=[
        *("method", "call", "a step", "no code", "seen to", "a test", "not there"),
        *("its class", "as it is"),
    ],
)
def test_a_point_is_open_if_nothing_that_it_names_was_seen_to(
    index: Index, text: str, still: bool
) -> None:
    assert Point("", text).is_open(index, {("calc.py", "half")}) is still


def test_what_was_changed_is_told_by_definitions() -> None:
    before = b"A = 1\n\n\ndef half(x):\n    return x / 3\n"
    after = before.replace(b"3", b"2") + b"\n\ndef third(x):\n    return x / 3\n"
    assert changed([Change("calc.py", before, after, 0o644, 0o644)]) == {
        ("calc.py", "half"),
        ("calc.py", "third"),
    }
    assert changed([Change("calc.py", before, None, 0o644, 0)]) == {
        ("calc.py", "A"),
        ("calc.py", "half"),
    }
