"""Limits: what is forecast, what is still asked, what an answer may have."""

from __future__ import annotations

import pytest

from agent.costs import Cost
from agent.events import Status, Totals
from agent.limits import USEFUL, Forecast, LimitReached, Limits
from agent.messages import AssistantMessage, Message, SystemMessage, UserMessage
from agent.models.base import ModelSpec, Request, Tariff, Usage

LOCAL = ModelSpec("qwen", 100_000)
SONNET = ModelSpec("claude-sonnet-5-5", 100_000, tariff=Tariff("claude-sonnet-5-5"))
"""$2 in, $2.50 written, $0.10 read, $10 out for a million tokens."""
STRANGER = ModelSpec("stranger", 100_000, tariff=Tariff("stranger"))
FIRST = (SystemMessage("s" * 100), UserMessage("u" * 200))
ANSWER = AssistantMessage("a" * 60)
COLD = Usage(prompt=8000, evaluated=8000, cache_written=8000)
"""A prompt that costs 2 cents on Sonnet."""


def asked(*messages: Message) -> Request:
    return Request(messages)


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


def test_the_first_request_is_counted_whole() -> None:
    expected = Forecast().prompt(SONNET, asked(*FIRST), len)
    assert expected.prompt == expected.evaluated == expected.cache_written
    assert 300 <= expected.prompt <= 310


def test_the_next_request_is_the_measured_one_and_what_is_new() -> None:
    forecast = Forecast()
    forecast.learn(LOCAL, asked(*FIRST), ANSWER, Usage(prompt=90, evaluated=90, output=20))
    further = asked(*FIRST, ANSWER, UserMessage("n" * 50))
    assert forecast.prompt(LOCAL, further, len) == Usage(160, reused=110, evaluated=50, new=50)


def test_a_provider_that_caches_reads_the_answer_anew() -> None:
    forecast = Forecast()
    usage = Usage(prompt=90, evaluated=90, output=20, cache_written=90)
    forecast.learn(SONNET, asked(*FIRST), ANSWER, usage)
    expected = forecast.prompt(SONNET, asked(*FIRST, ANSWER, UserMessage("n" * 50)), len)
    assert expected == Usage(160, reused=90, evaluated=70, new=70, cache_written=70)


def test_a_provider_that_did_not_cache_reads_all_anew() -> None:
    forecast = Forecast()
    forecast.learn(SONNET, asked(*FIRST), ANSWER, Usage(prompt=90, evaluated=90, output=20))
    expected = forecast.prompt(SONNET, asked(*FIRST, ANSWER, UserMessage("n" * 50)), len)
    assert (expected.prompt, expected.reused) == (160, 0)


def test_a_return_to_an_earlier_point_keeps_its_share() -> None:
    forecast = Forecast()
    forecast.learn(LOCAL, asked(*FIRST), ANSWER, Usage(prompt=90, evaluated=90, output=18))
    # 362 characters were 108 tokens: the 102 that stay are 30
    expected = forecast.prompt(LOCAL, asked(FIRST[0], UserMessage("v" * 40)), len)
    assert expected == Usage(70, reused=30, evaluated=40, new=40)


def test_a_server_that_tells_no_usage_has_measured_nothing() -> None:
    forecast = Forecast()
    forecast.learn(LOCAL, asked(*FIRST), ANSWER, Usage())
    further = asked(*FIRST, ANSWER, UserMessage("n" * 50))
    assert forecast.prompt(LOCAL, further, len).evaluated >= 410


def test_another_model_has_read_nothing() -> None:
    forecast = Forecast()
    forecast.learn(LOCAL, asked(*FIRST), ANSWER, Usage(prompt=90, evaluated=90, output=20))
    expected = forecast.prompt(SONNET, asked(*FIRST), len)
    assert expected.reused == 0
    assert 300 <= expected.prompt <= 310
