"""What is still to be done in a run: which job is next, what may be spent, how jobs ended.

Owns the order and the sums. Must not know how jobs are carried out, nor who watches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from agent.replay.attempt import OUT_OF_TIME, failed
from agent.replay.jobs import STOPPED, Job, Phase, Progress
from agent.replay.results import Attempt, Cause
from agent.replay.store import Fitness, Store


@dataclass(frozen=True, slots=True)
class Budget:
    """What a whole run may cost; None is no limit."""

    dollars: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a job's process ended."""

    code: int
    overdue: bool = False
    """Whether it was killed because it did not end in time."""
    why: str = ""
    """What else is known, in a few words."""


@dataclass(slots=True)
class Spent:
    """Sums over jobs."""

    dollars: float = 0.0
    tokens: int = 0

    def add(self, attempt: Attempt) -> None:
        cost, usage = attempt.cost, attempt.usage
        self.dollars += (cost.api_usd or 0.0) + (cost.electricity_usd or 0.0)
        self.tokens += usage.evaluated + usage.output


class Schedule:
    """The jobs of a run. For one thread."""

    def __init__(
        self,
        store: Store,
        jobs: Iterable[Job],
        *,
        validate: Callable[[Job], bool] = lambda job: False,
        local_workers: int = 1,
        budget: Budget = Budget(),
        again: Callable[[Attempt], bool] = lambda attempt: False,
    ) -> None:
        """
        Args:
            jobs: All of them, in their order; those that have ended are left out here.
            validate: Whether it must be known that a job's instance is fit.
            local_workers: How many jobs of local models may be at work at a time.
            again: Whether an attempt that ended is made again.
        """
        self.ended: list[Attempt] = []
        """Attempts, those of earlier runs first."""
        self.spent = Spent()
        self._store = store
        self._fitness = store.fitness()
        self._local_workers = local_workers
        self._budget = budget
        self._spent_out = False
        """Whether what is left of the budget was too little for a job."""
        self._running: dict[Job, Progress] = {}
        self._wanted: dict[Job, Job] = {}
        """The jobs at work as they were asked for."""
        self._waiting: list[Job] = []
        asked: set[str] = set()
        for job in jobs:
            kept = store.attempt(job.model, job.instance.id, job.number)
            if kept is not None and not again(kept):
                self.ended.append(kept)
                self.spent.add(kept)
                continue
            name = job.instance.id
            if validate(job) and name not in self._fitness and name not in asked:
                asked.add(name)
                self._waiting.append(replace(job, model="", number=1, local=False))
            self._waiting.append(job)
        self._asked = asked
        self._read_stopped()
        self.before = len(self.ended)
        """Attempts that had ended before."""
        self._drop_unfit()

    @property
    def left(self) -> int:
        """Attempts that have not ended."""
        return sum(bool(job.model) for job in (*self._waiting, *self._running))

    @property
    def over(self) -> bool:
        return not self._waiting and not self._running

    @property
    def unfit(self) -> dict[str, str]:
        """Instance → why."""
        return {name: it.trouble for name, it in self._fitness.items() if it.trouble}

    @property
    def exhausted(self) -> str:
        """The limit that the run has reached, in words; empty: none."""
        dollars, tokens = self._now()
        if self._budget.dollars is not None and (
            self._spent_out or dollars >= self._budget.dollars
        ):
            return f"${self._budget.dollars:g} for the whole run"
        if self._budget.tokens is not None and (self._spent_out or tokens >= self._budget.tokens):
            return f"{self._budget.tokens} tokens for the whole run"
        return ""

    def take(self) -> Job | None:
        """The next job that can begin now; None: there is none."""
        if self.exhausted:
            return None
        local = sum(job.local for job in self._running)
        for job in self._waiting:
            if job.model and job.instance.id in self._asked:
                continue
            if job.local and local >= self._local_workers:
                continue
            self._waiting.remove(job)
            begun = self._affordable(job)
            self._running[begun] = Progress(Phase.ENVIRONMENT)
            self._wanted[begun] = job
            return begun
        return None

    def give_back(self, job: Job) -> None:
        """A job was stopped, or who did it is lost: it waits again, before all others."""
        self._stopped(job, self._running.pop(job))
        self._waiting.insert(0, self._wanted.pop(job))

    def progressed(self, job: Job, progress: Progress) -> None:
        self._running[job] = progress

    def finish(self, job: Job, end: End) -> Attempt | Fitness | None:
        """A job has ended; what it came to. None: it kept nothing and is to be done again.

        What cannot be written (the disk is full) counts here, and is done again by the next run.
        """
        if end.code == STOPPED:
            self._spent_out = self._spent_out or job.rationed
            self.give_back(job)
            return None
        progress = self._running.pop(job)
        del self._wanted[job]
        if not job.model:
            return self._judged(job, end)
        kept = self._store.attempt(job.model, job.instance.id, job.number)
        if end.code != 0 or kept is None:
            kept = self._crashed(job, progress, end)
        self.ended.append(kept)
        self.spent.add(kept)
        return kept

    def _judged(self, job: Job, end: End) -> Fitness:
        name = job.instance.id
        found = self._store.fitness().get(name) if end.code == 0 else None
        if found is None:
            found = Fitness(name, f"it could not be found out: {_told(end, job)}")
            with suppress(OSError):
                self._store.judge(found)
        self._fitness[name] = found
        self._asked.discard(name)
        self._drop_unfit()
        return found

    def _crashed(self, job: Job, progress: Progress, end: End) -> Attempt:
        """An attempt whose process did not live to keep it."""
        cause = OUT_OF_TIME[progress.phase] if end.overdue else Cause.INFRASTRUCTURE
        attempt = replace(failed(job, cause, _told(end, job)), steps=progress.steps)
        self._note(progress)
        try:
            draft = self._store.draft(job.model, job.instance.id, job.number)
            self._store.keep(attempt, draft)
        except OSError as error:
            told = f"{attempt.trouble} It cannot be kept: {error.strerror}."
            attempt = replace(attempt, trouble=told)
        return attempt

    def _drop_unfit(self) -> None:
        """What cannot be judged is not attempted."""
        unfit = self.unfit
        self._waiting = [job for job in self._waiting if job.instance.id not in unfit]

    def _affordable(self, job: Job) -> Job:
        """A job with the limits that the rest of the run's budget leaves."""
        dollars, tokens = self._now()
        flags, rationed = dict(job.flags), False
        for name, most, used in (
            ("max_usd", self._budget.dollars, dollars),
            ("max_tokens", self._budget.tokens, tokens),
        ):
            own = job.flags.get(name)
            if most is not None and (own is None or most - used < own):
                flags[name], rationed = most - used, True
        return replace(job, flags=flags, rationed=rationed)

    def _now(self) -> tuple[float, int]:
        """Dollars and tokens spent, those of jobs at work included."""
        at_work = self._running.values()
        return (
            self.spent.dollars + sum(it.dollars for it in at_work),
            self.spent.tokens + sum(it.tokens for it in at_work),
        )

    def _stopped(self, job: Job, progress: Progress) -> None:
        """Remember what a job has cost that kept nothing."""
        self._note(progress)
        if not (progress.tokens or progress.dollars):
            return
        row = {
            "instance": job.instance.id,
            "model": job.model,
            "number": job.number,
            "dollars": progress.dollars,
            "tokens": progress.tokens,
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with (
            suppress(OSError),
            open(os.open(self._store.folder / "stopped.jsonl", flags, 0o600), "ab") as file,
        ):
            file.write(json.dumps(row).encode() + b"\n")

    def _note(self, progress: Progress) -> None:
        self.spent.dollars += progress.dollars
        self.spent.tokens += progress.tokens

    def _read_stopped(self) -> None:
        try:
            lines = (self._store.folder / "stopped.jsonl").read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                row = json.loads(line)
                self._note(Progress(Phase.WORK, 0, int(row["tokens"]), float(row["dollars"])))
            except (ValueError, KeyError, TypeError):  # cut short by a crash
                continue


def _told(end: End, job: Job) -> str:
    if end.overdue:
        return f"It was killed, as it did not end within {job.timeout:g} s."
    how = f"signal {-end.code}" if end.code < 0 else f"exit code {end.code}"
    more = f": {end.why}" if end.why else "; errors.log may say why"
    return f"Its process ended with {how}{more}."
