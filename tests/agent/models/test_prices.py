"""Prices: the arithmetic by hand, long prompts, dates, names that nobody sells."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.models.base import Tariff, Usage
from agent.models.prices import Rates, price, sold

ROOT = Path(__file__).resolve().parents[3]
SONNET = Tariff("claude-sonnet-5-5", "anthropic")
HAIKU = Tariff("claude-haiku-5-5", "anthropic")
ON_A_DAY = datetime(2026, 11, 22, tzinfo=UTC)


def used(prompt: int, output: int, reused: int = 0, written: int = 0) -> Usage:
    return Usage(
        prompt=prompt,
        reused=reused,
        evaluated=prompt - reused,
        output=output,
        cache_written=written,
    )


@pytest.mark.parametrize(
    ("tariff", "usage", "dollars"),
    [
        # 1,000,000 × $2 + 100,000 × $10 a million
        (SONNET, used(1_000_000, 100_000), 3.0),
        # 20,000 read at $0.10, 2,000 written at 1.25 × $2, 500 plain at $2, 800 out at $10
        (SONNET, used(22_500, 800, 20_000, 2_000), 0.002 + 0.005 + 0.001 + 0.008),
        (Tariff("claude-fable-5-2", "anthropic"), used(1_000_000, 1_000_000), 48.0),
        (Tariff("claude-opus-5-5", "anthropic"), used(1_000_000, 0, 1_000_000), 0.20),
        (Tariff("claude-haiku-4-5", "anthropic"), used(10_000, 1_000), 0.015),
        # at 100,000 still $0.10 and $0.50; one token more, and all of it costs five times that
        (HAIKU, used(100_000, 1_000), 0.0105),
        (HAIKU, used(100_001, 1_000), 0.0500005 + 0.0025),
        (HAIKU, used(200_000, 1_000, 150_000, 50_000), 0.0075 + 0.03125 + 0.0025),
        # a URL names the provider too; $1.25 in, $0.125 cached, $10 out, writing costs nothing more
        (Tariff("gpt-5", "https://api.openai.com/v1"), used(9_000, 100, 8_000, 1_000), 0.00325),
        (Tariff("claude-sonnet-5-5"), used(500_000, 0), 1.0),
        (SONNET, Usage(), 0.0),
    ],
)
def test_costs_are_what_a_hand_makes_them(tariff: Tariff, usage: Usage, dollars: float) -> None:
    assert price(usage, tariff, ON_A_DAY) == pytest.approx(dollars, abs=1e-12)


def test_a_price_holds_from_its_day_on() -> None:
    """Sonnet 4.6 charged double for prompts of more than 200,000 tokens until March 2026."""
    long = used(300_000, 0)
    tariff = Tariff("claude-sonnet-4-6", "anthropic")
    assert price(long, tariff, datetime(2026, 3, 12, 23, 59, tzinfo=UTC)) == pytest.approx(1.8)
    assert price(long, tariff, datetime(2026, 3, 13, tzinfo=UTC)) == pytest.approx(0.9)


@pytest.mark.parametrize(
    "tariff",
    [
        Tariff("claude-sonnet-99", "anthropic"),
        Tariff("qwen2.5-coder-1.5b"),
        Tariff("claude-sonnet-5-5", "nobody"),
        Tariff("claude-sonnet-5-5", "http://127.0.0.1:8080/v1"),
        Tariff(""),
    ],
)
def test_what_nobody_is_known_to_sell_has_no_price(tariff: Tariff) -> None:
    assert price(used(1000, 10), tariff) is None
    assert sold(tariff) is None


def test_more_cached_than_read_is_no_credit() -> None:
    assert price(used(1000, 0, 5000, 5000), SONNET) == pytest.approx(1000 * 0.1e-6)


def test_rates_by_the_length_of_the_prompt() -> None:
    known = sold(HAIKU)
    assert known is not None
    assert (known.title, known.context) == ("Claude Haiku 5.5", 1_000_000)
    assert known.rates == (
        Rates(0.1, 0.5, 0.01, 0.125),
        Rates(0.5, 2.5, 0.05, 0.625, over=100_000),
    )


def test_nothing_is_fetched_and_nothing_is_loaded_before_it_is_asked() -> None:
    program = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"reached out: {event}")

sys.addaudithook(refuse)
sys.path.insert(0, sys.argv[1])
from agent.models.base import Tariff, Usage
from agent.models.prices import price
import agent.loop
assert not {"genai_prices", "httpx2", "pynvml"} & set(sys.modules)
import threading
assert price(Usage(prompt=10), Tariff("claude-sonnet-5-5"))
assert threading.active_count() == 1, threading.enumerate()
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
