"""What a report says, gathered from replays: every figure once, before anything is laid out.

Owns what is counted where. Must not know a format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from agent.replay.report.economics import Month
from agent.replay.report.published import Published, published
from agent.replay.report.trajectory import Beat, read_trajectory
from agent.replay.results import Attempt, Cause
from agent.replay.scores import Comparison, Group, Score, breakdown, compare, judged, score
from agent.replay.sharing import divided, shares
from agent.replay.store import Listed, Plan, Replay
from tools.text_filter import clip, printable

LEVELS = {"function": "Function-level", "repository": "Repository-level"}
_TOLD = 30_000_000
"""Characters of trajectories and logs in a report."""
_MOST, _LEAST = 160_000, 4_000
"""Of one attempt."""


@dataclass(frozen=True, slots=True)
class Told:
    """One attempt, with what there is to read of it."""

    attempt: Attempt
    verdict: str
    """`resolved`, `unresolved`, `timed out`; `infrastructure` and `unfit` do not count."""
    beats: tuple[Beat, ...]
    patch: str
    log: str

    @property
    def counts(self) -> bool:
        return self.verdict not in ("infrastructure", "unfit")


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance and all attempts at it."""

    listed: Listed
    problem: str
    gold: str
    unfit: str
    """Why it does not count; empty: it does."""
    attempts: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """The instances of one kind."""

    kind: str
    sets: tuple[str, ...]
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    groups: Mapping[str, tuple[Group, ...]]
    """By model."""

    @property
    def title(self) -> str:
        return LEVELS[self.kind]


@dataclass(frozen=True, slots=True)
class Gap:
    """One model at both levels."""

    model: str
    function: float
    repository: float
    """From 0 to 1."""

    @property
    def points(self) -> float:
        return 100 * (self.function - self.repository)


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report says."""

    runs: tuple[tuple[str, Plan], ...]
    """The folder's name and what was to be done there."""
    models: tuple[str, ...]
    levels: tuple[Level, ...]
    gaps: tuple[Gap, ...]
    entries: tuple[Entry, ...]
    skipped: Mapping[str, str]
    """Rows that could not be used → why."""
    published: tuple[Published, ...]
    month: Month

    @property
    def troubled(self) -> tuple[Attempt, ...]:
        """Attempts that the infrastructure failed."""
        return self._with("infrastructure")

    @property
    def timed_out(self) -> tuple[Attempt, ...]:
        return self._with("timed out")

    @property
    def unfit(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.unfit)

    def _with(self, verdict: str) -> tuple[Attempt, ...]:
        told = (each for entry in self.entries for each in entry.attempts)
        return tuple(each.attempt for each in told if each.verdict == verdict)


