"""What steps cost: dollars for tokens, watt-hours of a local model, dollars for those.

Owns the sums. Must not know how tokens are priced or energy is measured, nor any limit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from agent.energy import Meter, open_meter
from agent.models import prices
from agent.models.base import Device, ModelSpec, Tariff, Usage

JOULES_PER_WATT_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one step, or of several. None is what is not known, never nothing."""

    api_usd: float | None = 0.0
    """Dollars for tokens; None: the price is unknown."""
    watt_hours: float | None = 0.0
    """Drawn by local models; None: it could not be measured and no watts were declared."""
    electricity_usd: float | None = 0.0
    """Dollars for the watt-hours; None: those, or the price of electricity, are unknown."""
    sources: tuple[str, ...] = ()
    """What told the watt-hours: `cards`, `processor`, `declared`."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            _sum(self.api_usd, other.api_usd),
            _sum(self.watt_hours, other.watt_hours),
            _sum(self.electricity_usd, other.electricity_usd),
            tuple(dict.fromkeys((*self.sources, *other.sources))),
        )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


@dataclass(slots=True)
class Bill:
    """A step that is being measured."""

    spec: ModelSpec
    usd_per_kwh: float | None
    meter: Meter | None
    joules: float | None = None

    def cost(self, *usages: Usage) -> Cost:
        """What the step has cost, once it has ended, by the usage of each of its requests."""
        if self.spec.tariff is not None:
            dollars: float | None = 0.0
            for usage in usages:
                dollars = _sum(dollars, prices.price(usage, self.spec.tariff))
            return Cost(api_usd=dollars)
        if self.spec.device is Device.ELSEWHERE:
            return Cost()
        if self.joules is None or self.meter is None:
            return Cost(watt_hours=None, electricity_usd=None)
        hours = self.joules / JOULES_PER_WATT_HOUR
        return Cost(0.0, hours, electricity(hours, self.usd_per_kwh), (self.meter.source,))


class Costing:
    """Measures the steps of a session, whichever models take them."""

    def __init__(
        self,
        watts: float | None = None,
        usd_per_kwh: float | None = None,
        opener: Callable[[Device, float | None], Meter | None] = open_meter,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            watts: What the user says that the machine draws while a local model works.
            usd_per_kwh: The price of electricity.
            opener: Finds the meter for a device; called once for each.
        """
        self._watts = watts
        self._usd_per_kwh = usd_per_kwh
        self._opener = opener
        self._meters: dict[Device, Meter | None] = {}
        self._loading = False

    @contextmanager
    def step(self, spec: ModelSpec) -> Iterator[Bill]:
        """Measure what happens meanwhile."""
        if spec.device not in self._meters:
            self._meters[spec.device] = self._opener(spec.device, self._watts)
        if spec.tariff is not None and not self._loading:
            self._loading = True  # half a second that passes while the model answers
            threading.Thread(target=prices.load, daemon=True, name="prices").start()
        bill = Bill(spec, self._usd_per_kwh, self._meters[spec.device])
        if bill.meter is not None:
            bill.meter.start()
        try:
            yield bill
        finally:
            if bill.meter is not None:
                bill.joules = bill.meter.stop()


def electricity(watt_hours: float, usd_per_kwh: float | None) -> float | None:
    """Dollars for watt-hours; None where the price is not known."""
    return None if usd_per_kwh is None else watt_hours / 1000 * usd_per_kwh


def cost_on(steps: Iterable[Usage], tariff: Tariff, when: datetime | None = None) -> float | None:
    """What the same session would have cost in tokens of another model, asked cold.

    The steps are priced as an API would count them that caches the prefix of a conversation: what
    the request before it sent is read from the cache, as far as the session's own model could
    reuse it; all else, the answer before included, is read anew and written to the cache. Token
    counts are those that were measured: another model's tokenizer makes more or fewer, so this is
    an estimate.

    Args:
        steps: The usage of each step, in order.
        tariff: Whose prices.
        when: The time of the prices; None: now.

    Returns:
        Dollars; None if the model's price is unknown.
    """
    total, sent = 0.0, 0
    for usage in steps:
        reused = min(usage.reused, sent)
        fresh = usage.prompt - reused
        dollars = prices.price(
            replace(usage, reused=reused, evaluated=fresh, cache_written=fresh), tariff, when
        )
        if dollars is None:
            return None
        total += dollars
        sent = usage.prompt
    return total
