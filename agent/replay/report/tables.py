"""The tables of a report, cell by cell, for every format. Must not know any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.replay.report import wording as say
from agent.replay.report.content import Content, Level
from agent.replay.report.economics import break_even
from agent.replay.results import Cause
from tools.text_filter import clip_line, printable

_REASON = 200
"""Characters of why something does not count."""


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the names of columns, rows of as many cells. The first cell names its row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    figures: bool = True
    """Whether the cells after the first are figures, set to the right."""


def scores(level: Level) -> Table:
    """What each model came to."""
    columns = ("model", "resolved", "pass@1", "95 % interval", "not counted", "timed out")
    deeper = any(len(score.at) > 1 for score in level.scores)
    return Table(
        f"{level.title}: {', '.join(level.sets)}",
        (*columns, "more attempts") if deeper else columns,
        tuple(
            (
                score.model,
                say.resolved(score.rate),
                say.per_cent(score.rate.value),
                say.interval(score.rate),
                say.not_counted(score),
                str(score.timed_out),
                *([say.at_k(score) or say.UNKNOWN] if deeper else []),
            )
            for score in level.scores
        ),
        "pass@1 is the mean over instances; the interval is Wilson's.",
    )


def pairs(level: Level) -> Table:
    """Two models each on the instances that count for both."""
    return Table(
        f"{level.title}: models compared on the same instances",
        ("models", "both", "only the first", "only the second", "neither", "p", "in words"),
        tuple(
            (
                f"{pair.one} / {pair.other}",
                str(pair.both),
                str(pair.only_one),
                str(pair.only_other),
                str(pair.neither),
                say.p_value(pair.p_value),
                say.verdict(pair),
            )
            for pair in level.comparisons
        ),
        "p is McNemar's exact test: how often chance alone would part the models so far.",
    )


def causes(level: Level) -> Table:
    """Why attempts failed."""
    there = [cause for cause in Cause if any(score.causes.get(cause) for score in level.scores)]
    return Table(
        f"{level.title}: what became of the attempts",
        ("cause", *(score.model for score in level.scores)),
        tuple(
            (cause.value, *(str(score.causes.get(cause, 0)) for score in level.scores))
            for cause in there
        ),
    )


def capabilities(level: Level) -> Table:
    """Where each model succeeds."""
    keys = dict.fromkeys(
        (group.capability, group.label) for groups in level.groups.values() for group in groups
    )
    order = list(dict.fromkeys(capability for capability, _ in keys))
    known = {
        (model, group.capability, group.label): group.rate
        for model, groups in level.groups.items()
        for group in groups
    }
    rows = []
    for capability, label in sorted(keys, key=lambda key: order.index(key[0])):
        cells = []
        for model in level.groups:
            rate = known.get((model, capability, label))
            cells.append(
                f"{say.resolved(rate)} ({100 * rate.value:.0f} %)" if rate else say.UNKNOWN
            )
        rows.append((f"{capability}: {label}", *cells))
    return Table(
        f"{level.title}: resolved, by what was asked and done",
        ("instances", *level.groups),
        tuple(rows),
    )


def costs(level: Level) -> Table:
    """What attempts took."""
    rows = []
    for score in level.scores:
        spent = score.spending
        usage = spent.usage
        rows.append(
            (
                score.model,
                say.dollars(spent.dollars_per_resolved),
                say.watt_hours(spent.watt_hours_per_resolved),
                say.dollars(spent.dollars),
                say.watt_hours(spent.cost.watt_hours),
                say.tokens(usage),
                say.duration(spent.median_seconds),
                f"{spent.median_steps:g}",
            )
        )
    return Table(
        f"{level.title}: cost and energy",
        (
            "model",
            "$ per resolved",
            "energy per resolved",
            "$ in all",
            "energy in all",
            "tokens read / written",
            "median time",
            "median steps",
        ),
        tuple(rows),
        f"{say.UNKNOWN}: not known, or nothing was resolved. The energy of a card, or of a "
        "processor, is divided among the attempts whose models worked on it at the same time.",
    )


def published(content: Content) -> Table:
    """What others have published."""
    return Table(
        "Published by others, not measured here",
        ("model", "set", "score", "source", "date"),
        tuple(
            (one.model, one.set, f"{one.score} %", one.source, one.date)
            for one in content.published
        ),
        "Other prompts, other harnesses, other days: beside the measured scores, not among them.",
        figures=False,
    )


def economics(content: Content) -> Table:
    """The month on the API against the month on the card."""
    month = content.month
    result = break_even(month)
    months = "never" if result.months is None else f"{result.months:,.1f} months"
    return Table(
        "Card or API: the break-even",
        ("what", "figure"),
        (
            ("sessions a month", f"{result.monthly_sessions:g}"),
            ("API, a month", f"${result.api_usd:,.2f}"),
            (
                "card, electricity of a month",
                f"${result.electricity_usd:,.2f} ({result.kwh:,.1f} kWh)",
            ),
            ("card", f"${month.card_usd:,.0f}"),
            ("break-even after", months),
        ),
        f"{month.sessions:g} sessions a day on {month.days:g} days; {month.usd_per_session:g} $ "
        f"and {month.minutes:g} minutes a session; {month.watts:g} W; {month.usd_per_kwh:g} $ a "
        "kWh. It says nothing of what either resolves.",
    )


def left_out(content: Content) -> Iterator[Table]:
    """What does not count, and why."""
    if content.unfit:
        rows = tuple((entry.listed.id, _reason(entry.unfit)) for entry in content.unfit)
        yield Table("Unfit instances: not counted", ("instance", "why"), rows, figures=False)
    if content.troubled:
        failed = tuple(
            (f"{it.instance}, {it.model}", _reason(it.trouble)) for it in content.troubled
        )
        yield Table("Infrastructure: not counted", ("attempt", "why"), failed, figures=False)
    if content.timed_out:
        late = tuple(
            (f"{it.instance}, {it.model}", "counted as failed") for it in content.timed_out
        )
        yield Table("Tests that ran out of time", ("attempt", "how"), late, figures=False)
    if content.skipped:
        rest = tuple((row, _reason(why)) for row, why in content.skipped.items())
        yield Table("Rows that could not be read", ("row", "why"), rest, figures=False)


def runs(content: Content) -> Table:
    """Where the figures come from."""
    columns = ("folder", "tasks", "models", "attempts", "environment", "conditions", "begun")
    rows = tuple(
        (
            name,
            plan.tasks,
            ", ".join(plan.models),
            str(plan.attempts),
            plan.environment,
            say.conditions(plan),
            plan.started,
        )
        for name, plan in content.runs
    )
    return Table("The runs of this report", columns, rows, figures=False)


def tables(content: Content) -> Iterator[Table]:
    """All of them that say something, in the order of a report."""
    for level in content.levels:
        yield scores(level)
        if level.comparisons:
            yield pairs(level)
        yield causes(level)
        yield capabilities(level)
        yield costs(level)
    yield economics(content)
    yield published(content)
    yield from left_out(content)


def _reason(text: str) -> str:
    return clip_line(" ".join(printable(text).split()), _REASON) or say.UNKNOWN
