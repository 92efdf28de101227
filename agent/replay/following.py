"""A replay's folder as rows that can be watched: one for each attempt, ended, at work or to come.

Owns the looking, which reads again only what has changed. Must not know how rows are shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from agent.replay.jobs import Phase
from agent.replay.results import Attempt, Cause
from agent.replay.standing import AtWork, Standing, is_at_work, standing
from agent.replay.store import Listed, Plan, Store
from agent.replay.table import time_left

_WAITS = {Phase.ENVIRONMENT: "environment", Phase.TESTS: "its tests run"}


class State(StrEnum):
    """Of an attempt."""

    RUNNING = "at work"
    WAITING = "waiting"
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    APART = "not counted"
    """The infrastructure failed, or the instance is unfit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt of a model at an instance."""

    instance: str
    model: str
    number: int
    state: State = State.WAITING
    verdict: str = ""
    """What it came to, or what it does just now: text from outside."""
    why: str = ""
    """What went wrong beside the model, in one line: text from outside."""
    steps: int = 0
    tokens: int = 0
    """Read and written; what a cache held is not counted."""
    dollars: float = 0.0
    seconds: float = 0.0
    """That it has taken."""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.instance, self.model, self.number


@dataclass(frozen=True, slots=True)
class View:
    """A replay at one moment."""

    plan: Plan
    rows: tuple[Row, ...]
    """In the order of instances, numbers, models."""
    at_work: bool
    """Whether a run is at work in the folder."""
    seconds_left: float | None = None
    """None: too little has ended to tell."""


class Follower:
    """Looks at a replay's folder, as often as wanted. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self._seen: dict[Path, int] = {}
        """Files and folders, and when they changed last, as they were read."""
        self._plan: Plan | None = None
        self._instances: tuple[Listed, ...] = ()
        self._unfit: dict[str, str] = {}
        self._ended: dict[tuple[str, str, int], tuple[int, Row]] = {}

    def look(self) -> View:
        """
        Raises:
            InputError: There is no replay in the folder, or it cannot be read.
        """
        folder = self._store.folder
        # Before the rest: what ends meanwhile is found among what has ended.
        at_work = is_at_work(folder)
        stands = standing(folder) if at_work else None
        if self._changed(folder / "run.json") or self._plan is None:
            self._plan = self._store.plan()
        if self._changed(folder / "instances.jsonl"):
            self._instances = tuple(it for it in self._store.instances() if _is_name(it.id))
        if self._changed(folder / "fitness"):
            known = self._store.fitness()
            self._unfit = {name: it.trouble for name, it in known.items() if it.trouble}
        self._read_ended(self._plan)
        rows = tuple(self._rows(self._plan, stands))
        left = None
        if stands is not None:
            left = time_left(time.time() - stands.since, stands.fresh, stands.left)
        return View(self._plan, rows, at_work, left)

    def listed(self, instance: str) -> Listed | None:
        """An instance, as it was when the folder was looked at last."""
        return next((it for it in self._instances if it.id == instance), None)

    def _rows(self, plan: Plan, stands: Standing | None) -> Iterator[Row]:
        jobs = {(job.instance, job.model, job.number): job for job in stands.jobs} if stands else {}
        for item in self._instances:
            for number in range(1, plan.attempts + 1):
                for model in plan.models:
                    key = (item.id, model, number)
                    row = Row(*key)
                    if job := jobs.get(key):
                        yield _running(row, job)
                    elif key in self._ended:
                        yield self._ended[key][1]
                    elif item.id in self._unfit:
                        why = self._unfit[item.id]
                        yield replace(row, state=State.APART, verdict="unfit", why=why)
                    elif (item.id, "", 1) in jobs:
                        yield replace(row, verdict="is it fit?")
                    else:
                        yield row

    def _read_ended(self, plan: Plan) -> None:
        """Read the attempts that have ended since the last look, or were made again."""
        for number in range(1, plan.attempts + 1):
            for model in plan.models:
                folder = self._store.place(model, "-", number).parent
                # The first run that was added to has new instances, and no new attempts.
                if not self._changed(folder):
                    continue
                for item in self._instances:
                    self._read(item.id, model, number)

    def _read(self, instance: str, model: str, number: int) -> None:
        key = (instance, model, number)
        when = _when(self._store.place(model, instance, number) / "result.json")
        if not when or self._ended.get(key, (0, None))[0] == when:
            return
        attempt = self._store.attempt(model, instance, number)
        if attempt is not None:
            self._ended[key] = (when, ended(attempt))

    def _changed(self, place: Path) -> bool:
        """Whether a file or a folder is another than at the last look."""
        when = _when(place)
        if self._seen.get(place) == when:
            return False
        self._seen[place] = when
        return True


def ended(attempt: Attempt) -> Row:
    """The row of an attempt that has ended."""
    state = State.UNRESOLVED
    if attempt.cause in (Cause.NONE, Cause.INFRASTRUCTURE):
        state = State.RESOLVED if attempt.cause is Cause.NONE else State.APART
    usage, cost = attempt.usage, attempt.cost
    return Row(
        attempt.instance,
        attempt.model,
        attempt.number,
        state,
        attempt.cause.value,
        attempt.trouble,
        attempt.steps,
        usage.evaluated + usage.output,
        (cost.api_usd or 0.0) + (cost.electricity_usd or 0.0),
        attempt.seconds,
    )


def _running(row: Row, job: AtWork) -> Row:
    at = job.progress
    return replace(
        row,
        state=State.RUNNING,
        verdict=_WAITS.get(at.phase, at.doing),
        steps=at.steps,
        tokens=at.tokens,
        dollars=at.dollars,
        seconds=max(0.0, time.time() - job.since),
    )


def _is_name(text: str) -> bool:
    """Whether it names something in a folder, and nothing elsewhere."""
    return text not in ("", ".", "..") and not {"/", "\0"} & set(text)


def _when(place: Path) -> int:
    """When it changed last; 0: it is not there."""
    try:
        return place.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0
