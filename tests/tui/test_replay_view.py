"""Which rows of a replay are shown, and what they sum up to."""

from __future__ import annotations

import pytest

from agent.replay.following import Row, State
from tui.replay_view import Show, Sort, arranged, tally

ROWS = (
    Row("one", "gold", 1, State.RESOLVED, "resolved", "", 3, 100, 0.0, 2.0),
    Row("one", "claude", 1, State.UNRESOLVED, "wrong fix", "", 9, 900, 0.5, 8.0),
    Row("two", "gold", 1, State.RUNNING, "asks the model", "", 1, 50, 0.25, 1.0),
    Row("two", "claude", 1, State.APART, "infrastructure"),
    Row("three", "gold", 1),
)


@pytest.mark.parametrize(
    ("sort", "show", "words", "expected"),
    [
        (Sort.RUN, Show.ALL, (), [0, 1, 2, 3, 4]),
        (Sort.RUN, Show.UNRESOLVED, (), [1, 3]),
        (Sort.RUN, Show.RUNNING, (), [2]),
        (Sort.RUN, Show.ALL, ("GOLD", "one"), [0]),
        (Sort.RUN, Show.ALL, ("wrong",), [1]),
        (Sort.VERDICT, Show.ALL, (), [2, 4, 0, 1, 3]),
        (Sort.TIME, Show.ALL, (), [1, 0, 2, 3, 4]),
        (Sort.TOKENS, Show.ALL, (), [1, 0, 2, 3, 4]),
        (Sort.DOLLARS, Show.ALL, (), [1, 2, 0, 3, 4]),
        (Sort.STEPS, Show.ALL, ("two",), [2, 3]),
    ],
)
def test_rows_are_chosen_and_sorted(
    sort: Sort, show: Show, words: tuple[str, ...], expected: list[int]
) -> None:
    assert arranged(ROWS, sort, show, words) == [ROWS[index] for index in expected]


def test_sums() -> None:
    whole = tally(ROWS)
    assert (whole.resolved, whole.counted, whole.ended, whole.all) == (1, 2, 3, 5)
    assert (whole.running, whole.waiting) == (1, 1)
    assert (whole.tokens, whole.dollars) == (1_050, 0.75)
