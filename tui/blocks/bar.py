"""A scrollbar that costs little while what it stands for grows.

Owns the rows it is made of. Must not know what is scrolled.
"""

from __future__ import annotations

from typing import Self

from rich.segment import Segment, Segments
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip


class Bar(ScrollBar):
    """A vertical one. The library draws each of its rows anew whenever one of them changes."""

    def __init__(self) -> None:
        super().__init__(vertical=True, name="vertical")
        self._rows: dict[Segment, Strip] = {}
        """The few different rows that there are, as they are drawn."""
        self.drawn_anyway = False
        """Whether what it lies on is about to be drawn, and it with that."""

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        if self.drawn_anyway:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        bar = self.render()
        if not isinstance(bar, ScrollBarRender) or crop.width != self.size.width:
            return super().render_lines(crop)
        console = self.app.console
        options = console.options.update(width=self.size.width, height=self.size.height)
        (drawn,) = bar.__rich_console__(console, options)
        assert isinstance(drawn, Segments)
        strips: list[Strip] = []
        before: Segment | None = None
        for segment in drawn.segments[crop.y : crop.bottom]:
            # Most rows share one segment, which takes long to be looked up.
            strips.append(strips[-1] if segment is before else self._row(segment))
            before = segment
        return strips

    def _row(self, segment: Segment) -> Strip:
        if segment not in self._rows:
            strip = Strip([segment])
            for line_filter in self.get_line_filters():
                strip = strip.apply_filter(line_filter, self.background_colors[1])
            self._rows[segment] = strip
        return self._rows[segment]

    def notify_style_update(self) -> None:
        self._rows.clear()
        super().notify_style_update()
