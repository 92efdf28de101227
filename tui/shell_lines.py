"""Lines that the user has a shell run, in the session's sandbox.

Owns their thread and what is said of them while they run and afterwards. Must not know any widget:
what happens is posted as messages. They are the user's own: nothing of what they change counts as
the agent's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from agent.errors import AgentError
from agent.shell_line import KEPT, STOPPED, Work, note, running
from tools.errors import Cancelled, ToolError
from tools.live import Piece, telling
from tools.sandboxing.base import Sandbox
from tools.text_filter import printable


@dataclass
class ShellStarted(Message):
    """A line runs now."""

    line: str


@dataclass
class ShellWrote(Message):
    """What it has written since the last time."""

    piece: Piece


@dataclass
class ShellEnded(Message):
    """It has ended."""

    line: str
    ending: str
    """How: `exit code 0`, `stopped`, why it could not be started."""
    code: int | None
    """Its exit code; None: it was stopped, or could not be started."""
    output: str
    """Head and tail where there is much of it."""
    seconds: float
    told: bool
    """Whether the model is to be told."""

    @property
    def note(self) -> str:
        """What the model is told."""
        return note(self.line, self.ending, self.output)


class ShellLines:
    """Runs one line at a time, beside a turn that may be at work."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        """
        Args:
            post: Takes a message from any thread.
        """
        self._post = post
        self._cancel = threading.Event()
        self._at_work = threading.Lock()

    @property
    def at_work(self) -> bool:
        return self._at_work.locked()

    def run(self, line: str, root: Path, sandbox: Sandbox, *, told: bool) -> bool:
        """Have a shell run a line in a folder; False while another one is at work."""
        return self.start(line, running(line, root, sandbox), told=told)

    def start(self, line: str, work: Work, *, told: bool) -> bool:
        """Have something done as a line is; False while another one is at work.

        Args:
            line: What is shown of it.
            work: Raises `Cancelled` or `ToolError` as a tool does.
        """
        if not self._at_work.acquire(blocking=False):
            return False
        self._cancel.clear()
        self._post(ShellStarted(line))
        arguments = (line, work, told)
        threading.Thread(target=self._work, args=arguments, name="shell", daemon=True).start()
        return True

    def stop(self) -> bool:
        """End the line at work, with all that it started; False if there is none."""
        if not self.at_work:
            return False
        self._cancel.set()
        return True

    def _work(self, line: str, work: Work, told: bool) -> None:
        started, code, output = time.monotonic(), None, ""
        try:
            done = telling(work, self._cancel, lambda it: self._post(ShellWrote(it)), most=KEPT)
            code, output = done.code, done.output
            ending = STOPPED if done.cancelled else done.ending
        except Cancelled:
            ending = STOPPED
        except (AgentError, ToolError, OSError) as error:
            ending = str(error)
            self._post(ShellWrote(Piece(printable(ending))))
        seconds = time.monotonic() - started
        self._at_work.release()
        self._post(ShellEnded(line, ending, code, output, seconds, told))
