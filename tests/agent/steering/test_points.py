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
    assert [point.lead for point in points(task)] == ["Two things"] * 2


@pytest.mark.parametrize(
    "task",
    [
        "`half(4)` gives 1.33.",
        "1. `half(4)` gives 1.33.",
        "- `half` is wrong\n" * (MOST + 1),
        "```\n- one\n- two\n```",
        "It is -3 - not 3.\n-3 it was.",
        "",
    ],
    ids=["no list", "one", "too many", "code", "numbers", "nothing"],
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
    ],
    ids=["method", "call", "a step", "no code", "seen to", "a test", "not there"],
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
