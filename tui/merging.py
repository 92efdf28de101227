"""Between the session's thread and the screen's: pieces of an answer that come fast become one.

At hundreds of pieces a second the price is that of each message, not of its text. Owns the order
of messages, which stays. Must not know what they are for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
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


def is_piece(event: Event) -> bool:
    """Whether more of the same may follow, which `merged` puts to it."""
    from agent.events import Wrote, WroteCall  # as above

    return isinstance(event, Wrote | WroteCall)


class Merging(Generic[M]):
    """Posts what it is given, from a thread that wakes for a frame, not for a piece."""

    def __init__(
        self,
        post: Callable[[M], object],
        merge: Callable[[M, M], M | None],
        may_wait: Callable[[M], bool],
    ) -> None:
        """
        Args:
            post: Takes a message from any thread; `RuntimeError` where it takes none just now.
            merge: Two messages as one; None where both must be posted.
            may_wait: Whether a message may be held back for those after it.
        """
        self._post = post
        self._merge = merge
        self._waits = may_wait
        self._given: list[M] = []
        self._ended = False
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._pass_on, name="messages", daemon=True)
        self._thread.start()

    def put(self, message: M) -> None:
        """Post it soon, after those before it."""
        with self._more:
            if self._given and (one := self._merge(self._given[-1], message)) is not None:
                self._given[-1] = one
            else:
                self._given.append(message)
                self._more.notify()

    def close(self, patience: float) -> None:
        """Post what is left and end; waits so many seconds at most."""
        with self._more:
            self._ended = True
            self._more.notify()
        self._thread.join(patience)

    def _pass_on(self) -> None:
        posted = 0.0
        while True:
            with self._more:
                while not self._given and not self._ended:
                    self._more.wait()
                while self._may_wait and (left := posted + _FRAME - time.monotonic()) > 0:
                    self._more.wait(left)
                given, self._given = self._given, []
            for message in given:
                with suppress(RuntimeError):  # a loop that has ended; the messages after it count
                    self._post(message)
            posted = time.monotonic()
            if self._ended and not given:
                return

    @property
    def _may_wait(self) -> bool:
        return not self._ended and len(self._given) == 1 and self._waits(self._given[0])
