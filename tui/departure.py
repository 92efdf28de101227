"""Leaving when the system says so: SIGTERM, or SIGHUP as a terminal is closed.

Owns the time that is left. Must not know what there is to save: whoever saves is called.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from agent.errors import ExitCode

DEADLINE = 1.8
"""Seconds from the signal to the end of the process, however that stands then."""


@contextmanager
def departing(save: Callable[[], object], leave: Callable[[], object]) -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP save and leave.

    Args:
        save: Ends what is at work; called once, in a thread of its own, for the one that draws
            may wait for a terminal that is gone.
        leave: Asks the screen to end; called in the main thread, anywhere in its work.
    """
    left = threading.Event()

    def give_up() -> None:
        os._exit(ExitCode.INTERRUPTED)

    def handle(number: int, frame: FrameType | None) -> None:
        if left.is_set():
            return
        left.set()
        timer = threading.Timer(DEADLINE, give_up)
        timer.daemon = True
        timer.start()
        threading.Thread(target=save, name="save", daemon=True).start()
        leave()

    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else started by nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
