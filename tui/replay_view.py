"""Which rows of a replay are shown, in which order, and what they sum up to.

Owns the choice and the sums. Must not know how either looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.replay.following import Row, State


class Sort(StrEnum):
    """By what rows are sorted; the words are those of the columns."""

    RUN = "run"
    """As the run goes."""
    VERDICT = "verdict"
    TIME = "time"
    TOKENS = "tokens"
    DOLLARS = "$"
    STEPS = "step"


class Show(StrEnum):
    """Which rows are shown."""

    ALL = "all"
    UNRESOLVED = "unresolved"
    """What has ended and is not resolved, for whatever reason."""
    RUNNING = "at work"


_STATES = {
    Show.ALL: tuple(State),
    Show.UNRESOLVED: (State.UNRESOLVED, State.APART),
    Show.RUNNING: (State.RUNNING,),
}
_RANK = {state: rank for rank, state in enumerate(State)}


def arranged(rows: Iterable[Row], sort: Sort, show: Show, words: Sequence[str]) -> list[Row]:
    """The rows that are shown.

    Args:
        words: Each of them is in the instance's or the model's name, or in the verdict.
    """
    states = _STATES[show]
    wanted = [word.casefold() for word in words]
    chosen = [row for row in rows if row.state in states and _has(row, wanted)]
    match sort:
        case Sort.RUN:
            return chosen
        case Sort.VERDICT:
            return sorted(chosen, key=lambda row: (_RANK[row.state], row.verdict))
        case Sort.TIME:
            return sorted(chosen, key=lambda row: -row.seconds)
        case Sort.TOKENS:
            return sorted(chosen, key=lambda row: -row.tokens)
        case Sort.DOLLARS:
            return sorted(chosen, key=lambda row: -row.dollars)
        case Sort.STEPS:
            return sorted(chosen, key=lambda row: -row.steps)


def _has(row: Row, words: Sequence[str]) -> bool:
    text = f"{row.instance} {row.model} {row.verdict}".casefold() if words else ""
    return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over rows."""

    resolved: int = 0
    unresolved: int = 0
    apart: int = 0
    """Ended, and not counted."""
    running: int = 0
    waiting: int = 0
    tokens: int = 0
    dollars: float = 0.0

    @property
    def counted(self) -> int:
        return self.resolved + self.unresolved

    @property
    def ended(self) -> int:
        return self.counted + self.apart

    @property
    def all(self) -> int:
        return self.ended + self.running + self.waiting


def tally(rows: Iterable[Row]) -> Tally:
    states: Counter[State] = Counter()
    tokens, dollars = 0, 0.0
    for row in rows:
        states[row.state] += 1
        tokens += row.tokens
        dollars += row.dollars
    return Tally(
        states[State.RESOLVED],
        states[State.UNRESOLVED],
        states[State.APART],
        states[State.RUNNING],
        states[State.WAITING],
        tokens,
        dollars,
    )
