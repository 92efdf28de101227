"""Carries the jobs of a run out on a Ray cluster that is there already.

Owns what a job is given of the cluster, and what becomes of it when a machine is lost. Must not
know what a job does. Each node needs this package, the models that it is to run, and their keys.

A job that a model of a card does is done by an actor that holds a card; every other one is a task.
Neither shares a disk with us: the files of an attempt come back with its end.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, TaskCancelledError

from agent.errors import InputError
from agent.replay.engine import TICK, Slot, Watcher
from agent.replay.jobs import Job, Progress
from agent.replay.schedule import End, Schedule
from agent.replay.store import Fitness, Store
from tools.base import Cancel

_TRIES = 3
"""Machines that a job may be lost with before it counts as failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended on a node, and what it left."""

    end: End
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Of an attempt."""
    fitness: Fitness | None = None


def carry_out(job: Job) -> Iterator[Progress | Result]:
    """Do a job on the machine that this is called on."""
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        own = replace(job, output=Path(name))
        store = Store(own.output)
        with (own.output / "errors.log").open("ab") as errors:
            slot = Slot(errors)
            try:
                slot.begin(own)
                end: End | None = None
                while end is None:
                    told = slot.hear() if wait([slot.connection], TICK) else None
                    slot.look(stopping=False)
                    if isinstance(told, Progress):
                        yield told
                    elif isinstance(told, End):
                        end = told
            finally:
                slot.close()
        said = (own.output / "errors.log").read_text(errors="replace").strip().splitlines()
        end = replace(end, why=said[-1]) if said and end.code else end
        files = store.packed(job.model, job.instance.id, job.number) if job.model else {}
        yield Result(end, files, store.fitness().get(job.instance.id))


class _Card:
    """An actor that holds a graphics card, or where the cluster has none, a machine."""

    def carry_out(self, job: Job) -> Iterator[Progress | Result]:
        yield from carry_out(job)


@dataclass(slots=True, eq=False)
class _Running:
    job: Job
    told: Any
    """The generator of what it tells; Ray has no public type for it."""
    card: Any = None


class RayEngine:
    """Implements `agent.replay.engine.Engine`."""

    def __init__(self, store: Store, workers: int = 0, address: str = "auto") -> None:
        """
        Args:
            workers: Jobs at a time; 0: as many as the cluster has processors.
            address: The cluster's.

        Raises:
            InputError: There is no cluster.
        """
        try:
            ray.init(address, log_to_driver=False, ignore_reinit_error=True)
        except (ConnectionError, RuntimeError) as error:
            raise InputError(
                "There is no Ray cluster: begin one with `ray start --head`, or name one in "
                f"RAY_ADDRESS ({str(error).splitlines()[0]})."
            ) from error
        self._store = store
        self._workers = workers
        self._lost: Counter[tuple[str, str, int]] = Counter()
        self._cards: list[Any] = []

    @property
    def cards(self) -> int:
        """Local models that may be at work at a time."""
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        return int(_resources("GPU")) or sum(bool(node["Alive"]) for node in nodes)

    def run(self, schedule: Schedule, watcher: Watcher, cancel: Cancel) -> None:
        # What Ray has to say it says on stdout, which is for what came out.
        with redirect_stdout(sys.stderr):
            self._run(schedule, watcher, cancel)

    def _run(self, schedule: Schedule, watcher: Watcher, cancel: Cancel) -> None:
        running: list[_Running] = []
        try:
            while True:
                stopping = cancel.is_set() or bool(schedule.exhausted)
                if not stopping:
                    self._fill(running, schedule, watcher)
                if not running or stopping:
                    break
                ready, _ = ray.wait([it.told for it in running], timeout=TICK, fetch_local=False)
                for one in [it for it in running if it.told in ready]:
                    if self._hear(one, schedule, watcher):
                        running.remove(one)
                watcher.tick()
        finally:
            for one in running:
                ray.cancel(one.told)
                schedule.give_back(one.job)
                watcher.ended(one.job, None)
            for card in self._cards:
                ray.kill(card)
            ray.shutdown()

    def _fill(self, running: list[_Running], schedule: Schedule, watcher: Watcher) -> None:
        most = self._workers or int(_resources("CPU"))
        while len(running) < most:
            job = schedule.take()
            if job is None:
                return
            running.append(self._begin(job))
            watcher.began(job)

    def _begin(self, job: Job) -> _Running:
        if job.local:
            card = self._cards.pop() if self._cards else _new_card()
            told = card.carry_out.options(num_returns="streaming").remote(job)
            return _Running(job, told, card)
        # Lost jobs are begun anew here, where the schedule knows of them.
        task = ray.remote(num_cpus=1, num_returns="streaming", max_retries=0)(carry_out)
        return _Running(job, task.remote(job))

    def _hear(self, one: _Running, schedule: Schedule, watcher: Watcher) -> bool:
        """Take in what a job tells next; whether it has ended."""
        job = one.job
        try:
            told = ray.get(next(one.told))
        except (RayError, StopIteration) as error:
            self._lose(job, error, schedule, watcher)
            return True
        if isinstance(told, Progress):
            schedule.progressed(job, told)
            watcher.progressed(job, told)
            return False
        if one.card is not None:
            self._cards.append(one.card)
        end = told.end
        try:
            if told.files:
                self._store.adopt(job.model, job.instance.id, job.number, told.files)
            if told.fitness is not None:
                self._store.judge(told.fitness)
        except OSError as error:
            end = End(1, why=error.strerror or str(error))
        watcher.ended(job, schedule.finish(job, end))
        return True

    def _lose(self, job: Job, error: Exception, schedule: Schedule, watcher: Watcher) -> None:
        """A job's machine or process is gone: others take it up, a few times."""
        key = (job.instance.id, job.model, job.number)
        self._lost[key] += 1
        if self._lost[key] < _TRIES or isinstance(error, TaskCancelledError):
            schedule.give_back(job)
            watcher.ended(job, None)
            time.sleep(TICK)  # the cluster may not know yet that the machine is gone
        else:
            why = f"lost {_TRIES} times: {str(error).strip().splitlines()[0]}"
            watcher.ended(job, schedule.finish(job, End(1, why=why)))


def _new_card() -> Any:  # noqa: ANN401  Ray has no public type for it
    wanted = {"num_gpus": 1} if _resources("GPU") else {"num_cpus": 1}
    return ray.remote(_Card).options(**wanted, scheduling_strategy="SPREAD").remote()


def _resources(name: str) -> float:
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return float(there.get(name, 0))
