"""Between the session's thread and the screen's: pieces of an answer that come fast become one.

At hundreds of pieces a second the price is that of each message, not of its text. Owns the order
of messages, which stays. Must not know what they are for.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from agent.events import Event

_FRAME = 1 / 30
"""Seconds that a piece waits at most for those after it."""

M = TypeVar("M")


def merged(first: Event, second: Event) -> Event | None:
    """Two events as one; None where they are not pieces of the same."""
    from agent.events import Wrote, WroteCall  # 100 ms; there is none before a session is open

    match first, second:
        case Wrote(), Wrote() if first.reasoning is second.reasoning:
            return replace(first, text=first.text + second.text)
        case WroteCall(), WroteCall() if first.tool == second.tool:
            return replace(first, text=first.text + second.text)
        case _:
            return None


class Merging(Generic[M]):
    """Posts what it is given, from a thread of its own."""

    def __init__(self, post: Callable[[M], object], merge: Callable[[M, M], M | None]) -> None:
        """
        Args:
            post: Takes a message from any thread.
            merge: Two messages as one; None where both must be posted. A message merged with
                itself tells whether it may wait at all.
        """
        self._post = post
        self._merge = merge
        self._given: queue.SimpleQueue[M | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._pass_on, name="messages", daemon=True)
        self._thread.start()

    def put(self, message: M) -> None:
        """Post it soon, after those before it."""
        self._given.put(message)

    def close(self, patience: float) -> None:
        """Post what is left and end; waits so many seconds at most."""
        self._given.put(None)
        self._thread.join(patience)

    def _pass_on(self) -> None:
        held: M | None = None
        posted = 0.0
        while True:
            try:
                left = posted + _FRAME - time.monotonic()
                message = self._given.get(timeout=None if held is None else max(0.0, left))
            except queue.Empty:
                message = None
                ended = False
            else:
                ended = message is None
            if held is not None:
                one = None if message is None else self._merge(held, message)
                if one is not None:
                    held = one
                    continue
                self._post(held)
                held, posted = None, time.monotonic()
            if message is not None and self._merge(message, message) is not None:
                held = message
            elif message is not None:
                self._post(message)
            if ended:
                return