def gather(replays: Sequence[Replay], month: Month | None = None) -> Content:
    """What the replays came to, together. What is the same in several counts as more attempts.

    Args:
        month: The user's own; what they cost is measured where that can be.
    """
    listed = {item.id: item for replay in replays for item in replay.instances}
    unfit = _unfit(replays)
    attempts, shared = _shared(_attempts(replays, unfit))
    names = _names(dict.fromkeys(model for replay in replays for model in replay.plan.models))
    models = tuple(names.values())
    named = {
        instance: [(replace(it, model=names[it.model]), replay) for it, replay in made]
        for instance, made in attempts.items()
    }
    levels = tuple(
        _level(kind, listed, models, named, unfit)
        for kind in LEVELS
        if any(item.kind == kind for item in listed.values())
    )
    room = max(_LEAST, min(_MOST, _TOLD // max(1, sum(map(len, attempts.values())))))
    return Content(
        runs=tuple((replay.folder.name, replay.plan) for replay in replays),
        models=models,
        levels=levels,
        gaps=_gaps(models, levels),
        entries=tuple(
            Entry(
                item,
                printable(item.problem),
                clip(printable(item.gold), _MOST),
                unfit.get(item.id, ""),
                tuple(
                    _told(attempt, replay, names[attempt.model], unfit, room)
                    for attempt, replay in attempts.get(item.id, ())
                ),
            )
            for item in listed.values()
        ),
        skipped={row: why for replay in replays for row, why in replay.plan.skipped.items()},
        published=published(),
        month=_measured(month or Month(), [a for each in named.values() for a, _ in each], shared),
    )


def _names(models: Iterable[str]) -> dict[str, str]:
    """Models as the report calls them: a file by its name, where that is not another's too."""
    short = {
        it: it.rpartition("/")[2].removesuffix(".gguf") if it.endswith(".gguf") else it
        for it in models
    }
    taken = Counter(short.values())
    return {it: name if taken[name] == 1 else it for it, name in short.items()}


def _unfit(replays: Sequence[Replay]) -> dict[str, str]:
    """Instances that no replay could judge."""
    fit = {
        item.id for replay in replays for item in replay.instances if item.id not in replay.unfit
    }
    return {
        name: printable(why)
        for replay in replays
        for name, why in replay.unfit.items()
        if name not in fit
    }


def _attempts(
    replays: Sequence[Replay], unfit: Mapping[str, str]
) -> dict[str, list[tuple[Attempt, Replay]]]:
    """By instance; numbered anew where several replays made the same."""
    found: dict[str, list[tuple[Attempt, Replay]]] = {}
    for replay in replays:
        for attempt in replay.attempts:
            if attempt.instance in replay.unfit and attempt.instance not in unfit:
                continue  # another environment could judge it
            found.setdefault(attempt.instance, []).append((attempt, replay))
    return found


def _shared(
    attempts: Mapping[str, Sequence[tuple[Attempt, Replay]]],
) -> tuple[dict[str, list[tuple[Attempt, Replay]]], list[float]]:
    """Attempts with their part of the energy, and how much of the machine fell to each."""
    parts = shares([attempt for made in attempts.values() for attempt, _ in made])
    left = iter(parts)
    divided_up = {
        instance: [(replace(it, cost=divided(it.cost, next(left))), replay) for it, replay in made]
        for instance, made in attempts.items()
    }
    return divided_up, parts


def _level(
    kind: str,
    listed: Mapping[str, Listed],
    models: Sequence[str],
    attempts: Mapping[str, Sequence[tuple[Attempt, Replay]]],
    unfit: Mapping[str, str],
) -> Level:
    own = [item for item in listed.values() if item.kind == kind]
    made = _renumbered([attempt for item in own for attempt, _ in attempts.get(item.id, ())])
    tried = [model for model in models if any(attempt.model == model for attempt in made)]
    labels = {
        name: {item.id: getattr(item, name) for item in own} for name in ("difficulty", "source")
    }
    for name in [name for name, known in labels.items() if len(set(known.values())) < 2]:
        del labels[name]
    return Level(
        kind,
        tuple(dict.fromkeys(item.source or item.repo for item in own)),
        tuple(score(model, made, unfit) for model in tried),
        tuple(compare(one, other, made, unfit) for one, other in combinations(tried, 2)),
        {
            model: tuple(breakdown([it for it in judged(made, unfit) if it.model == model], labels))
            for model in tried
        },
    )


def _renumbered(attempts: Sequence[Attempt]) -> list[Attempt]:
    counts: dict[tuple[str, str], int] = {}
    numbered = []
    for attempt in attempts:
        key = (attempt.model, attempt.instance)
        counts[key] = counts.get(key, 0) + 1
        numbered.append(replace(attempt, number=counts[key]))
    return numbered


def _gaps(models: Sequence[str], levels: Sequence[Level]) -> tuple[Gap, ...]:
    rates = {
        (level.kind, score.model): score.rate.value
        for level in levels
        for score in level.scores
        if score.rate.instances
    }
    return tuple(
        Gap(model, rates["function", model], rates["repository", model])
        for model in models
        if ("function", model) in rates and ("repository", model) in rates
    )


def _told(attempt: Attempt, replay: Replay, name: str, unfit: Mapping[str, str], room: int) -> Told:
    if attempt.instance in unfit:
        verdict = "unfit"
    elif attempt.cause is Cause.INFRASTRUCTURE:
        verdict = "infrastructure"
    elif attempt.cause is Cause.TIMED_OUT:
        verdict = "timed out"
    else:
        verdict = "resolved" if attempt.cause is Cause.NONE else "unresolved"
    return Told(
        replace(attempt, model=name),
        verdict,
        read_trajectory(replay.place(attempt) / "session" / "record.jsonl", room // 2),
        clip(printable(attempt.patch), room // 4),
        clip(printable(replay.log(attempt)), room // 4, head=0.2),
    )


def _measured(month: Month, attempts: Sequence[Attempt], shared: Sequence[float]) -> Month:
    """The user's month with what a session took in these replays, where it was measured, in the
    place of what is usual.

    What was bought from an API tells the price of a session, what drew power here its minutes.

    Args:
        shared: How much of the machine fell to each attempt.
    """
    usual = Month()
    counted = [(it, part) for it, part in zip(attempts, shared, strict=True) if judged([it])]
    bought = [it.cost.api_usd for it, _ in counted if it.cost.api_usd]
    local = [
        it.model_seconds * part
        for it, part in counted
        if it.cost.sources or it.cost.watt_hours is None
    ]
    if bought and month.usd_per_session == usual.usd_per_session:
        month = replace(month, usd_per_session=round(sum(bought) / len(bought), 4))
    if local and month.minutes == usual.minutes:
        month = replace(month, minutes=round(sum(local) / len(local) / 60, 2))
    return month
