"""Lines that the user has a shell run, in the session's sandbox.

Owns their thread and what is said of them while they run and afterwards. Must not know any widget:
what happens is posted as messages. They are the user's own: nothing of what they change counts as
the agent's.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from agent.errors import AgentError
from tools.base import Cancel
from tools.errors import Cancelled, ToolError
from tools.interpreters import project_path
from tools.process import Finished, execute
from tools.sandboxing.base import Sandbox
from tools.text_filter import clip

_TIMEOUT = 3600.0
"""Seconds."""
_PACE = 0.05
"""Seconds between two looks of the screen at what was written."""
_AT_ONCE = 8_000
"""Characters that the screen is told at a time: the last ones."""
_KEPT = 64_000
"""Bytes of the output that are kept."""
_TOLD = 4_000
"""Characters of the output that a model is told."""

Work = Callable[[Cancel, Callable[[bytes], object]], Finished]


@dataclass
class ShellStarted(Message):
    """A line runs now."""

    line: str


@dataclass
class ShellWrote(Message):
    """What it has written since the last time, unfiltered; the last of it where there is much."""

    text: str


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
        output = clip(self.output.strip("\n"), _TOLD) or "(no output)"
        return f"I ran a command myself ({self.ending}):\n\n$ {self.line}\n{output}"


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

        def work(cancel: Cancel, heard: Callable[[bytes], object]) -> Finished:
            return execute(
                ["/bin/sh", "-c", line],
                root,
                timeout=_TIMEOUT,
                cancel=cancel,
                env=project_path(root),
                limit=_KEPT,
                sandbox=sandbox,
                heard=heard,
            )

        return self.start(line, work, told=told)

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
        pieces = _Pieces(lambda text: self._post(ShellWrote(text)))
        try:
            done = work(self._cancel, pieces.take)
            code, output = done.code, done.output
            ending = "stopped" if done.cancelled else done.ending
        except Cancelled:
            ending = "stopped"
        except (AgentError, ToolError, OSError) as error:
            ending = str(error)
            pieces.take(ending.encode())
        pieces.tell()
        seconds = time.monotonic() - started
        self._at_work.release()
        self._post(ShellEnded(line, ending, code, output, seconds, told))


class _Pieces:
    """An output as the screen is told of it: not at each of its pieces."""

    def __init__(self, post: Callable[[str], object]) -> None:
        self._post = post
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._told = 0.0

    def take(self, data: bytes) -> None:
        self._text = (self._text + self._decode(data))[-_AT_ONCE:]
        if time.monotonic() - self._told >= _PACE:
            self.tell()

    def tell(self) -> None:
        self._told = time.monotonic()
        if self._text:
            self._post(self._text)
        self._text = ""
