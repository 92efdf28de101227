"""What the attempts of a replay amount to: scores, comparisons, breakdowns, causes, spending.

Owns the rules of what counts. Must not know where attempts are kept, nor how a score is shown.

An instance counts for a model if it is fit and at least one attempt at it was judged. Attempts that
the infrastructure failed are left out, never counted as failures; tests that ran out of time are
failures, and told apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from agent.costs import Cost
from agent.models.base import Usage
from agent.replay.results import Attempt, Cause
from agent.replay.statistics import (
    Interval,
    mcnemar,
    paired_difference,
    pass_at_k,
    wilson,
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some instances were resolved."""

    resolved: float
    """A fraction where instances have several attempts: the sum of their means."""
    instances: int
    interval: Interval
    """95 %, from 0 to 1."""

    @property
    def value(self) -> float:
        return self.resolved / self.instances if self.instances else 0.0


@dataclass(frozen=True, slots=True)
class Spending:
    """What some attempts took, in all."""

    attempts: int
    resolved: int
    """Attempts."""
    seconds: float
    model_seconds: float
    tool_seconds: float
    environment_seconds: float
    usage: Usage
    cost: Cost
    median_seconds: float
    """Of one attempt."""
    median_steps: float

    @property
    def dollars(self) -> float | None:
        """For tokens, and for electricity where its price is known; None: not known."""
        if self.cost.api_usd is None:
            return None
        return self.cost.api_usd + (self.cost.electricity_usd or 0.0)

    @property
    def dollars_per_resolved(self) -> float | None:
        dollars = self.dollars
        return None if dollars is None or not self.resolved else dollars / self.resolved

    @property
    def watt_hours_per_resolved(self) -> float | None:
        hours = self.cost.watt_hours
        return None if hours is None or not self.resolved else hours / self.resolved


@dataclass(frozen=True, slots=True)
class Score:
    """What one model came to."""

    model: str
    rate: Rate
    """pass@1."""
    at: Mapping[int, float]
    """k → pass@k over the instances with at least k judged attempts, where all have as many."""
    causes: Mapping[Cause, int]
    """Of the attempts that were judged, in the order of `Cause`; none that did not occur."""
    timed_out: int
    """Attempts whose tests ran out of time; failures."""
    infrastructure: int
    """Attempts that say nothing of the model; not counted."""
    unfit: int
    """Instances that this environment cannot judge; not counted."""
    spending: Spending


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same instances, by the first judged attempt of each."""

    one: str
    other: str
    both: int
    only_one: int
    only_other: int
    neither: int
    p_value: float
    """McNemar, exact."""
    difference: float
    """Of the proportions, one less the other."""
    interval: Interval

    @property
    def instances(self) -> int:
        return self.both + self.only_one + self.only_other + self.neither


@dataclass(frozen=True, slots=True)
class Group:
    """The instances, or attempts, that have something in common."""

    capability: str
    """By what they were grouped: `files in the gold patch`."""
    label: str
    """`2–3`."""
    rate: Rate


def judged(attempts: Iterable[Attempt], unfit: Collection[str] = ()) -> list[Attempt]:
    """Those that say something of their model."""
    return [
        attempt
        for attempt in attempts
        if attempt.cause is not Cause.INFRASTRUCTURE and attempt.instance not in unfit
    ]


def rate(attempts: Iterable[Attempt]) -> Rate:
    """pass@1 over the instances of these attempts, each the mean of its own."""
    means = [sum(outcomes) / len(outcomes) for outcomes in _by_instance(attempts).values()]
    resolved = sum(means)
    return Rate(resolved, len(means), wilson(resolved, len(means)))


def score(model: str, attempts: Iterable[Attempt], unfit: Collection[str] = ()) -> Score:
    """What a model came to, of the attempts of all models."""
    own = [attempt for attempt in attempts if attempt.model == model]
    counted = judged(own, unfit)
    outcomes = _by_instance(counted)
    fewest = min(map(len, outcomes.values()), default=0)
    found = Counter(attempt.cause for attempt in counted)
    return Score(
        model,
        rate(counted),
        {
            k: sum(pass_at_k(len(one), sum(one), k) for one in outcomes.values()) / len(outcomes)
            for k in range(1, fewest + 1)
        },
        {cause: found[cause] for cause in Cause if found[cause]},
        found[Cause.TIMED_OUT],
        sum(a.cause is Cause.INFRASTRUCTURE and a.instance not in unfit for a in own),
        len({attempt.instance for attempt in own} & set(unfit)),
        spending(counted),
    )


def spending(attempts: Sequence[Attempt]) -> Spending:
    """What attempts took, in all."""
    return Spending(
        len(attempts),
        sum(attempt.cause is Cause.NONE for attempt in attempts),
        sum(attempt.seconds for attempt in attempts),
        sum(attempt.model_seconds for attempt in attempts),
        sum(attempt.tool_seconds for attempt in attempts),
        sum(attempt.environment_seconds for attempt in attempts),
        sum((attempt.usage for attempt in attempts), Usage()),
        sum((attempt.cost for attempt in attempts), Cost()),
        median([attempt.seconds for attempt in attempts] or [0.0]),
        median([attempt.steps for attempt in attempts] or [0.0]),
    )


def compare(
    one: str, other: str, attempts: Iterable[Attempt], unfit: Collection[str] = ()
) -> Comparison:
    """Two models on the instances that count for both."""
    counted = judged(attempts, unfit)
    first, second = _firsts(one, counted), _firsts(other, counted)
    pairs = Counter((first[name], second[name]) for name in first.keys() & second.keys())
    both, only_one = pairs[True, True], pairs[True, False]
    only_other, neither = pairs[False, True], pairs[False, False]
    total = both + only_one + only_other + neither
    return Comparison(
        one,
        other,
        both,
        only_one,
        only_other,
        neither,
        mcnemar(only_one, only_other),
        (only_one - only_other) / total if total else 0.0,
        paired_difference(both, only_one, only_other, neither),
    )


def breakdown(
    attempts: Iterable[Attempt],
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Group]:
    """Where a model's judged attempts succeed: by the gold patch, by what they did.

    Args:
        labels: More capabilities: name → instance → label, as of difficulty and source.
    """
    counted = list(attempts)
    groups = []
    for capability, label in _CAPABILITIES:
        groups += _grouped(capability, label, counted)
    for capability, known in (labels or {}).items():
        groups += _grouped(capability, lambda it, known=known: known.get(it.instance, ""), counted)  # type: ignore[misc]
    return groups


def _grouped(
    capability: str, label: Callable[[Attempt], str], attempts: Sequence[Attempt]
) -> list[Group]:
    """Groups in the order of their labels' first number; attempts without a label are left out."""
    sorted_in: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if name := label(attempt):
            sorted_in.setdefault(name, []).append(attempt)
    return [Group(capability, name, rate(sorted_in[name])) for name in sorted(sorted_in, key=_rank)]


