"""Showing how far a long transfer is: a bar on a terminal, a line every tenth elsewhere.

Owns the drawing. Must not know what is transferred.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TextIO

from agent.durations import duration
from tools.text import shown

Clock = Callable[[], float]
_REDRAW = 0.1
"""Seconds between two drawings of the bar."""
_LINE = 0.5
"""Seconds between two lines: a quick transfer needs no ten of them."""
_BAR = 16


class Progress(Protocol):
    """What a transfer reports to."""

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """A new stage of `total` bytes, `done` of them from before."""
        ...

    def update(self, done: int) -> None: ...

    def end(self) -> None:
        """The stage is over, whether it succeeded or not."""
        ...


class StreamProgress:
    """Progress written to a stream, in a form that suits it."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._what = ""
        self._total = 0
        self._start = 0
        self._begun = 0.0
        self._drawn = 0.0
        self._tenth = -1
        self._open = False

    def begin(self, what: str, total: int, done: int = 0) -> None:
        self._what, self._total, self._start = shown(what), total, done
        self._begun = self._clock()
        self._drawn = 0.0 if self._terminal else self._begun
        self._tenth = done * 10 // total if total else 0
        self.update(done)

    def update(self, done: int) -> None:
        now = self._clock()
        if self._terminal:
            if now - self._drawn >= _REDRAW or done == self._total:
                self._drawn = now
                self._open = True
                self._stream.write(f"\r{self._bar(done, now)}\x1b[K")
                self._stream.flush()
            return
        tenth = done * 10 // self._total if self._total else 0
        if tenth > self._tenth and (now - self._drawn >= _LINE or done == self._total):
            self._tenth = tenth
            self._drawn = now
            self._stream.write(f"{self._what}: {tenth * 10} % of {megabytes(self._total)}\n")
            self._stream.flush()

    def end(self) -> None:
        if self._open:
            self._open = False
            self._stream.write("\n")
            self._stream.flush()

    def _bar(self, done: int, now: float) -> str:
        part = min(done / self._total, 1.0) if self._total else 0.0
        filled = int(part * _BAR)
        bar = "#" * filled + "." * (_BAR - filled)
        elapsed = now - self._begun
        rate = (done - self._start) / elapsed if elapsed > 0.5 else 0.0
        left = f", {duration((self._total - done) / rate, whole=True)} left" if rate > 0 else ""
        speed = f" {rate / 1e6:.1f} MB/s" if rate > 0 else ""
        size = f"{done / 1e6:.0f}/{megabytes(self._total)}"
        return f"{self._what} [{bar}] {part:4.0%} {size}{speed}{left}"[:78]


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
