"""How much of a machine falls to each of the attempts that work on it at a time.

A meter tells what the whole card, or the whole processor, draws: with several attempts on it each
is given all of that. Here what was drawn is divided, at every moment in equal parts, among those
whose models answered then: a meter runs only meanwhile. Attempts with different cards of a machine
are divided apart, so each keeps all that its processors drew.

Owns that rule. Must not know meters, nor what the energy costs.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.costs import Cost
from agent.replay.results import Attempt


def place_of_work(environ: Mapping[str, str] = os.environ) -> str:
    """What a local model works on here, as the cards are named to it; the same place is shared."""
    return f"{platform.node()} {environ.get('CUDA_VISIBLE_DEVICES', '')}".strip()


def shares(attempts: Sequence[Attempt]) -> list[float]:
    """The part of what was drawn meanwhile that falls to each attempt, above 0 and at most 1."""
    by_place: dict[str, list[tuple[float, float]]] = {}
    for attempt in attempts:
        by_place.setdefault(attempt.place, []).extend(attempt.worked)
    courses = {place: _course(spans) for place, spans in by_place.items()}
    return [_share(attempt.worked, courses[attempt.place]) for attempt in attempts]


def divided(cost: Cost, share: float) -> Cost:
    """A cost with its part of the energy."""
    if share == 1.0:
        return cost
    return replace(
        cost,
        watt_hours=None if cost.watt_hours is None else cost.watt_hours * share,
        electricity_usd=None if cost.electricity_usd is None else cost.electricity_usd * share,
    )


def _course(spans: Sequence[tuple[float, float]]) -> dict[float, float]:
    """The seconds that would have fallen to one who was there all along, until each moment at
    which somebody began or ended."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    course: dict[float, float] = {}
    number, before, fallen = 0, 0.0, 0.0
    for moment, change in changes:
        fallen += (moment - before) / number if number else 0.0
        course[moment] = fallen
        number, before = number + change, moment
    return course


def _share(spans: Sequence[tuple[float, float]], course: Mapping[float, float]) -> float:
    worked = sum(end - begin for begin, end in spans)
    if worked <= 0:
        return 1.0
    return min(1.0, sum(course[end] - course[begin] for begin, end in spans) / worked)
