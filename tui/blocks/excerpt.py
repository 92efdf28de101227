"""The part of a conversation whose blocks are in the tree: what is in sight, and some around it.

Owns which blocks are put in and taken out. Must not know where they lie, which `window` tells, nor
what changes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tui.blocks.entries import Entry
from tui.blocks.text import MarkdownText
from tui.blocks.widgets import Block, block_for
from tui.blocks.window import Heights

if TYPE_CHECKING:
    from tui.widgets.transcript import Transcript

_OPENED = 30
"""Blocks that are shown first of a place that was gone to."""
_MOST = 70
"""Blocks in the tree before some are taken out."""
_KEPT = 40
"""Blocks that are left then."""
_STEP = 8
"""Blocks that are put in at once: more would be felt as a pause."""


class Excerpt:
    """The blocks in the tree, in a row without a gap."""

    def __init__(self, view: Transcript) -> None:
        self._view = view
        self._blocks: dict[Entry, Block] = {}
        self.first = self.last = 0
        """Indices of the first block and of that after the last."""
        self.heights = Heights(view.story.entries)

    def block(self, entry: Entry | None) -> Block | None:
        """The widget of an entry; None where it is not in the tree."""
        return self._blocks.get(entry) if entry is not None else None

    def begin_anew(self) -> None:
        """The conversation is another one, or shorter: show its end."""
        self.heights = Heights(self._view.story.entries)
        self.go_to_end()

    def go_to_end(self) -> None:
        """Have the last blocks in the tree, and no others."""
        end = len(self._view.story.entries)
        self._place(max(0, end - _OPENED), end)

    async def sync(self, entry: Entry, *, lay_out: bool = True) -> None:
        """Have an entry's widget show what the entry has become.

        Args:
            lay_out: Whether now; else it is drawn ahead of its layout, if it can.
        """
        block = self.block(entry)
        if block is None or not block.is_mounted:
            return
        if not block.stale:
            block.sync(lay_out=lay_out)
            return
        with self._view.app.batch_update():
            (new,) = self._made(block.index, block.index + 1)
            await self._view.mount(new, before=block)
            await block.remove()

    def lay_out(self) -> None:
        """Lay out what was drawn ahead."""
        for block in self._blocks.values():
            if isinstance(block, MarkdownText):
                block.lay_out()

    async def grow(self, last_row: int) -> None:
        """Have what was added in the tree, if the end is in sight or near it.

        Args:
            last_row: That after the last block in the tree.
        """
        view, entries = self._view, self._view.story.entries
        near = view.scroll_y + 2 * view.size.height > last_row
        if not view.following and (self.last < len(entries) - _STEP or not near):
            return
        if len(entries) - self.last > _KEPT:
            self.go_to_end()
            return
        new = self._made(self.last, len(entries))
        self.last = len(entries)
        await view.mount_all(new, before=view.tail)
        if len(self._blocks) > _MOST and view.following:
            self._drop(entries[self.first : self.last - _KEPT])
            self.first = self.last - _KEPT

    def keep_up(self, first_row: int, last_row: int) -> None:
        """Have the blocks in the tree that are in sight, and some before and after them.

        Args:
            first_row: Of the first block in the tree.
            last_row: That after the last.
        """
        view = self._view
        entries, page = view.story.entries, view.size.height
        top, bottom = view.scroll_y, view.scroll_y + page
        if not entries or not page:
            return
        if self.first < self.last and (bottom < first_row or top > last_row):
            at = self.heights.at(top)
            self._place(max(0, at - _STEP), min(len(entries), at + _OPENED))
            return
        if self.first > 0 and top - first_row < page:
            first = max(0, self.first - _STEP)
            new = self._made(first, self.first)
            self.first = first
            view.mount_all(new, before=0)
            if len(self._blocks) > _MOST and self._spare(last_row - bottom):
                self._drop(entries[self.last - _STEP : self.last])
                self.last -= _STEP
        elif self.last < len(entries) and last_row - bottom < page:
            last = min(len(entries), self.last + _STEP)
            new = self._made(self.last, last)
            self.last = last
            view.mount_all(new, before=view.tail)
            if len(self._blocks) > _MOST and self._spare(top - first_row):
                self._drop(entries[self.first : self.first + _STEP])
                self.first += _STEP

    def _spare(self, rows: float) -> bool:
        """Whether so many rows out of sight are more than are wanted there."""
        return rows > 3 * self._view.size.height

    def _place(self, first: int, last: int) -> None:
        """Have exactly these blocks in the tree."""
        view = self._view
        view.remove_children(list(self._blocks.values()))
        self._blocks.clear()
        self.first, self.last = first, last
        view.mount_all(self._made(first, last), before=view.tail)

    def _made(self, first: int, last: int) -> list[Block]:
        """New widgets for some entries."""
        made = []
        for index, entry in enumerate(self._view.story.entries[first:last], first):
            block = self._blocks[entry] = block_for(entry, index)
            block.set_class(entry is self._view.current, "-current")
            made.append(block)
        return made

    def _drop(self, entries: Iterable[Entry]) -> None:
        gone = [block for entry in entries if (block := self._blocks.pop(entry, None))]
        self._view.remove_children(gone)
