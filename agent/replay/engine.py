"""Carries the jobs of a run out on this machine, several at a time, each in a process of its own.

Owns those processes: their start, their time, their end. Must not know what a job does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Protocol

from agent.replay.jobs import STOPPED, Began, Ended, Job, Progress
from agent.replay.results import Attempt
from agent.replay.schedule import End, Schedule
from agent.replay.store import Fitness
from tools.base import Cancel

_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); from agent.replay.runner import main; main()"
)
"""The package is named by its place, so that neither the working directory nor PYTHONPATH can
put another `agent` before it."""
TICK = 0.25
"""Seconds between two looks at the clock."""
_GRACE = 20.0
"""Seconds that a job which was told to stop, or is out of time, has to put its things in order."""


class Watcher(Protocol):
    """Somebody who wants to see how a run goes."""

    def began(self, job: Job) -> None: ...

    def progressed(self, job: Job, progress: Progress) -> None: ...

    def ended(self, job: Job, result: Attempt | Fitness | None) -> None:
        """None: it was stopped, and is done again when the run goes on."""
        ...

    def tick(self) -> None:
        """Called several times a second."""
        ...


class Engine(Protocol):
    """Carries out a schedule."""

    def run(self, schedule: Schedule, watcher: Watcher, cancel: Cancel) -> None:
        """Until everything is done, the budget is spent, or `cancel` is set."""
        ...


class LocalEngine:
    """Implements `Engine` with child processes."""

    def __init__(self, workers: int, errors: Path) -> None:
        """
        Args:
            workers: Jobs at a time.
            errors: What jobs write to stderr is appended to this file.
        """
        self._workers = workers
        self._errors = errors

    def run(self, schedule: Schedule, watcher: Watcher, cancel: Cancel) -> None:
        slots: list[Slot] = []
        with self._errors.open("ab") as errors:
            try:
                while True:
                    stopping = cancel.is_set() or bool(schedule.exhausted)
                    if not stopping:
                        self._fill(slots, schedule, watcher, errors)
                    busy = [slot for slot in slots if slot.job is not None]
                    if not busy:
                        return
                    ready = wait([slot.connection for slot in busy], TICK)
                    for slot in busy:
                        if slot.connection in ready:
                            _take_in(slot, schedule, watcher)
                        slot.look(stopping)
                    slots = [slot for slot in slots if not slot.gone]
                    watcher.tick()
            finally:
                for slot in slots:
                    slot.close()

    def _fill(
        self, slots: list[Slot], schedule: Schedule, watcher: Watcher, errors: IO[bytes]
    ) -> None:
        while sum(slot.job is not None for slot in slots) < self._workers:
            job = schedule.take()
            if job is None:
                return
            # A model that is kept is kept in few processes, and for its own jobs.
            idle = [it for it in slots if it.job is None and bool(it.model) == job.local]
            slot = max(idle, key=lambda it: it.model == job.model, default=None)
            if slot is None:
                slot = Slot(errors)
                slots.append(slot)
            slot.begin(job)
            watcher.began(job)


class Slot:
    """One process that takes jobs, one after the other; see `agent.replay.runner`."""

    def __init__(self, errors: IO[bytes]) -> None:
        import agent

        ours, theirs = socket.socketpair()
        with theirs:
            home = str(Path(agent.__file__).resolve().parent.parent)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _LAUNCH, home, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=dict(os.environ),
                pass_fds=(theirs.fileno(),),
                # Ctrl-C in the terminal is for the run, which stops in its own way.
                start_new_session=True,
            )
        self.connection: Connection[Job, object] = Connection(ours.detach())
        self.job: Job | None = None
        self.model = ""
        """The local model that it keeps; empty: none."""
        self.gone = False
        self._pid = 0
        self._until = 0.0
        self._told_to_stop = False
        self._overdue = False

    def begin(self, job: Job) -> None:
        self.job = job
        self.model = job.model if job.local else ""
        self._pid = 0
        self._until = time.monotonic() + job.timeout + _GRACE
        self._told_to_stop = self._overdue = False
        with suppress(BrokenPipeError):  # heard of at the next look
            self.connection.send(job)

    def hear(self) -> Progress | End | None:
        """Wait for what the process says next; after an `End` it has no job."""
        try:
            told = self.connection.recv()
        except (EOFError, OSError):
            code = self._process.wait() or -signal.SIGKILL
            self.close()
            return self._ended(code)
        match told:
            case Progress():
                return told
            case Ended(code, why):
                return self._ended(code, why)
            case Began(pid):
                self._pid = pid
        return None

    def look(self, stopping: bool) -> None:
        """Stop what is to stop, and kill what does not."""
        if self.job is None or self.gone:
            return
        now = time.monotonic()
        if stopping and not self._told_to_stop and self._pid:
            self._told_to_stop = True
            self._until = min(self._until, now + _GRACE)
            _signal(self._pid, signal.SIGTERM)
        if now >= self._until:
            self._overdue = not self._told_to_stop
            if self._pid:
                _signal(-self._pid, signal.SIGKILL)
            if now >= self._until + _GRACE:
                self._process.kill()

    def close(self) -> None:
        """End it, and what it does."""
        if self.gone:
            return
        self.gone = True
        self.connection.close()  # upon which it ends its job, and itself
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self, code: int, why: str = "") -> End:
        self.job = None
        stopped = self._told_to_stop and code == -signal.SIGKILL
        return End(STOPPED if stopped else code, self._overdue, why)


def _take_in(slot: Slot, schedule: Schedule, watcher: Watcher) -> None:
    job, told = slot.job, slot.hear()
    assert job is not None
    match told:
        case Progress():
            schedule.progressed(job, told)
            watcher.progressed(job, told)
        case End():
            watcher.ended(job, schedule.finish(job, told))


def _signal(pid: int, number: signal.Signals) -> None:
    """A process, or with a negative number its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