def _rank(label: str) -> tuple[float, str]:
    number = re.search(r"\d+", label)
    below = label.startswith("<")
    return (int(number[0]) - 0.5 * below if number else math.inf, label)


def _span(value: int, bounds: Sequence[int]) -> str:
    """The range of whole numbers that a value lies in: `2–3`, `51 or more`; empty below them."""
    low = bounds[0]
    if value < low:
        return ""
    for bound in bounds[1:]:
        if value < bound:
            return str(low) if bound == low + 1 else f"{low}–{bound - 1}"
        low = bound
    return f"{low} or more"


def _whether(flag: bool) -> str:
    return "yes" if flag else "no"


_CAPABILITIES: tuple[tuple[str, Callable[[Attempt], str]], ...] = (
    ("files in the gold patch", lambda it: _span(it.gold_files, (1, 2, 4))),
    ("lines in the gold patch", lambda it: _span(it.gold_lines, (1, 6, 21, 51))),
    ("steps", lambda it: _span(it.steps, (0, 6, 16, 41))),
    ("the right file was found", lambda it: _whether(it.found)),
    ("an edit was applied", lambda it: _whether(it.edited)),
    ("tests were run", lambda it: _whether(it.tested)),
)


def _by_instance(attempts: Iterable[Attempt]) -> dict[str, list[bool]]:
    outcomes: dict[str, list[bool]] = {}
    for attempt in attempts:
        outcomes.setdefault(attempt.instance, []).append(attempt.cause is Cause.NONE)
    return outcomes


def _firsts(model: str, attempts: Iterable[Attempt]) -> dict[str, bool]:
    """Instance → whether the model's first judged attempt resolved it."""
    own = sorted((it for it in attempts if it.model == model), key=lambda it: -it.number)
    return {attempt.instance: attempt.cause is Cause.NONE for attempt in own}
