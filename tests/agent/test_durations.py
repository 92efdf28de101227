"""Spans of time, in words."""

from __future__ import annotations

import pytest

from agent.durations import ago, duration


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0.0 s"),
        (3.44, "3.4 s"),
        (9.96, "10 s"),
        (47.6, "48 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_the_unit_suits_the_length(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_what_is_only_expected_has_no_tenths() -> None:
    assert duration(3.44, whole=True) == "3 s"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "just now"),
        (59, "just now"),
        (61, "1 minute ago"),
        (7300, "2 hours ago"),
        (2 * 86_400, "2 days ago"),
    ],
)
def test_how_long_ago(seconds: float, told: str) -> None:
    assert ago(seconds) == told
