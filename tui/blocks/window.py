"""Which blocks are in the tree, and where: the few in sight and near it, of any number.

Owns the heights of blocks that are not in the tree, measured or estimated, and the layout that
leaves their room: what a person looks at stays where it is, whatever changes above it. Must not
know what the blocks show.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from textual.geometry import NULL_OFFSET, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tui.blocks.entries import Entry, Lookups
from tui.blocks.widgets import Block

if TYPE_CHECKING:
    from tui.widgets.transcript import Transcript

MOST = 90
"""Blocks in the tree before some are taken out."""
KEPT = 50
"""Blocks that are left then."""
STEP = 8
"""Blocks that are put in at once: more would be felt as a pause."""


class Heights:
    """How high each block is, as far as that is known."""

    def __init__(self) -> None:
        self._known: dict[Entry, int] = {}
        self.width = 80

    def of(self, entry: Entry) -> int:
        """Rows, margins included."""
        known = self._known.get(entry)
        return self._estimate(entry) if known is None else known

    def learn(self, entry: Entry, height: int) -> None:
        """A block was laid out."""
        self._known[entry] = height

    def resized(self, width: int) -> None:
        """What was measured holds no more."""
        if width != self.width:
            self.width = width
            self._known.clear()

    def above(self, entries: list[Entry], end: int) -> int:
        """Rows of the first blocks, up to an index."""
        return sum(map(self.of, islice(entries, end)))

    def at(self, entries: list[Entry], row: float) -> int:
        """The index of the block in a row."""
        bottom = 0
        for index, entry in enumerate(entries):
            bottom += self.of(entry)
            if bottom > row:
                return index
        return max(0, len(entries) - 1)

    def _estimate(self, entry: Entry) -> int:
        if isinstance(entry, Lookups):
            return 1
        text = entry.copied if not entry.__class__.__name__ in _ONE_LINE else ""
        lines = text.count("\n") + len(text) // max(20, self.width)
        return 2 + min(lines, 2_000)


_ONE_LINE = ("Call", "Thought", "Question", "Shell", "Verdict", "Change")


class WindowLayout(Layout):
    """One block under the other, with the room of those that are not in the tree."""

    name = "window"

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._last: list[tuple[Widget, int, int]] = []
        """What was placed last, with its first row and the row after it."""

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        view = self._transcript
        heights, entries = view.heights, view.story.entries
        heights.resized(size.width)
        held = self._held()
        viewport = view.app.viewport_size
        placements: list[WidgetPlacement] = []
        self._last = []
        y = heights.above(entries, view.first)
        margin_before = 0
        for widget in children:
            styles = widget.styles
            margin = styles.margin
            gutter_width, gutter_height = styles.gutter.totals
            if widget is view.tail:
                y += sum(map(heights.of, entries[view.last :]))
            top = max(margin.top, margin_before)
            inner = size.width - gutter_width - margin.width
            height = widget.get_content_height(size, viewport, inner) + gutter_height
            if widget is view.tail:
                height = 1
            if isinstance(widget, Block):
                heights.learn(widget.entry, top + height)
            region = Region(margin.left, y + top, size.width - margin.width, height)
            placements.append(WidgetPlacement(region, NULL_OFFSET, margin, widget))
            self._last.append((widget, y, y + top + height))
            y += top + height
            margin_before = margin.bottom
        if held is not None and not view.following:
            widget, before = held
            after = next((first for known, first, _ in self._last if known is widget), before)
            view.shift(after - before)
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

    def row_of(self, widget: Widget) -> tuple[int, int] | None:
        """The first row of a block, and the row after it."""
        return next(((y, end) for known, y, end in self._last if known is widget), None)
