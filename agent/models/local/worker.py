"""The process that holds the model: reads frames, answers them one after the other.

Owns the process: its pipes, its log, its end when the other side is gone. Must not know who asks
or why; nothing of the repository that is worked on is within its sight but the text it is sent.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from agent.models.base import ModelEvent
from agent.models.local import protocol
from agent.models.local.protocol import (
    Ask,
    Cancel,
    Count,
    Counted,
    Event,
    Failed,
    Fault,
    Load,
    Loaded,
    Loading,
)

if TYPE_CHECKING:
    from agent.models.local.conversation import Conversation

_SIGN = 1.0
"""Seconds between two signs of life at least."""
_PR_SET_PDEATHSIG = 1


class Worker:
    """Frames in, frames out."""

    def __init__(self, source: io.BufferedReader, sink: io.RawIOBase) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._turn = threading.Lock()
        """Held while the request that a cancel may concern changes."""
        self._asks: queue.SimpleQueue[Ask | Load] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._current = 0
        self._next_sign = 0.0
        self._listening: object = None
        self._conversation: Conversation | None = None
        self.log: deque[str] = deque(maxlen=40)

    def run(self) -> None:
        """Serve until the process ends."""
        threading.Thread(target=self._read, daemon=True, name="frames").start()
        while True:
            match self._asks.get():
                case Load() as load:
                    self._load(load)
                case Ask() as ask:
                    self._answer(ask)

    def send(self, frame: protocol.FromWorker) -> None:
        data = protocol.encode(frame)
        with self._writing:
            view = memoryview(data)
            while view:
                view = view[self._sink.write(view) or 0 :]

    def _read(self) -> None:
        """Take frames in while the main thread is at work; the stream's end ends the process."""
        try:
            while (frame := protocol.read(self._source)) is not None:
                match frame:
                    case Cancel():
                        self._cancel(frame.id)
                    case Count():
                        conversation = self._conversation
                        if conversation is not None:
                            self.send(Counted(frame.id, conversation.count(frame.text)))
                    case _:
                        self._asks.put(frame)
        except (protocol.FrameError, OSError) as error:
            print(f"worker: {error}", file=sys.stderr)
        # llama.cpp may be in the midst of a batch; there is nothing worth an orderly end.
        os._exit(0)

    def _cancel(self, number: int) -> None:
        with self._turn:
            self._cancelled.add(number)
            if number == self._current and self._conversation is not None:
                self._conversation.driver.abort()

    def _load(self, load: Load) -> None:
        # 300 ms; after the reader runs, so that the end of the other side is noticed meanwhile.
        try:
            from agent.models.local import conversation, driver
        except ImportError as error:
            self.send(Failed(0, Fault.INTERNAL, f"the `local` extra is not installed: {error}"))
            return

        self._listening = driver.listen(self._hear)
        started = time.monotonic()
        try:
            made = conversation.Conversation(load, self._progress)
        except driver.LoadFailed as error:
            lines = [line for line in self.log if line]
            memory = protocol.out_of_memory(" ".join(lines))
            reason = lines[-1] if lines else str(error)
            for line in lines:
                if "error" in line.lower() or "corrupt" in line.lower():
                    reason = line
                    break
            self.send(Failed(0, Fault.MEMORY if memory else Fault.FILE, reason))
            return
        self._conversation = made
        self.send(
            Loaded(
                made.driver.n_context,
                made.driver.n_vocab,
                made.driver.description(),
                made.template_source,
                time.monotonic() - started,
            )
        )

    def _hear(self, line: str) -> None:
        """Keep a line of llama.cpp's; on stderr it also outlives an abort."""
        self.log.append(line.strip())
        with contextlib.suppress(OSError):
            os.write(2, line.encode())

    def _progress(self, done: float) -> None:
        """A sign of life while gigabytes are read from a slow disk."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + _SIGN
            self.send(Loading(done))

    def _answer(self, ask: Ask) -> None:
        from agent.models.local import conversation

        if self._conversation is None:
            self.send(Failed(ask.id, Fault.INTERNAL, "no model is loaded"))
            return
        with self._turn:
            self._current = ask.id
            self._conversation.driver.resume()
            if ask.id in self._cancelled:
                self._conversation.driver.abort()

        def emit(event: ModelEvent) -> None:
            self.send(Event(ask.id, event))

        try:
            emit(self._conversation.answer(ask.request, ask.before, emit))
        except conversation.Overflow as error:
            self.send(Failed(ask.id, Fault.OVERFLOW, str(error)))
        except Exception as error:  # the boundary: whatever it was, the other side must hear of it
            self.send(Failed(ask.id, Fault.INTERNAL, f"{type(error).__name__}: {error}"))
        finally:
            with self._turn:
                self._current = 0
                self._cancelled.discard(ask.id)


def main() -> None:
    """Talk over the standard streams, which nothing else may write to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(int(sys.argv[-1]))
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    # Whatever a library prints goes to the log, not between the frames.
    os.dup2(2, 1)
    worker = Worker(source, sink)
    worker.run()


def _die_with_parent(parent: int) -> None:
    """Have Linux end this process with its parent, even while no frame can be read."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
