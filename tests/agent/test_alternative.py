"""What an API's steps would have cost at home."""

from __future__ import annotations

import pytest

from agent.alternative import Power, Speeds, assumed_api, assumed_local, on_local, ran_local
from agent.models.base import Usage

STEPS = [
    Usage(prompt=1000, reused=0, evaluated=1000, output=100),
    Usage(prompt=1500, reused=1100, evaluated=400, output=100),
]
SPEEDS = Speeds(reading=100.0, writing=10.0, measured=True)
POWER = Power(watts=360.0, usd_per_kwh=0.50, card_usd=800.0, card_hours=8000.0)


def test_only_what_is_new_is_read() -> None:
    local = on_local(STEPS, SPEEDS, POWER)
    assert local.seconds == pytest.approx((1000 + 400) / 100 + 200 / 10)
    assert local.watt_hours == pytest.approx(3.4)
    assert local.electricity_usd == pytest.approx(0.0017)
    assert local.hardware_usd == pytest.approx(34 / 3600 * 0.1)
    assert local.usd == pytest.approx(0.0017 + 34 / 36000)


def test_a_prompt_that_was_shortened_is_read_whole() -> None:
    steps = [*STEPS, Usage(prompt=500, output=0), Usage(prompt=600, output=0)]
    read = 1000 + 400 + 500 + 600
    assert on_local(steps, SPEEDS, POWER).seconds == pytest.approx(read / 100 + 20)


def test_what_is_not_known_is_not_nothing() -> None:
    local = on_local(STEPS, SPEEDS, Power())
    assert (local.watt_hours, local.electricity_usd, local.hardware_usd) == (None, None, None)
    assert local.usd is None
    measured = ran_local(10.0, 2.0, Power(usd_per_kwh=0.5))
    assert measured.usd == pytest.approx(0.001)


def test_speeds_are_measured_or_expected() -> None:
    assert Speeds.of([Usage(10, 0, 10)]) is None
    measured = Speeds.of([Usage(100, 0, 100, output=20, prompt_seconds=2.0, output_seconds=4.0)])
    assert measured == Speeds(50.0, 5.0, measured=True)
    card, processor = Speeds.expected(100.0, True), Speeds.expected(100.0, False)
    assert card.writing == processor.writing == pytest.approx(65.0)
    assert card.reading == 10 * processor.reading


def test_every_assumption_is_told() -> None:
    told = assumed_local("qwen", SPEEDS, POWER)
    for part in (
        "qwen",
        "100",
        "10 tok/s",
        "as measured",
        "360 W",
        "$0.5 a kWh",
        "$800 over 8,000 h",
    ):
        assert part in told
    unknown = assumed_api("claude", Power())
    for setting in ("usd_per_kwh", "card_usd"):
        assert setting in unknown
