"""Limits: what is still asked, what an answer may have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.costs import Cost
from agent.events import Status, Totals
from agent.limits import USEFUL, LimitReached, Limits
from agent.models.base import ModelSpec, Tariff, Usage

LOCAL = ModelSpec("qwen", 100_000)
SONNET = ModelSpec("claude-sonnet-5-5", 100_000, tariff=Tariff("claude-sonnet-5-5"))
"""$2 in, $2.50 written, $0.10 read, $10 out for a million tokens."""
STRANGER = ModelSpec("stranger", 100_000, tariff=Tariff("stranger"))
COLD = Usage(prompt=8000, evaluated=8000, cache_written=8000)
"""A prompt that costs 2 cents on Sonnet."""


def spent(dollars: float = 0.0, evaluated: int = 0, output: int = 0) -> Totals:
    return Totals(
        usage=Usage(prompt=evaluated, evaluated=evaluated, output=output), cost=Cost(dollars)
    )


def test_without_limits_an_answer_may_have_what_is_wanted() -> None:
    assert Limits(None).allowance(spent(9.0, 10**9), SONNET, COLD, 4096) == 4096


def test_tokens_left_shorten_the_answer() -> None:
    limits = Limits(tokens=10_000)
    expected = Usage(prompt=5000, reused=4000, evaluated=1000)
    assert limits.allowance(spent(0, 3000, 2000), LOCAL, expected, 4096) == 4000
    assert limits.allowance(spent(0, 3000, 2000), LOCAL, expected, 700) == 700


@pytest.mark.parametrize(("wanted", "enough"), [(4096, USEFUL), (100, 100)])
def test_the_least_worth_asking_for(wanted: int, enough: int) -> None:
    limits = Limits(tokens=1000 + enough)
    expected = Usage(prompt=1000, evaluated=1000)
    assert limits.allowance(spent(), LOCAL, expected, wanted) == enough
    with pytest.raises(LimitReached, match="would read about 1001") as caught:
        limits.allowance(spent(), LOCAL, Usage(prompt=1001, evaluated=1001), wanted)
    assert caught.value.verdict.status is Status.TOKEN_LIMIT


def test_dollars_left_shorten_the_answer() -> None:
    # 5 cents are left: 2 for the prompt, 3 for 3,000 tokens of output
    allowed = Limits(dollars=0.10).allowance(spent(0.05), SONNET, COLD, 4096)
    assert allowed == pytest.approx(3000, abs=1)
    most = Usage(prompt=8000, evaluated=8000, cache_written=8000, output=allowed)
    assert 0.05 + (most.cache_written * 2.5 + most.output * 10) / 1e6 <= 0.10


def test_a_request_that_would_break_the_limit_is_not_made() -> None:
    # 2 cents for the prompt, a quarter of a cent for the least answer
    limits = Limits(dollars=0.10)
    assert limits.allowance(spent(0.0774), SONNET, COLD, 4096) >= USEFUL
    with pytest.raises(LimitReached, match=r"The limit of \$0.1 was reached: \$0.0224") as caught:
        limits.allowance(spent(0.0776), SONNET, COLD, 4096)
    assert caught.value.verdict.status is Status.DOLLAR_LIMIT


def test_a_long_prompt_is_forecast_at_its_own_price() -> None:
    haiku = ModelSpec("claude-haiku-5-5", 10**6, tariff=Tariff("claude-haiku-5-5"))
    limits = Limits(dollars=0.02)
    fits = Usage(prompt=100_000, evaluated=100_000)  # 1 cent
    assert limits.allowance(spent(), haiku, fits, 4096) == 4096
    with pytest.raises(LimitReached):
        limits.allowance(spent(), haiku, Usage(prompt=100_001, evaluated=100_001), 4096)


def test_a_limit_that_cannot_be_kept_is_not_promised() -> None:
    with pytest.raises(LimitReached, match="the price of stranger is not known: --max-tokens"):
        Limits(dollars=5.0).allowance(spent(), STRANGER, COLD, 4096)


def test_electricity_counts_where_it_has_a_price() -> None:
    limits = Limits(dollars=0.01)
    totals = Totals(cost=Cost(0.0, 40.0, 0.012))
    with pytest.raises(LimitReached, match=r"The limit of \$0.01 was reached"):
        limits.allowance(totals, LOCAL, COLD, 4096)
    free = Totals(cost=Cost(0.0, 40.0, None))
    assert limits.allowance(free, LOCAL, COLD, 4096) == 4096


def test_a_request_is_forecast_only_where_a_limit_asks_for_it() -> None:
    decisions: list[list[bool]] = []

    def forecast(fits: Callable[[Usage], bool]) -> Usage:
        decisions.append([fits(Usage(prompt=n, evaluated=n)) for n in (1000, 1001)])
        return Usage(prompt=1000, evaluated=1000)

    assert Limits().answer(spent(), LOCAL, forecast, 4096) == 4096
    assert decisions == []
    assert Limits(tokens=1000 + USEFUL).answer(spent(), LOCAL, forecast, 4096) == USEFUL
    assert decisions == [[True, False]]
