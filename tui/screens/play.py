"""A recorded session played again on the screen, as fast as one likes.

Owns the pace. Must not know how a record is read, nor how what happened looks.
"""

from __future__ import annotations

import asyncio
import math
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from agent.errors import InputError
from agent.events import PromptReading, Wrote, WroteCall
from agent.playback import played
from agent.session import SessionInfo
from tools.text_filter import clip_line, printable
from tui.painting import Painter
from tui.widgets.transcript import Transcript

SPEEDS = (1.0, 4.0, 16.0, math.inf)
_TICK = 0.05
"""Seconds between two looks at what the keys want."""
_TASK = 200
"""Characters of the task that are shown."""
_AT_ONCE = 40
"""Events that are shown before the screen is drawn, where nothing is waited for."""


class Play(Screen[None]):
    """Shows what happened; nothing of it happens again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", priority=True),
        Binding("right", "step", "Step", priority=True),
        Binding("1", "speed(0)", "×1 ×4 ×16 at once", key_display="1-4"),
        Binding("2", "speed(1)", "×4", show=False),
        Binding("3", "speed(2)", "×16", show=False),
        Binding("4", "speed(3)", "At once", show=False),
        Binding("escape,q", "dismiss", "Back"),
    ]

    speed: reactive[float] = reactive(1.0)
    paused: reactive[bool] = reactive(False)
    shown: reactive[int] = reactive(0)
    ended: reactive[bool] = reactive(False)

    def __init__(self, info: SessionInfo, speed: float = 1.0) -> None:
        super().__init__()
        self._compositor = Painter()
        self._info = info
        self._steps = 0
        self.set_reactive(Play.speed, speed)

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Static(id="pace", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Transcript).focus()
        self._tell()
        self._play()

    @work(exclusive=True, exit_on_error=False)
    async def _play(self) -> None:
        transcript = self.query_one(Transcript)
        try:
            for seconds, event in played(self._info.record):
                piece = isinstance(event, Wrote | WroteCall | PromptReading)
                if piece and math.isinf(self.speed):
                    continue  # its message follows
                await self._wait(seconds, piece=piece)
                transcript.show(event)
                self.shown += 1
        except InputError as error:
            transcript.tell(str(error))
        self.ended = True

    async def _wait(self, seconds: float, *, piece: bool) -> None:
        """Wait for an event's time, or for the key that asks for it."""
        left = seconds
        if math.isinf(self.speed) and not self.paused:
            if self.shown % _AT_ONCE == 0:
                await asyncio.sleep(0)
            return
        while self.paused or left > 0:
            if self._steps:
                self._steps -= not piece
                return
            pause = _TICK if self.paused else min(_TICK, left / self.speed)
            await asyncio.sleep(pause)
            left -= 0 if self.paused else pause * self.speed
            if math.isinf(self.speed) and not self.paused:
                return

    def action_pause(self) -> None:
        self.paused = not self.paused

    def action_step(self) -> None:
        self.paused = True
        self._steps += 1

    def action_speed(self, index: int) -> None:
        self.speed = SPEEDS[index]
        self.paused = False

    def _watch(self) -> None:
        self._tell()

    watch_speed = watch_paused = watch_shown = watch_ended = _watch

    def _tell(self) -> None:
        if not self.is_mounted:
            return
        state = "■ the end" if self.ended else "⏸ paused" if self.paused else "▶"
        pace = "at once" if math.isinf(self.speed) else f"×{self.speed:g}"
        task = clip_line(printable(self._info.task.partition("\n")[0]).lstrip("# "), _TASK)
        self.query_one("#pace", Static).update(f"{state} {pace} · {self.shown} events · {task}")
