"""What the same steps would have cost on the other kind of model: local instead of an API's.

Owns the calculation and its assumptions, in words. Must not know who shows it. An API's side is
`agent.costs.cost_on`; here is the local one: tokens over speeds are seconds, seconds times watts
are energy, seconds over the hours that a card is worth are its share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.costs import JOULES_PER_WATT_HOUR, electricity
from agent.models.base import Usage

REACHED = 0.65
"""The part of the memory's bandwidth that llama.cpp reaches when it writes: 0.6 to 0.7."""
READS_FASTER = {True: 30.0, False: 3.0}
"""How many times as fast as it writes a model reads, on a card and on a processor: 30B models at
700 to 1,000 against 28 to 33 tokens a second on an RTX 3090, a 1.5B at 46 against 16 on two
cores."""
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens a second of a local model."""

    reading: float
    writing: float
    measured: bool
    """In this session; else derived from the memory's bandwidth."""

    @classmethod
    def expected(cls, ceiling: float, on_card: bool) -> Speeds:
        """Args:
        ceiling: Tokens a second that the memory's bandwidth allows.
        on_card: Whether the model lies on cards, else in the machine's memory.
        """
        writing = ceiling * REACHED
        return cls(writing * READS_FASTER[on_card], writing, measured=False)

    @classmethod
    def of(cls, steps: Iterable[Usage]) -> Speeds | None:
        """As measured; None where the steps do not tell."""
        total = sum(steps, Usage())
        if not (total.prompt_seconds and total.evaluated and total.output_seconds and total.output):
            return None
        reading = total.evaluated / total.prompt_seconds
        return cls(reading, total.output / total.output_seconds, measured=True)


@dataclass(frozen=True, slots=True)
class Power:
    """What running a machine of one's own costs."""

    watts: float | None = None
    """While it works."""
    usd_per_kwh: float | None = None
    card_usd: float | None = None
    card_hours: float = 8000.0

    def hardware(self, seconds: float) -> float | None:
        """Dollars of the card's price for so much work; None where the price is not known."""
        if self.card_usd is None:
            return None
        return self.card_usd * seconds / SECONDS_PER_HOUR / self.card_hours


@dataclass(frozen=True, slots=True)
class Local:
    """What steps cost on a machine of one's own. None is what is not known."""

    seconds: float
    watt_hours: float | None
    electricity_usd: float | None
    hardware_usd: float | None

    @property
    def usd(self) -> float | None:
        """All dollars that are known together; None where none are."""
        known = [usd for usd in (self.electricity_usd, self.hardware_usd) if usd is not None]
        return sum(known) if known else None


def on_local(steps: Iterable[Usage], speeds: Speeds, power: Power) -> Local:
    """What an API's steps would have cost on a local model.

    Its cache holds all that it was sent and wrote, so each step reads only what is new. Token
    counts are those that were measured: another tokenizer makes more or fewer, and another model
    takes more steps or fewer, so this is an estimate.
    """
    read = written = held = 0
    for usage in steps:
        # An API's count of what is new may not be told; the prompt only grows, but for compactions.
        read += usage.prompt - held if usage.prompt >= held else usage.prompt
        written += usage.output
        held = usage.prompt + usage.output if usage.prompt >= held else 0
    seconds = read / speeds.reading + written / speeds.writing
    return ran_local(seconds, None, power)


def ran_local(seconds: float, watt_hours: float | None, power: Power) -> Local:
    """What so much work costs.

    Args:
        watt_hours: As measured; None: by the declared watts.
    """
    if watt_hours is None and power.watts is not None:
        watt_hours = power.watts * seconds / JOULES_PER_WATT_HOUR
    paid = None if watt_hours is None else electricity(watt_hours, power.usd_per_kwh)
    return Local(seconds, watt_hours, paid, power.hardware(seconds))


def assumed_local(model: str, speeds: Speeds, power: Power) -> str:
    """The assumptions of the local side, as one sentence."""
    how = "as measured here" if speeds.measured else "expected of this machine's memory"
    parts = [
        f"{model} reads {speeds.reading:,.0f} and writes {speeds.writing:,.0f} tok/s ({how})",
        "reading only what is new",
        f"{power.watts:g} W" if power.watts is not None else "no watts known (setting watts)",
        *_prices(power),
    ]
    return "; ".join(parts) + "."


def assumed_api(model: str, power: Power) -> str:
    """The assumptions of the API's side, as one sentence."""
    return "; ".join(
        [
            f"{model} at its list price, with the same tokens",
            "what was sent before is read from its cache",
            *_prices(power),
        ]
    ) + "."  # fmt: skip


def _prices(power: Power) -> list[str]:
    kwh = "no price of electricity (usd_per_kwh)"
    if power.usd_per_kwh is not None:
        kwh = f"${power.usd_per_kwh:g} a kWh"
    card = "hardware left out (card_usd)"
    if power.card_usd is not None:
        card = f"hardware ${power.card_usd:,.0f} over {power.card_hours:,.0f} h"
    return [kwh, card]
