"""Where blocks lie: the few in the tree, among any number that are not.

Owns the heights of blocks that are not in the tree, measured or estimated, and the layout that
leaves their room: what a person looks at stays where it is, whatever changes above it. Must not
know what the blocks show.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.geometry import NULL_OFFSET, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tui.blocks.entries import Answer, Entry, Prompted
from tui.blocks.text import MarkdownText
from tui.blocks.widgets import Block

if TYPE_CHECKING:
    from tui.blocks.excerpt import Excerpt
    from tui.widgets.transcript import Transcript

_LINES = 3
"""Rows that are gone on by in a block that is higher than the view."""


class Heights:
    """How high each block is: as it was laid out, or estimated."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._rows: list[int] = []
        self._width = 0

    def resized(self, width: int) -> None:
        """What was measured holds no more."""
        if width != self._width:
            self._width = width
            self._rows.clear()

    def learn(self, index: int, rows: int) -> None:
        """A block was laid out, its margin included."""
        self._all[index] = rows

    def between(self, first: int, last: int) -> int:
        """Rows of some blocks: from an index up to that after the last."""
        return sum(self._all[first:last])

    def at(self, row: float) -> int:
        """The index of the block in a row."""
        bottom = 0
        for index, rows in enumerate(self._all):
            bottom += rows
            if bottom > row:
                return index
        return max(0, len(self._entries) - 1)

    @property
    def _all(self) -> list[int]:
        known = len(self._rows)
        self._rows += [self._estimate(entry) for entry in self._entries[known:]]
        return self._rows

    def _estimate(self, entry: Entry) -> int:
        if not isinstance(entry, Answer | Prompted):
            return 1
        return 2 + entry.text.count("\n") + len(entry.text) // max(20, self._width)


class WindowLayout(Layout):
    """One block under the other, with the room of those that are not in the tree."""

    name = "window"

    def __init__(self, transcript: Transcript, excerpt: Excerpt) -> None:
        self._transcript = transcript
        self._excerpt = excerpt
        self._last: list[tuple[Widget, int, int]] = []
        """What was placed last, with its first row and the row after it."""
        self.arranged = 0.0
        """When that was."""

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        view = self._transcript
        excerpt = self._excerpt
        heights = excerpt.heights
        heights.resized(size.width)
        held = self._held()
        # What is drawn ahead of its place is now put into it: the view goes with it.
        ahead = held[0].ahead if held and isinstance(held[0], MarkdownText) else 0
        self.arranged = time.perf_counter()
        viewport = view.app.viewport_size
        placements: list[WidgetPlacement] = []
        self._last = []
        y = heights.between(0, excerpt.first)
        margin_before = 0
        for widget in children:
            styles = widget.styles
            margin = styles.margin
            gutter_width, gutter_height = styles.gutter.totals
            if widget is view.tail:
                y += heights.between(excerpt.last, len(view.story.entries))
            top = max(margin.top, margin_before)
            width = size.width - margin.width
            if styles.max_width is not None:
                width = min(width, int(styles.max_width.value))
            inner = width - gutter_width
            height = widget.get_content_height(size, viewport, inner) + gutter_height
            if widget is view.tail:
                # The end of the view at least: an anchored view would be drawn in from above it.
                height = max(1, size.height - y)
            if isinstance(widget, Block):
                heights.learn(widget.index, top + height)
            region = Region(margin.left, y + top, width, height)
            placements.append(WidgetPlacement(region, NULL_OFFSET, margin, widget))
            self._last.append((widget, y, y + top + height))
            y += top + height
            margin_before = margin.bottom
        if held is not None and not view.following:
            widget, before = held
            after = next((first for known, first, _ in self._last if known is widget), before)
            view.shift(after - before + ahead)
        return placements

    def get_content_width(self, widget: Widget, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(
        self, widget: Widget, container: Size, viewport: Size, width: int
    ) -> int:
        return container.height

    def _held(self) -> tuple[Widget, int] | None:
        """What stands at the top of the view, and its first row."""
        top = self._transcript.scroll_y
        for widget, first, end in self._last:
            if end > top:
                return widget, first
        return None

    def rows(self) -> tuple[int, int]:
        """The first row of what is in the tree, and the row after its last block."""
        blocks = [item for item in self._last if isinstance(item[0], Block)]
        return (blocks[0][1], blocks[-1][2]) if blocks else (0, 0)

    def filled_by(self, block: Block) -> bool:
        """Whether only the end of a block is seen, and of the others nothing."""
        top = self._transcript.scroll_y
        shown = [known for known, _, end in self._last if end > top]
        return shown == [block, self._transcript.tail] and self._rows_of(block)[0] < top

    def in_sight(self, *, last: bool) -> Entry | None:
        """The first or the last block that is seen."""
        top, bottom = self._view
        placed = [(item, y, end) for item, y, end in self._last if isinstance(item, Block)]
        inside = [item for item, y, end in placed if end > top and y < bottom]
        found = inside or [item for item, _, _ in placed]
        return found[-1 if last else 0].entry if found else None

    def scroll_through(self, block: Block, by: int) -> bool:
        """Go on within a block that is higher than the view; whether there was more of it.

        Args:
            by: Whether down (1) or up (-1).
        """
        first, end = self._rows_of(block)
        top, bottom = self._view
        more = first < top < end if by < 0 else first < bottom < end
        if more:
            self._transcript.scroll_relative(y=_LINES * by, animate=False)
        return more

    def reveal(self, block: Block, by: int) -> None:
        """Bring a block into sight: its beginning, or coming from below its end."""
        first, end = self._rows_of(block)
        top, bottom = self._view
        page = bottom - top
        if first < top:
            self._transcript.scroll_to(y=first if by > 0 else max(first, end - page))
        elif end > bottom:
            self._transcript.scroll_to(y=min(first, end - page))

    @property
    def _view(self) -> tuple[float, float]:
        top = self._transcript.scroll_y
        return top, top + self._transcript.size.height

    def _rows_of(self, block: Block) -> tuple[int, int]:
        """Its first row, and the row after it."""
        found = ((y, end) for known, y, end in self._last if known is block)
        return next(found, (0, 0))
