"""The widget that shows a model's Markdown: one, whatever the length, rendered where it is seen.

Owns selection, colours, and what of the drawn lines is kept: a line that was drawn once costs
nothing any more, however often those below it change. Must not know what the text is about.
"""

from __future__ import annotations

from functools import partial

from textual.content import Content
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tui.blocks.markdown import Code, Document

_KEPT = 400
"""Drawn lines that are kept at least, beside those in sight."""


class MarkdownText(Widget):
    """A text that may grow at its end."""

    def __init__(self, text: str) -> None:
        """
        Args:
            text: Safe to show.
        """
        super().__init__()
        self._document = Document()
        self._document.write(text)
        self._drawn: dict[int, tuple[Content | None, Strip]] = {}
        """Lines as they were drawn, and of what."""
        self._look: tuple[object, ...] = ()
        """All that their look depends on."""
        self.ahead = 0
        """Rows that it is drawn further down than it was laid out: what is seen is its end."""

    @property
    def source(self) -> str:
        """The Markdown."""
        return self._document.source

    def write(self, text: str, *, lay_out: bool = True) -> None:
        """Add text, safe to show.

        Args:
            lay_out: Whether there is to be room for it at once; else, where its rows are enough
                for all that is seen of it, it is drawn `ahead`. To lay a screen out takes as long
                as to draw it.
        """
        width = self.content_size.width
        before = self._document.height(width) if width else 0
        self._document.write(text)
        ahead = self.ahead + self._document.height(width) - before if width else 0
        fits = width > 0 and (ahead == 0 or (ahead > 0 and not lay_out))
        if fits:
            self.ahead = ahead
        self.refresh(layout=not fits)
        self._colour()

    def lay_out(self) -> None:
        """Have room for all that is drawn."""
        if self.ahead:
            self.refresh(layout=True)

    def replace(self, text: str) -> None:
        """Show another text."""
        self._document = Document()
        self._document.write(text)
        self.refresh(layout=True)
        self._colour()

    def on_mount(self) -> None:
        self._colour()

    def _colour(self) -> None:
        """Highlight long code beside the drawing: it takes some 200 ms for 400 lines."""
        if self.is_mounted and (found := self._document.plain_code()):
            for code in found:
                code.coloured = True
            self.run_worker(partial(self._highlight, found), thread=True, group="highlight")

    def _highlight(self, found: list[Code]) -> None:
        for code in found:
            code.highlight()
        self.app.call_from_thread(self._coloured)

    def _coloured(self) -> None:
        self._document.forget_lines()
        self.refresh()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._document.height(width) if width else 0

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        # It has just been laid out: the library would do it again, and draw all of it twice.
        changed = super()._size_updated(size, virtual_size, container_size, layout=False)
        if self.ahead:
            width, height = self.content_size
            self.ahead = max(0, self._document.height(width) - height)
        return changed

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.outer_size.width
        if not self.is_attached:  # taken out a moment ago, and still on the screen
            gone = (None, Strip.blank(crop.width))
            return [self._drawn.get(y + self.ahead, gone)[1] for y in crop.line_range]
        if crop.width != width:
            return super().render_lines(crop)
        look = (
            width, self.app.theme, self.visual_style, self.background_colors,
            self.styles.border, self.text_selection,
        )  # fmt: skip
        if look != self._look or len(self._drawn) > _KEPT + crop.height:
            self._look = look
            self._drawn.clear()
        done, last = self._document.lines(self.content_size.width)
        drawn, top = self._drawn, crop.y + self.ahead
        rows = range(top, top + crop.height)
        lines = _between(rows.start, rows.stop, done, last)
        changed = [
            y
            for y, line in zip(rows, lines, strict=True)
            if (there := drawn.get(y)) is None or there[0] is not line
        ]
        if changed:
            first, end = changed[0], changed[-1] + 1
            new = super().render_lines(Region(0, first - self.ahead, width, end - first))
            drawn.update((y, (lines[y - top], strip)) for y, strip in enumerate(new, first))
        return [drawn[y][1] for y in rows]

    def render_line(self, y: int) -> Strip:
        y += self.ahead
        width = self.content_size.width
        style = self.visual_style
        (line,) = _between(y, y + 1, *self._document.lines(width))
        if line is None:
            return Strip.blank(width, style.rich_style)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            line = line.stylize(
                self.screen.get_visual_style("screen--selection"),
                start,
                len(line) if end == -1 else end,
            )
        strip = Strip(line.render_segments(style), line.cell_length)
        return strip.adjust_cell_length(width, style.rich_style).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        done, last = self._document.lines(self.content_size.width)
        return selection.extract("\n".join(line.plain.rstrip() for line in (*done, *last))), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _between(
    first: int, end: int, done: list[Content], last: list[Content]
) -> list[Content | None]:
    """Some rows; None where there is no line."""
    known = len(done)
    found = [*done[first:end], *last[max(0, first - known) : max(0, end - known)]]
    return [*found, *[None] * (end - first - len(found))]
