"""`agent replay` in a process of its own, for somebody who watches it on a screen.

It is the same command; only its question is asked here. Owns the process and what the two say to
each other. Must not know who watches, nor what a run does: how it stands is read in its folder.

Whoever is gone cannot answer: when the other side of the pipe closes, whatever the reason, the run
stops in its own time, and goes on with the same words another time. There is no other way to stop
it: a second signal would end it at once.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from agent.replay.background import main; main(int(sys.argv[2]), sys.argv[3:])"
)
"""The package is named by its place, as in `agent.replay.engine`."""
_LINES = 200
"""Lines that are kept of what it says."""


class Background:
    """One run. Its attributes may be looked at any time."""

    def __init__(self, words: Sequence[str], cwd: Path) -> None:
        """
        Args:
            words: What follows `agent replay`.
            cwd: The folder that they are meant in.

        Raises:
            OSError: It cannot be started.
        """
        self.words = tuple(words)
        self.question = ""
        """That it waits for an answer to; empty: none."""
        self.said: deque[str] = deque(maxlen=_LINES)
        """Its lines, raw."""
        self.code: int | None = None
        """Its exit code; None: it is at work."""
        self.stopping = False
        """Whether it was told to stop."""
        home = str(Path(__file__).resolve().parents[2])
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _LAUNCH, home, str(theirs.fileno()), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=os.environ,  # it is this program once more, and needs the user's keys
                pass_fds=(theirs.fileno(),),
                # Ctrl-C in the terminal is not for the run.
                start_new_session=True,
                text=True,
                errors="backslashreplace",
            )
        self._wire: Connection[bool, str] = Connection(os.dup(self._ours.fileno()))
        threading.Thread(target=self._hear_questions, name="replay", daemon=True).start()
        threading.Thread(target=self._hear_lines, name="replay", daemon=True).start()

    @property
    def at_work(self) -> bool:
        return self.code is None

    def answer(self, yes: bool) -> None:
        """Answer its question."""
        self.question = ""
        with suppress(OSError):  # it has ended
            self._wire.send(yes)

    def stop(self) -> None:
        """Have it stop in its own time: what is at work is made again when the run goes on."""
        if self.at_work:
            self.stopping = True
            with suppress(OSError):  # it is told already, or has ended
                self._ours.shutdown(socket.SHUT_RDWR)

    def _hear_questions(self) -> None:
        with self._wire, suppress(EOFError, OSError):
            while True:
                self.question = self._wire.recv()

    def _hear_lines(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.said.append(line.rstrip("\n"))
        self.code = self._process.wait()
        self._ours.close()


def main(wire: int, words: Sequence[str]) -> None:
    """The other end: run the command. Ends the process."""
    from agent.cli import main as command  # with all that belongs to it

    command(["replay", *words], _Asker(Connection(wire)).ask)


class _Asker:
    """Has the question answered by whoever started this process."""

    def __init__(self, wire: Connection[str, bool]) -> None:
        self._wire = wire
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        threading.Thread(target=self._hear, name="watcher", daemon=True).start()

    def ask(self, question: str) -> bool:
        with suppress(OSError):
            self._wire.send(question)
        return self._answers.get()

    def _hear(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._answers.put(self._wire.recv())
        # Nobody may be left to read what it says, which is no reason to end before its own time.
        with open(os.devnull, "wb") as nowhere:
            for stream in (1, 2):
                os.dup2(nowhere.fileno(), stream)
        os.kill(os.getpid(), signal.SIGTERM)
