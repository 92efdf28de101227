"""What was said and done in the session, as a person reads it.

Owns what it is told, where in it the user is, and its keys. Must not know where events come from,
what the blocks look like, nor which of them are in the tree.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.layout import Layout
from textual.message import Message
from textual.reactive import var
from textual.scrollbar import ScrollBar
from textual.timer import Timer

from agent import events
from agent.events import Event
from tools.text_filter import clip, printable
from tui.blocks.bar import Bar
from tui.blocks.entries import Changes, Entry, Kind, Remark, Shell
from tui.blocks.excerpt import Excerpt
from tui.blocks.pace import Pace
from tui.blocks.shell_line import ShellLine
from tui.blocks.story import Story
from tui.blocks.widgets import Block, openable
from tui.blocks.window import WindowLayout
from tui.widgets.tail import Below, Tail

_LAYOUT = 0.2
"""Seconds between two layouts while the end of an answer grows that is all that is seen."""
_TICK = 0.1
"""Seconds between two pictures of a spinner."""


class Transcript(VerticalScroll):
    """The conversation, the newest at its end."""

    BLANK = True  # its own ground would be drawn line by line at each movement
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Block before", show=False),
        Binding("down", "move(1)", "Block after", show=False),
        Binding("enter,space", "open", "Open"),
        Binding("c", "copy", "Copy"),
        Binding("home", "top", "Beginning", show=False),
        Binding("end", "bottom", "End", show=False),
    ]

    below: var[bool] = var(False, toggle_class="-below")
    """Whether something came that is not in sight."""

    @dataclass
    class Copied(Message):
        """A block's text is in the clipboard."""

        characters: int

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.tail = Tail()
        self._bar = Bar()
        self._hint = Below()
        self._excerpt = Excerpt(self)
        self._window = WindowLayout(self, self._excerpt)
        self._pace = Pace(self, self._draw)
        self._current: Entry | None = None
        self._ticker: Timer | None = None
        self._moved = False

    @property
    def layout(self) -> Layout:
        return self._window

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = self._bar
            self._bar.display = False
            self.app._start_widget(self, self._bar)
        return self._bar

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        # The scrollbar is always there, so what is higher now need not be laid out again for it.
        self._bar.drawn_anyway = True
        try:
            return super()._size_updated(size, virtual_size, container_size, layout=False)
        finally:
            self._bar.drawn_anyway = False

    def compose(self) -> ComposeResult:
        yield self.tail
        yield self._hint

    def on_mount(self) -> None:
        self._ticker = self.set_interval(_TICK, self._tick, pause=True)
        self.anchor()
        self._tell_tail()

    # What is told

    def show(self, event: Event) -> None:
        """Add what an event tells."""
        before = len(self.story.entries)
        changed = self.story.take(event)
        if isinstance(event, events.Rewound) and len(self.story.entries) <= before:
            self._begin_anew()
            return
        self.touch(changed)
        if isinstance(event, events.Said | events.TurnFinished):
            self._pace.hurry()

    def load(self, recorded: Iterable[Event], *, over: bool = True) -> None:
        """Show a conversation from its events, in place of what is here.

        Args:
            over: Whether what was at work in it has ended.
        """
        self.story = Story()
        for event in recorded:
            self.story.take(event)
        if over:
            self.story.break_off()
        self._begin_anew()
        self.touch(())  # what is at work moves

    def break_off(self) -> None:
        """Nothing more is to come of what is here."""
        self.touch(self.story.break_off())

    def _begin_anew(self) -> None:
        """Show the end of what there is now."""
        self._current = None
        self._pace.forget()
        self._excerpt.begin_anew()
        self.anchor()
        self.below = False
        self._tell_tail()

    def tell(self, text: str) -> None:
        """Add a line of ours."""
        self.touch([self.story.add(Remark(printable(clip(text, 4_000)), Kind.COMPLAINT))])

    def shell(self, command: str, *, opened: bool = False) -> ShellLine:
        """Add a command of the user's that begins now."""
        entry = Shell(command, open=opened)
        self.touch([self.story.add(entry)])
        return ShellLine(entry, lambda: self.touch([entry]))

    def changes(self, title: str, patch: str) -> None:
        """Add changes of files that are to be seen."""
        self.touch([self.story.add(Changes(title, patch, open=True))])

    # What is drawn

    @property
    def following(self) -> bool:
        """Whether the end is held in sight."""
        return self.is_anchored and not self._anchor_released

    def touch(self, changed: Iterable[Entry]) -> None:
        """Blocks are to be drawn anew, soon."""
        self._pace.touch(changed)
        if self._ticker is not None and self._at_work:
            self._ticker.resume()

    async def _draw(self, touched: Iterable[Entry]) -> None:
        try:
            for entry in touched:
                await self._excerpt.sync(entry, lay_out=not self._waits(entry))
            if self._excerpt.last < len(self.story.entries):
                await self._excerpt.grow(self._window.rows()[1])
                if not self.following:
                    self.below = True
        finally:
            self._tell_tail()

    def _waits(self, entry: Entry) -> bool:
        """Whether a block is drawn ahead of its layout: nothing but its growing end is seen."""
        block = self._excerpt.block(entry)
        fresh = time.perf_counter() - self._window.arranged < _LAYOUT
        return bool(block and fresh and self.following and self._window.filled_by(block))

    def shift(self, rows: int) -> None:
        """What is in sight was laid out further down: go with it, in the same frame."""
        if rows:
            y = max(0, self.scroll_y + rows)
            self.set_reactive(VerticalScroll.scroll_y, y)
            self.set_reactive(VerticalScroll.scroll_target_y, y)
            self.vertical_scrollbar.set_reactive(ScrollBar.position, y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.following:
            self.below = False
        if not self._moved:
            self._moved = True
            self.call_after_refresh(self._keep_up)

    def _keep_up(self) -> None:
        self._moved = False
        self._excerpt.keep_up(*self._window.rows())

    # What moves by itself

    @property
    def _at_work(self) -> bool:
        return bool(self.story.doing) or any(entry.moving for entry in self.story.entries[-12:])

    def _tick(self) -> None:
        if not self._at_work and self._ticker is not None:
            self._ticker.pause()
        for entry in self.story.entries[-12:]:
            if entry.moving and (block := self._excerpt.block(entry)) and block.is_mounted:
                block.tick()
        if self._pace.still > _TICK:
            self._tell_tail()
            self._excerpt.lay_out()

    def _tell_tail(self) -> None:
        self.tail.tell(self.story.doing, begun=bool(self.story.entries))

    # What the keys do

    @property
    def current(self) -> Entry | None:
        """The block that keys act on."""
        return self._current

    def _point(self, entry: Entry | None) -> None:
        for known, chosen in ((self._current, False), (entry, True)):
            if block := self._excerpt.block(known):
                block.set_class(chosen, "-current")
        self._current = entry

    def action_move(self, by: int) -> None:
        """Go to another block; a block that is higher than the view is gone through first."""
        entries = self.story.entries
        first, last = self._excerpt.first, self._excerpt.last
        if first == last:
            return
        current = self._excerpt.block(self._current)
        if self._current is None or current is None:
            self._point(self._window.in_sight(last=by < 0))
            return
        if self._window.scroll_through(current, by):
            return
        index = entries.index(self._current) + by
        if first <= index < last:
            self._point(entries[index])
            if (block := self._excerpt.block(entries[index])) is not None:
                self._window.reveal(block, by)
        elif index >= len(entries):
            self.action_bottom()

    async def action_open(self) -> None:
        """Open the block, or fold it."""
        if self._current is not None:
            await self._toggle(self._current)

    async def _toggle(self, entry: Entry) -> None:
        if self._excerpt.block(entry) is None or not openable(entry):
            return
        entry.open = not entry.open
        if self.following and not entry.moving:
            self.release_anchor()  # it opens downwards, under the eyes
        await self._excerpt.sync(entry)
        self.call_after_refresh(self._check_anchor)

    @on(Block.Pressed)
    async def _pressed(self, message: Block.Pressed) -> None:
        message.stop()
        self._point(message.entry)
        await self._toggle(message.entry)

    def action_copy(self) -> None:
        """Put the block's text into the clipboard."""
        if self._current is not None and (text := self._current.copied):
            self.app.copy_to_clipboard(text)
            self.post_message(self.Copied(len(text)))

    def action_top(self) -> None:
        """Go to the beginning."""
        self.scroll_to(y=0, animate=False)

    def action_bottom(self) -> None:
        """Go to the end, and stay there."""
        if self._excerpt.last < len(self.story.entries):
            self._excerpt.go_to_end()
        self.anchor()
        self.below = False

    def _scroll_to(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401  handed on
        # The rows of what is not in the tree are estimates: a movement over time would miss.
        return super()._scroll_to(*args, **{**options, "animate": False})
