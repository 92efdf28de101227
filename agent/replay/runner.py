"""A process that carries out jobs, each in a child of its own that it forks.

What takes time to import is imported once, so that a job begins within milliseconds; what a job
does to its process (a crash, a leak, a changed environment) ends with it. Owns the child's side of
the pipe. Must not know which jobs there are.

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

from agent.replay.attempt import carry_out
from agent.replay.jobs import STOPPED, Began, Ended, Job, Phase, Progress
from tools.base import Cancelled

_PAUSE = 0.1
"""Seconds between two tellings of a job's progress, at least."""


def main() -> None:
    """Serve until the parent closes its side. The descriptor of ours is the last argument."""
    parent: Connection[Began | Progress | Ended, Job] = Connection(int(sys.argv[-1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent says when to stop
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            job = parent.recv()
        except EOFError:
            return
        if not _serve(job, parent):
            return


def _serve(job: Job, parent: Connection[Began | Progress | Ended, Job]) -> bool:
    """Carry out one job; whether there is still somebody who wants to know."""
    told: Connection[object, Progress]
    telling: Connection[Progress, object]
    told, telling = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        parent.close()
        told.close()
        _child(job, telling)
    telling.close()
    with suppress(PermissionError):  # it was quicker
        os.setpgid(pid, pid)
    try:
        parent.send(Began(pid))
        while True:
            if parent in wait([told, parent]):  # it only ever closes its side meanwhile
                raise BrokenPipeError
            try:
                parent.send(told.recv())
            except (EOFError, OSError):  # OSError: it died in the middle of a word
                break
        _, status = os.waitpid(pid, 0)
        _kill(pid)
        parent.send(Ended(os.waitstatus_to_exitcode(status)))
    except (BrokenPipeError, ConnectionResetError):
        _kill(pid)
        return False
    finally:
        told.close()
    return True


def _child(job: Job, telling: Connection[Progress, object]) -> None:
    """Carry the job out and end; never returns."""
    code = 1
    try:
        with suppress(PermissionError):
            os.setpgid(0, 0)
        cancel = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            cancel.set()

        signal.signal(signal.SIGTERM, stop)
        carry_out(job, _Teller(telling), cancel)
        code = 0
    except Cancelled:
        code = STOPPED
    except BaseException:  # a child of a fork must not run its parent's code
        print(f"{job.name}:", file=sys.stderr)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Teller:
    """Tells progress, not more often than anybody can see; a change of phase always."""

    def __init__(self, telling: Connection[Progress, object]) -> None:
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
