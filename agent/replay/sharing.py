"""How much of a machine falls to each of the attempts that work on it at a time.

A meter tells what the whole card, or the whole processor, draws: with several attempts on it each
is given all of that. Here what was drawn is divided, at every moment in equal parts, among those
at work then. Owns that rule. Must not know meters, nor what the energy costs.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from agent.costs import Cost
from agent.replay.results import Attempt


def place_of_work(environ: Mapping[str, str] = os.environ) -> str:
    """What a local model works on here; where it is the same, it is shared."""
    return f"{platform.node()} {environ.get('CUDA_VISIBLE_DEVICES', '')}".strip()


def shares(attempts: Sequence[Attempt]) -> list[float]:
    """The part of what was drawn meanwhile that falls to each attempt, above 0 and at most 1."""
    spans = [_span(attempt) for attempt in attempts]
    by_place: dict[str, list[tuple[float, float]]] = {}
    for attempt, span in zip(attempts, spans, strict=True):
        if span is not None:
            by_place.setdefault(attempt.place, []).append(span)
    courses = {place: _course(known) for place, known in by_place.items()}
    return [
        1.0 if span is None else _share(span, courses[attempt.place])
        for attempt, span in zip(attempts, spans, strict=True)
    ]


def divided(cost: Cost, share: float) -> Cost:
    """A cost with its part of the energy."""
    if share == 1.0:
        return cost
    return replace(
        cost,
        watt_hours=None if cost.watt_hours is None else cost.watt_hours * share,
        electricity_usd=None if cost.electricity_usd is None else cost.electricity_usd * share,
    )


def _span(attempt: Attempt) -> tuple[float, float] | None:
    """From when to when a model worked on this machine; None: none did, or it is not known."""
    worked = attempt.model_seconds + attempt.tool_seconds
    if not attempt.cost.sources or worked <= 0:
        return None
    try:
        begun = datetime.fromisoformat(attempt.started).timestamp() + attempt.environment_seconds
    except ValueError:
        return None
    return begun, begun + worked


def _course(spans: Sequence[tuple[float, float]]) -> list[tuple[float, int]]:
    """From which moment on how many are at work."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    course, number = [], 0
    for moment, change in changes:
        number += change
        course.append((moment, number))
    return course


def _share(span: tuple[float, float], course: Sequence[tuple[float, int]]) -> float:
    begin, end = span
    total = 0.0
    for (moment, number), (later, _) in pairwise(course):
        covered = min(end, later) - max(begin, moment)
        if covered > 0 and number > 0:
            total += covered / number
    return min(1.0, total / (end - begin))
