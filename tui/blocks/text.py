"""The widget that shows a model's Markdown: one, whatever the length, rendered where it is seen.

Owns selection and colours. Must not know what the text is about.
"""

from __future__ import annotations

from functools import partial

from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tui.blocks.markdown import Code, Document


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

    @property
    def source(self) -> str:
        """The Markdown."""
        return self._document.source

    def write(self, text: str) -> None:
        """Add text, safe to show."""
        width = self.content_size.width
        before = self._document.height(width) if width else 0
        self._document.write(text)
        changed = not width or self._document.height(width) != before
        self.refresh(layout=changed)
        self._colour()

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

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        style = self.visual_style
        done, last = self._document.lines(width)
        if y >= len(done) + len(last):
            return Strip.blank(width, style.rich_style)
        line = done[y] if y < len(done) else last[y - len(done)]
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
