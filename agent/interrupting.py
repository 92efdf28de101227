"""Signals that end a turn, as an event that the turn looks at.

Owns what Ctrl-C, SIGTERM and SIGHUP mean while a turn runs. Must not know what a turn does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(threading.Event):
    """Set by a signal."""

    number: int = 0
    """Of the signal that came first; 0: none did."""

    @property
    def final(self) -> bool:
        """Whether the program is to end, and not the turn alone."""
        return self.number not in (0, signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set; a second Ctrl-C ends the program at once."""
    cancel = Interruption()

    def handle(number: int, frame: FrameType | None) -> None:
        if cancel.is_set() and number != signal.SIGHUP:
            raise KeyboardInterrupt
        cancel.number = cancel.number or number
        cancel.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else started by nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
