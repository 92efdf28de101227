"""The formulas, against published values and against counting."""

from __future__ import annotations

from itertools import combinations
from statistics import mean

import pytest

from agent.replay.statistics import mcnemar, paired_difference, pass_at_k, wilson


@pytest.mark.parametrize(
    ("attempts", "resolved", "k"), [(5, 2, 3), (5, 0, 1), (6, 6, 4), (7, 1, 7), (4, 3, 2)]
)
def test_pass_at_k_is_the_share_of_the_choices_that_hold_a_success(
    attempts: int, resolved: int, k: int
) -> None:
    outcomes = [True] * resolved + [False] * (attempts - resolved)
    expected = mean(any(chosen) for chosen in combinations(outcomes, k))
    assert pass_at_k(attempts, resolved, k) == pytest.approx(expected)


def test_pass_at_k_holds_for_many_attempts() -> None:
    # 1 - C(199, 100) / C(200, 100) = 100 / 200
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)


def test_pass_at_k_needs_k_attempts() -> None:
    with pytest.raises(ValueError, match="pass@3 of 1 in 2"):
        pass_at_k(2, 1, 3)


# Newcombe, "Two-sided confidence intervals for the single proportion" (1998a), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_published(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_is_everything() -> None:
    interval = wilson(0, 0)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_wilson_never_leaves_the_range_of_a_proportion() -> None:
    assert wilson(164, 164).high == 1.0
    assert wilson(164, 164).low == pytest.approx(0.9771, abs=5e-5)


@pytest.mark.parametrize(
    ("only_one", "only_other", "p_value"),
    [
        (1, 9, 22 / 1024),  # 2 × (1 + 10) / 2 ** 10
        (9, 1, 22 / 1024),
        (0, 6, 2 / 64),
        (5, 5, 1.0),  # twice a tail of more than a half
        (0, 0, 1.0),
        (59, 121, 4.43444e-06),  # the example in the tests of statsmodels
    ],
)
def test_mcnemar_is_exact(only_one: int, only_other: int, p_value: float) -> None:
    assert mcnemar(only_one, only_other) == pytest.approx(p_value, rel=1e-5)


def test_mcnemar_holds_where_powers_of_a_half_are_too_small() -> None:
    # By the normal approximation with correction: z = 99 / √5900, p = 0.197.
    assert mcnemar(2900, 3000) == pytest.approx(0.197, abs=0.002)


def test_a_paired_difference_is_as_wald_has_it_where_there_is_much_data() -> None:
    # Agresti, "Categorical Data Analysis", approval of a prime minister: 0.04 ± 1.96 × 0.0095.
    interval = paired_difference(794, 150, 86, 570)
    assert (interval.low, interval.high) == pytest.approx((0.0214, 0.0586), abs=4e-4)


def test_a_paired_difference_turns_with_its_models() -> None:
    one, other = paired_difference(20, 7, 2, 11), paired_difference(20, 2, 7, 11)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_a_paired_difference_of_equals_holds_nothing_back() -> None:
    interval = paired_difference(0, 0, 0, 5)
    assert interval.low == pytest.approx(-wilson(0, 5).high)
    assert interval.high == pytest.approx(wilson(0, 5).high)


def test_agreement_makes_a_paired_difference_narrower() -> None:
    agreeing, crossed = paired_difference(40, 5, 5, 40), paired_difference(22, 23, 23, 22)
    assert agreeing.high - agreeing.low < 0.6 * (crossed.high - crossed.low)
