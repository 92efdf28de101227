"""This session's cost beside what it would have cost on the other kind of model.

Owns the choice of that other model and the lines that tell of both. Must not know any widget; the
reckoning is `agent.costs` and `agent.alternative`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.alternative import (
    Local,
    Power,
    Speeds,
    assumed_api,
    assumed_local,
    on_local,
    ran_local,
)
from agent.config import Settings
from agent.costs import Cost, cost_on
from agent.durations import duration
from agent.errors import ModelMissing
from agent.models.base import Tariff, Usage
from agent.models.opening import Backend, backend
from agent.printer import costs, dollars
from tui.measures import Step


@dataclass(frozen=True, slots=True)
class Line:
    """What steps cost on one model."""

    model: str
    parts: tuple[str, ...]
    """As `$0.0123`, `1.2 Wh ($0.0004)`, `41 s`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both ways."""

    here: tuple[Line, ...] = ()
    """As it was."""
    there: tuple[Line, ...] = ()
    """As it would have been."""
    assumptions: tuple[str, ...] = ()
    """What the other way rests on, a sentence each."""


@dataclass(frozen=True, slots=True)
class Others:
    """Models that the session is compared with, where it used them; empty: the default."""

    local: str = ""
    claude: str = ""

    @classmethod
    def of(cls, names: Sequence[str]) -> Others:
        """The newest of each kind among names that models were asked for by."""
        local = [name for name in names if name and backend(name) is Backend.LOCAL]
        claude = [name for name in names if backend(name) is Backend.CLAUDE]
        return cls(*(kind[-1] if kind else "" for kind in (local, claude)))


def compare(steps: Sequence[Step], others: Others, settings: Settings) -> Comparison:
    """What was paid, and what would have been; may take a second at first: prices are loaded."""
    power = Power(settings.watts, settings.usd_per_kwh, settings.card_usd, settings.card_hours)
    here, there, assumptions = [], [], []
    sold = [step for step in steps if _is_sold(step.cost)]
    own = [step for step in steps if not _is_sold(step.cost)]
    for model in dict.fromkeys(step.model for step in steps):
        here.append(Line(model, tuple(_paid([s for s in steps if s.model == model], power))))
    if own or not steps:
        name = _claude(others.claude)
        usd = cost_on((step.usage for step in own), Tariff(name, "anthropic"))
        told = "price unknown" if usd is None else dollars(usd)
        there.append(Line(name, (told,)))
        assumptions.append(assumed_api(name, power))
    if sold:
        expected = _local(others.local, own)
        if expected is None:
            assumptions.append("How fast a local model would be here is not known.")
        else:
            name, speeds = expected
            local = on_local((step.usage for step in sold), speeds, power)
            there.append(Line(name, tuple(_local_parts(local))))
            assumptions.append(assumed_local(name, speeds, power))
    return Comparison(tuple(here), tuple(there), tuple(assumptions))


def _is_sold(cost: Cost) -> bool:
    return cost.api_usd is None or cost.api_usd > 0


def _paid(steps: Sequence[Step], power: Power) -> Iterator[str]:
    """What steps of one model came to."""
    cost = sum((step.cost for step in steps), Cost())
    seconds = sum(step.seconds for step in steps)
    if cost.watt_hours is None or cost.watt_hours > 0:
        yield from _local_parts(ran_local(seconds, cost.watt_hours, power))
        return
    yield from costs(cost) or ["free"]
    yield duration(seconds, whole=True)


def _local_parts(local: Local) -> Iterator[str]:
    if local.usd is not None:
        yield dollars(local.usd)
    if local.watt_hours is not None:
        paid = f" ({dollars(local.electricity_usd)})" if local.electricity_usd else ""
        yield f"{local.watt_hours:.{1 if local.watt_hours >= 1 else 3}f} Wh{paid}"
    if local.hardware_usd is not None:
        yield f"hardware {dollars(local.hardware_usd)}"
    yield duration(local.seconds, whole=True)


def _claude(name: str) -> str:
    from agent.models.claude.known import ALIAS, Known  # 5 ms; only to compare

    return Known.load().default if name in ("", ALIAS) else name


def _local(name: str, own: Sequence[Step]) -> tuple[str, Speeds] | None:
    """A local model and its speeds: as measured in the session, else as they are expected."""
    for model in dict.fromkeys(step.model for step in reversed(own)):
        usages: list[Usage] = [step.usage for step in own if step.model == model]
        if measured := Speeds.of(usages):
            return model, measured
    # 60 ms, and a look at the memory's speed; only to compare
    from agent.hardware import detect
    from agent.models.catalogue import Catalogue
    from agent.models.survey import bandwidth_of

    hardware, catalogue = detect(), Catalogue.load()
    try:
        entry = catalogue.find(name) if name else catalogue.default_for(hardware)
    except ModelMissing:
        entry = catalogue.default_for(hardware)
    bandwidth = bandwidth_of(hardware)
    if bandwidth is None:
        return None
    ceiling = bandwidth / entry.shape.active
    return entry.name, Speeds.expected(ceiling, on_card=bool(hardware.usable_gpus))
