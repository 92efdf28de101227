"""A process that carries out jobs in children that it forks.

What takes time to import is imported once, so that a job begins within milliseconds; what a job
does to its process (a crash, a leak, a changed environment) ends with it. Jobs of a local model
share a child, which keeps the model loaded; after a crash the next job has a new one. Owns the
child's side of the pipe. Must not know which jobs there are.

The parent sends `Job`s one at a time and is told `Began`, any number of `Progress`, `Ended`. When
the parent is gone, or has closed its side, the job is killed with all its processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from types import FrameType
from typing import NoReturn, TypeAlias

from agent.replay.attempt import carry_out
from agent.replay.jobs import STOPPED, Began, Ended, Job, Phase, Progress
from agent.replay.kept import KeptModel
from tools.errors import Cancelled

_PAUSE = 0.1
"""Seconds between two tellings of a job's progress, at least."""
_Parent: TypeAlias = "Connection[Began | Progress | Ended, Job]"


def main() -> None:
    """Serve until the parent closes its side. The descriptor of ours is the last argument."""
    parent: _Parent = Connection(int(sys.argv[-1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent says when to stop
        signal.signal(number, signal.SIG_IGN)
    child: _Child | None = None
    while True:
        try:
            job = parent.recv()
        except EOFError:
            break
        if child is None or not child.fits(job):
            if child is not None:
                child.end()
            child = _Child(parent, job.model if job.local else "")
        if not child.serve(job, parent):
            break
        if not child.model:
            child = None
    if child is not None:
        child.end()


class _Child:
    """A process that carries out one job; or those of one local model, which it keeps."""

    def __init__(self, parent: _Parent, model: str) -> None:
        self.model = model
        """The local model; empty: it does one job."""
        self._code: int | None = None
        theirs: Connection[Progress | Ended, Job]
        self._jobs, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            parent.close()
            self._jobs.close()
            _work(theirs)
        theirs.close()
        with suppress(PermissionError):  # it was quicker
            os.setpgid(self._pid, self._pid)

    def fits(self, job: Job) -> bool:
        """Whether it can do a job: it lives, and keeps the model."""
        return job.local and job.model == self.model and self._ended(os.WNOHANG) is None

    def serve(self, job: Job, parent: _Parent) -> bool:
        """Have one job carried out; whether there is still somebody who wants to know."""
        try:
            parent.send(Began(self._pid))
            ended = self._conduct(job, parent) or Ended(self._ended() or 0)
            if not self.model:
                self.end()
            parent.send(ended)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _conduct(self, job: Job, parent: _Parent) -> Ended | None:
        """
        Raises:
            BrokenPipeError: The parent has closed its side.
        """
        try:
            self._jobs.send(job)
        except BrokenPipeError:
            return None
        while True:
            if parent in wait([self._jobs, parent]):  # it only ever closes its side meanwhile
                raise BrokenPipeError
            try:
                told = self._jobs.recv()
            except (EOFError, OSError):  # OSError: it died in the middle of a word
                return None
            if isinstance(told, Ended):
                return told
            parent.send(told)

    def end(self) -> None:
        """End it with all its processes."""
        self._jobs.close()
        _kill(self._pid)
        self._ended()

    def _ended(self, how: int = 0) -> int | None:
        """Its exit code; None: it lives, and is not waited for."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, how)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


def _work(jobs: Connection[Progress | Ended, Job]) -> NoReturn:
    """Carry jobs out until no more come, and end."""
    code = 1
    try:
        with suppress(PermissionError):
            os.setpgid(0, 0)
        opening, variables = KeptModel(), dict(os.environ)
        while True:
            jobs.send(_done(jobs.recv(), jobs, opening))
            os.environ.clear()
            os.environ.update(variables)
    except (EOFError, OSError):
        code = 0
    finally:  # a child of a fork must not run its parent's code
        os._exit(code)


def _done(job: Job, telling: Connection[Progress | Ended, Job], opening: KeptModel) -> Ended:
    """Carry one job out."""
    cancel = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        cancel.set()

    signal.signal(signal.SIGTERM, stop)
    try:
        carry_out(job, _Teller(telling), cancel, opening)
    except Cancelled:
        return Ended(STOPPED)
    except OSError as error:
        return Ended(1, error.strerror or str(error))
    except Exception:  # the process's edge: whatever breaks a job ends that job alone
        with suppress(OSError):  # the disk may be full
            print(f"{job.name}:", file=sys.stderr)
            traceback.print_exc()
        return Ended(1)
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return Ended(0)


class _Teller:
    """Tells progress, not more often than anybody can see; a change of phase always."""

    def __init__(self, telling: Connection[Progress | Ended, Job]) -> None:
        self._telling = telling
        self._phase: Phase | None = None
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase is self._phase and now < self._next:
            return
        self._phase, self._next = progress.phase, now + _PAUSE
        self._telling.send(progress)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
