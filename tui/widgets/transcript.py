"""What was said and done in the session, as a person reads it.

Owns what of the conversation is in sight, its keys, and how often it is drawn anew. Must not know
where events come from, nor what the blocks look like.
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
from tui.blocks.shell_line import ShellLine
from tui.blocks.story import Story
from tui.blocks.widgets import Block, block_for, openable
from tui.blocks.window import KEPT, MOST, STEP, Heights, WindowLayout
from tui.widgets.tail import Below, Tail

_FRAME = 1 / 40
"""Seconds between two drawings of what is being written, at least; pieces come less often."""
_SHARE = 3
"""How many times as long as the last drawing took is waited before the next."""
_AT_ONCE = 0.001
"""Seconds; a timer of none fails."""
_TICK = 0.1
"""Seconds between two pictures of a spinner."""
_OPENED = 30
"""Blocks that are shown first of a conversation that was loaded."""


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
        self.heights = Heights(self.story.entries)
        self.first = self.last = 0
        """The blocks in the tree: indices of the first and of that after the last."""
        self.tail = Tail()
        self._bar = Bar()
        self._hint = Below()
        self._window = WindowLayout(self)
        self._blocks: dict[Entry, Block] = {}
        self._current: Entry | None = None
        self._touched: dict[Entry, None] = {}
        self._due: Timer | None = None
        self._drawing = False
        self._cost = 0.0
        """Seconds that the last drawing took."""
        self._drew = 0.0
        """When it ended."""
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
            self._draw_now()

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
        self.heights = Heights(self.story.entries)
        self._current = None
        self._touched.clear()
        end = len(self.story.entries)
        self._place(max(0, end - _OPENED), end)
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
        self._touched.update(dict.fromkeys(changed))
        if self._ticker is not None and self._at_work:
            self._ticker.resume()
        if self._due is None and not self._drawing:
            wait = self._drew + max(_FRAME, _SHARE * self._cost) - time.perf_counter()
            self._due = self.set_timer(max(_AT_ONCE, wait), self._draw)

    def _draw_now(self) -> None:
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self._drawing:
            self.call_next(self._draw)

    async def _draw(self) -> None:
        if self._drawing:
            return
        self._due, self._drawing = None, True
        begun = time.perf_counter()
        touched, self._touched = self._touched, {}
        try:
            await self._draw_blocks(touched)
        finally:
            self._drawing = False
            self._drew = time.perf_counter()
            self._cost = self._drew - begun
            self._tell_tail()
            if self._touched:
                self.touch(())

    async def _draw_blocks(self, touched: Iterable[Entry]) -> None:
        for entry in touched:
            block = self._blocks.get(entry)
            if block is not None and block.is_mounted:
                await self._sync(block)
        entries = self.story.entries
        if self.last < len(entries):
            if self.following or (self.last >= len(entries) - STEP and self._near_end):
                await self._append()
            if not self.following:
                self.below = True

    @property
    def _near_end(self) -> bool:
        return self.scroll_y + 2 * self.size.height > self._window.rows()[1]

    async def _append(self) -> None:
        entries = self.story.entries
        if len(entries) - self.last > KEPT:
            self._place(max(0, len(entries) - _OPENED), len(entries))
            return
        new = self._made(self.last, len(entries))
        self.last = len(entries)
        await self.mount_all(new, before=self.tail)
        if len(self._blocks) > MOST and self.following:
            self._drop(entries[self.first : self.last - KEPT])
            self.first = self.last - KEPT

    async def _sync(self, block: Block) -> None:
        """Have an entry's widget show what the entry has become."""
        if not block.stale:
            block.sync()
            return
        with self.app.batch_update():
            (new,) = self._made(block.index, block.index + 1)
            await self.mount(new, before=block)
            await block.remove()

    def _made(self, first: int, last: int) -> list[Block]:
        """New widgets for some entries."""
        made = []
        for index, entry in enumerate(self.story.entries[first:last], first):
            block = self._blocks[entry] = block_for(entry, index)
            block.set_class(entry is self._current, "-current")
            made.append(block)
        return made

    def _drop(self, entries: Iterable[Entry]) -> None:
        gone = [block for entry in entries if (block := self._blocks.pop(entry, None))]
        self.remove_children(gone)

    def _place(self, first: int, last: int) -> None:
        """Have exactly these blocks in the tree."""
        self.remove_children(list(self._blocks.values()))
        self._blocks.clear()
        self.first, self.last = first, last
        new = self._made(first, last)
        self.mount_all(new, before=self.tail)

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
        """Have the blocks in the tree that are in sight, and some before and after them."""
        self._moved = False
        entries, page = self.story.entries, self.size.height
        top, bottom = self.scroll_y, self.scroll_y + page
        first_row, last_row = self._window.rows()
        if not entries or not page:
            return
        if self.first < self.last and (bottom < first_row or top > last_row):
            at = self.heights.at(top)
            self._place(max(0, at - STEP), min(len(entries), at + _OPENED))
            return
        if self.first > 0 and top - first_row < page:
            first = max(0, self.first - STEP)
            new = self._made(first, self.first)
            self.first = first
            self.mount_all(new, before=0)
            if len(self._blocks) > MOST and self._spare(last_row - bottom):
                self._drop(entries[self.last - STEP : self.last])
                self.last -= STEP
        elif self.last < len(entries) and last_row - bottom < page:
            last = min(len(entries), self.last + STEP)
            new = self._made(self.last, last)
            self.last = last
            self.mount_all(new, before=self.tail)
            if len(self._blocks) > MOST and self._spare(top - first_row):
                self._drop(entries[self.first : self.first + STEP])
                self.first += STEP

    def _spare(self, rows: float) -> bool:
        """Whether so many rows out of sight are more than are wanted there."""
        return rows > 3 * self.size.height

    # What moves by itself

    @property
    def _at_work(self) -> bool:
        return bool(self.story.doing) or any(entry.moving for entry in self.story.entries[-12:])

    def _tick(self) -> None:
        if not self._at_work and self._ticker is not None:
            self._ticker.pause()
        for entry in self.story.entries[-12:]:
            if entry.moving and (block := self._blocks.get(entry)) and block.is_mounted:
                block.tick()
        if time.perf_counter() - self._drew > _TICK:
            self._tell_tail()

    def _tell_tail(self) -> None:
        self.tail.tell(self.story.doing, begun=bool(self.story.entries))

    # What the keys do

    @property
    def current(self) -> Entry | None:
        """The block that keys act on."""
        return self._current

    def _point(self, entry: Entry | None) -> None:
        for known, chosen in ((self._current, False), (entry, True)):
            if known is not None and (block := self._blocks.get(known)):
                block.set_class(chosen, "-current")
        self._current = entry

    def action_move(self, by: int) -> None:
        """Go to another block; a block that is higher than the view is gone through first."""
        entries = self.story.entries
        shown = entries[self.first : self.last]
        if not shown:
            return
        if self._current not in shown:
            self._point(self._window.in_sight(last=by < 0))
            return
        if self._window.scroll_through(self._blocks[self._current], by):
            return
        index = entries.index(self._current) + by
        if self.first <= index < self.last:
            self._point(entries[index])
            self._window.reveal(self._blocks[entries[index]], by)
        elif index >= len(entries):
            self.action_bottom()

    async def action_open(self) -> None:
        """Open the block, or fold it."""
        if self._current is not None:
            await self._toggle(self._current)

    async def _toggle(self, entry: Entry) -> None:
        block = self._blocks.get(entry)
        if block is None or not openable(entry):
            return
        entry.open = not entry.open
        if self.following and not entry.moving:
            self.release_anchor()  # it opens downwards, under the eyes
        await self._sync(block)
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
        if self.last < len(self.story.entries):
            end = len(self.story.entries)
            self._place(max(0, end - _OPENED), end)
        self.anchor()
        self.below = False

    def _scroll_to(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401  handed on
        # The rows of what is not in the tree are estimates: a movement over time would miss.
        return super()._scroll_to(*args, **{**options, "animate": False})
