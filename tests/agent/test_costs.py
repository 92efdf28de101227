"""Costs: of a step, of several, and of the same session on another model."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from agent.costs import Cost, Costing, cost_on, electricity
from agent.energy import Meter
from agent.models.base import Device, ModelSpec, Tariff, Usage

API = ModelSpec("claude-sonnet-5-5", 1000, tariff=Tariff("claude-sonnet-5-5", "anthropic"))
LOCAL = ModelSpec("qwen", 1000, device=Device.CARDS)
# Three steps of a local model: each reads what is new, and holds its own answers in its cache.
LOCAL_STEPS = [
    Usage(prompt=2000, reused=0, evaluated=2000, output=300),
    Usage(prompt=2800, reused=2300, evaluated=500, output=200),
    Usage(prompt=3600, reused=3000, evaluated=600, output=100),
]


@dataclass
class Meters:
    """A meter that tells what it was given."""

    joules: float | None
    source: str = "cards"
    running: bool = False

    def start(self) -> None:
        assert not self.running
        self.running = True

    def stop(self) -> float | None:
        assert self.running
        self.running = False
        return self.joules


def costing(joules: float | None, usd_per_kwh: float | None = None) -> tuple[Costing, Meters]:
    meter = Meters(joules)

    def opener(device: Device, watts: float | None) -> Meter | None:
        return meter if device is Device.CARDS else None

    return Costing(None, usd_per_kwh, opener), meter


def test_a_step_of_an_api_costs_its_tokens() -> None:
    made, _ = costing(1.0)
    with made.step(API) as bill:
        pass
    cost = bill.cost(Usage(prompt=1000, evaluated=1000, output=100))
    assert cost.api_usd == pytest.approx(0.003)
    assert cost == Cost(api_usd=cost.api_usd)
    for thread in threading.enumerate():
        if thread.name == "prices":
            thread.join()


def test_a_step_of_a_local_model_costs_energy() -> None:
    made, meter = costing(7200.0, 0.25)
    with made.step(LOCAL) as bill:
        assert meter.running
    assert bill.cost(Usage(prompt=9)) == Cost(0.0, 2.0, 0.0005, ("cards",))


def test_energy_without_a_price_is_told_in_watt_hours() -> None:
    made, _ = costing(7200.0)
    with made.step(LOCAL) as bill:
        pass
    assert bill.cost(Usage()) == Cost(0.0, 2.0, None, ("cards",))


def test_unmeasured_energy_is_unknown() -> None:
    made, _ = costing(None, 0.30)
    with made.step(LOCAL) as bill:
        pass
    assert bill.cost(Usage()) == Cost(0.0, None, None)


def test_a_script_costs_nothing_and_a_stranger_nobody_knows() -> None:
    made, meter = costing(1.0)
    with made.step(ModelSpec("script", 1000)) as bill:
        assert not meter.running
    assert bill.cost(Usage(prompt=9)) == Cost()
    with made.step(ModelSpec("x", 1000, tariff=Tariff("x", "nobody"))) as bill:
        pass
    assert bill.cost(Usage(prompt=9)).api_usd is None


def test_a_step_that_fails_stops_its_meter() -> None:
    made, meter = costing(1.0)
    with pytest.raises(RuntimeError), made.step(LOCAL):
        raise RuntimeError
    assert not meter.running


def test_what_is_unknown_stays_so_in_a_sum() -> None:
    known = Cost(0.5, 1.0, 0.125, ("cards",))
    both = known + Cost(0.25, 2.0, 0.25, ("declared",))
    assert both == Cost(0.75, 3.0, 0.375, ("cards", "declared"))
    assert both + known == Cost(1.25, 4.0, 0.5, ("cards", "declared"))
    assert Cost() + known + known == Cost(1.0, 2.0, 0.25, ("cards",))
    assert known + Cost(None, 0.0, 0.0) == Cost(None, 1.0, 0.125, ("cards",))
    assert known + Cost(0.0, None, None) == Cost(0.5, None, None, ("cards",))


def test_the_same_session_on_an_api() -> None:
    """On Sonnet 5.5: $2 in, $2.50 written, $0.10 read, $10 out for a million tokens.

    The API's cache holds what was sent, not the answer: of step 2's 2,800 tokens 2,000 are read
    from it, of step 3's 3,600 tokens 2,800.
    """
    written = (2000 + 800 + 800) * 2.5
    read = (0 + 2000 + 2800) * 0.1
    out = (300 + 200 + 100) * 10
    dollars = cost_on(LOCAL_STEPS, Tariff("claude-sonnet-5-5"))
    assert dollars == pytest.approx((written + read + out) / 1e6)
    assert dollars == pytest.approx(0.01548)


def test_the_same_session_where_caching_has_no_price() -> None:
    dollars = cost_on(LOCAL_STEPS, Tariff("gpt-5", "openai"))
    assert dollars == pytest.approx((3600 * 1.25 + 4800 * 0.125 + 600 * 10) / 1e6)


def test_a_session_that_returned_to_an_earlier_point_reads_less_from_the_cache() -> None:
    back = [LOCAL_STEPS[0], Usage(prompt=2100, reused=400, evaluated=1700, output=0)]
    dollars = cost_on(back, Tariff("claude-sonnet-5-5"))
    assert dollars == pytest.approx((2000 * 2.5 + 300 * 10 + 400 * 0.1 + 1700 * 2.5) / 1e6)


def test_the_same_session_on_a_model_that_nobody_sells() -> None:
    assert cost_on(LOCAL_STEPS, Tariff("qwen2.5-coder-1.5b")) is None


def test_the_energy_of_the_same_session() -> None:
    """350 W for 90 s at $0.30 a kilowatt-hour: 8.75 Wh, a quarter of a cent."""
    assert electricity(350 * 90 / 3600, 0.30) == pytest.approx(0.002625)
    assert electricity(8.75, None) is None
