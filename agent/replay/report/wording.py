"""Figures as people read them, and what the reports say in common. Must not know a format."""

from __future__ import annotations

from agent.models.base import Usage
from agent.replay.report.content import Content
from agent.replay.scores import Comparison, Rate, Score
from agent.replay.store import Plan

UNKNOWN = "–"


def per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def interval(rate: Rate) -> str:
    return f"{100 * rate.interval.low:.1f}–{100 * rate.interval.high:.1f} %"


def resolved(rate: Rate) -> str:
    """`3 of 10`; with a fraction where instances had several attempts."""
    return f"{rate.resolved:.4g} of {rate.instances}"


def dollars(amount: float | None) -> str:
    if amount is None:
        return UNKNOWN
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def watt_hours(amount: float | None) -> str:
    if amount is None:
        return UNKNOWN
    if amount == 0:
        return "none here"
    return f"{amount / 1000:,.2f} kWh" if amount >= 1000 else f"{amount:.3g} Wh"


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def count(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            scale = 1e3 if unit == "k" else size
            return f"{number / scale:,.1f} {unit}"
    return f"{number:,.0f}"


def tokens(usage: Usage) -> str:
    """Read and written; a script has none."""
    if not usage.prompt and not usage.output:
        return UNKNOWN
    return f"{count(usage.prompt)} / {count(usage.output)}"


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def verdict(pair: Comparison) -> str:
    """What a comparison says, in words."""
    if not pair.instances:
        return "no instance in common"
    if pair.p_value < 0.05:
        better, other = (pair.one, pair.other) if pair.difference > 0 else (pair.other, pair.one)
        return f"{better} resolves more than {other}"
    return "no difference is shown"


def headline(content: Content) -> str:
    """The report in a sentence or two."""
    lines = [
        f"{gap.model}: {per_cent(gap.function)} of the functions, "
        f"{per_cent(gap.repository)} of the repository tasks"
        for gap in content.gaps
    ]
    if not lines:
        lines = [
            f"{score.model}: {resolved(score.rate)} ({level.title.lower()})"
            for level in content.levels
            for score in level.scores
        ]
    return "; ".join(lines) + "." if lines else "Nothing was attempted yet."


def conditions(plan: Plan) -> str:
    """What a run was limited to and asked for, besides the defaults."""
    limits = [f"{name} {value:g}" for name, value in plan.limits.items()]
    return ", ".join([*limits, *(f"{name} {it}" for name, it in plan.settings.items())]) or "usual"


def not_counted(score: Score) -> str:
    """What of a model's attempts says nothing of it."""
    parts = []
    if score.infrastructure:
        parts.append(f"{score.infrastructure} infrastructure")
    if score.unfit:
        parts.append(f"{score.unfit} unfit")
    return ", ".join(parts) or "none"


def at_k(score: Score) -> str:
    """pass@k for every k above one."""
    return ", ".join(f"pass@{k} {per_cent(value)}" for k, value in score.at.items() if k > 1)
