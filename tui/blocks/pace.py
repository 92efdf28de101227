"""How often what has changed is drawn: at once where nothing was, less where drawing is slow.

Owns what waits to be drawn, and when. Must not know how it is drawn.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

from textual.timer import Timer
from textual.widget import Widget

from tui.blocks.entries import Entry

_FRAME = 1 / 40
"""Seconds between two drawings of what is being written, at least; pieces come less often."""
_SHARE = 3
"""How many times as long as the last drawing took is waited before the next."""


class Pace:
    """Has what was touched drawn."""

    def __init__(self, widget: Widget, draw: Callable[[Iterable[Entry]], Awaitable[None]]) -> None:
        """
        Args:
            widget: In whose time it is drawn.
            draw: Draws what was touched since the last time; never called while it is at work.
        """
        self._widget = widget
        self._draw_these = draw
        self._touched: dict[Entry, None] = {}
        self._due: Timer | None = None
        self._called = False
        """Whether it is to be drawn as soon as the widget has time."""
        self._drawing = False
        self._cost = 0.0
        """Seconds that the last drawing took."""
        self._drew = 0.0
        """When it ended."""

    @property
    def still(self) -> float:
        """Seconds since something was drawn."""
        return time.perf_counter() - self._drew

    def touch(self, changed: Iterable[Entry]) -> None:
        """These are to be drawn, soon."""
        self._touched.update(dict.fromkeys(changed))
        if self._due is None and not self._called and not self._drawing:
            wait = max(_FRAME, _SHARE * self._cost) - self.still
            if wait > 0:
                self._due = self._widget.set_timer(wait, self._draw)
            else:
                self.hurry()

    def forget(self) -> None:
        """What was touched is there no more."""
        self._touched.clear()

    def hurry(self) -> None:
        """What was touched is to be drawn now."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self._called and not self._drawing:
            self._called = True
            self._widget.call_next(self._draw)

    async def _draw(self) -> None:
        if self._drawing:
            return
        self._due, self._called, self._drawing = None, False, True
        begun = time.perf_counter()
        touched, self._touched = self._touched, {}
        try:
            await self._draw_these(touched)
        finally:
            self._drawing = False
            self._drew = time.perf_counter()
            self._cost = self._drew - begun
            if self._touched:
                self.touch(())
