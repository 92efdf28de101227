"""Whether a run is at work in a folder, and how it stands, for those who look on from elsewhere.

Owns the lock and the file that tells what has not ended yet; what has ended lies in the folder
anyway. Must not know who looks on.
"""

from __future__ import annotations

import fcntl
import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from agent import private
from agent.errors import InputError
from agent.replay.jobs import Job, Phase, Progress
from agent.replay.results import Attempt
from agent.replay.store import LOCK, Fitness

if TYPE_CHECKING:
    from agent.replay.engine import Watcher
    from agent.replay.schedule import Schedule

FILE = "standing.json"
_EVERY = 0.4
"""Seconds between two writings, at least."""
_TRIES = 10
_PAUSE = 0.02
"""Seconds between two tries to have the lock: who looks whether it is held holds it meanwhile."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """A job that is being done."""

    instance: str
    model: str
    """Empty: whether the instance is fit is found out."""
    number: int
    since: float
    """Seconds since the epoch."""
    progress: Progress


@dataclass(frozen=True, slots=True)
class Standing:
    """A run on its way."""

    since: float
    """When it began, or went on; seconds since the epoch."""
    fresh: int = 0
    """Attempts that have ended since then."""
    left: int = 0
    """Attempts that have not ended."""
    jobs: tuple[AtWork, ...] = ()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """
    Raises:
        InputError: The folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The run's folder {folder} cannot be written: {reason}.") from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder, which is made.

    Raises:
        InputError: One is in it, or it cannot be written.
    """
    with writing(folder):
        private.make_folder(folder)
        lock = (folder / LOCK).open("ab")
    with lock as file:
        for tried in range(1, _TRIES + 1):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if tried == _TRIES:
                    raise InputError(f"Another run is at work in {folder}.") from None
                time.sleep(_PAUSE)
        with writing(folder):  # of a run that was killed, it would be believed
            (folder / FILE).unlink(missing_ok=True)
        yield


def is_at_work(folder: Path) -> bool:
    """Whether a run holds the folder; one on another machine is not seen."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def standing(folder: Path) -> Standing | None:
    """How the run that is at work in a folder stands; None: it has not told yet."""
    try:
        return _adapter().validate_json((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None


@dataclass(slots=True)
class Noting:
    """Writes down how a run stands, and hands on what it is told. Implements `Watcher`."""

    watcher: Watcher
    schedule: Schedule
    folder: Path
    _began: float = field(default_factory=time.time)
    _jobs: dict[int, AtWork] = field(default_factory=dict)
    _written: float = float("-inf")
    _changed: bool = True

    def began(self, job: Job) -> None:
        at_work = AtWork(
            job.instance.id, job.model, job.number, time.time(), Progress(Phase.ENVIRONMENT)
        )
        self._jobs[id(job)] = at_work
        self._changed = True
        self.watcher.began(job)

    def progressed(self, job: Job, progress: Progress) -> None:
        at = self._jobs[id(job)]
        self._jobs[id(job)] = AtWork(at.instance, at.model, at.number, at.since, progress)
        self._changed = True
        self.watcher.progressed(job, progress)

    def ended(self, job: Job, result: Attempt | Fitness | None) -> None:
        del self._jobs[id(job)]
        self._changed = True
        self.watcher.ended(job, result)

    def tick(self) -> None:
        now = time.monotonic()
        if self._changed and now - self._written >= _EVERY:
            self._written, self._changed = now, False
            self._write()
        self.watcher.tick()

    def close(self) -> None:
        """There is nothing at work any more."""
        with suppress(OSError):
            (self.folder / FILE).unlink(missing_ok=True)

    def _write(self) -> None:
        fresh = len(self.schedule.ended) - self.schedule.before
        told = Standing(self._began, fresh, self.schedule.left, tuple(self._jobs.values()))
        with suppress(OSError):  # the run does not depend on being watched
            private.write(self.folder / FILE, _adapter().dump_json(told), lasting=False)


@functools.cache
def _adapter() -> TypeAdapter[Standing]:
    return TypeAdapter(Standing)
