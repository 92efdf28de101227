"""Markdown that is still being written, at a price that does not grow with its length.

Owns when code is highlighted (once its fence closes) and how little is done for each piece. Must
not know what the text is about.
"""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

_FENCE = re.compile(r"(?m)^\s*(?:`{3,}|~{3,})")
"""A line that may end a block of code."""
_HIGHLIGHTED = 3_000
"""Lines of code that are highlighted at most: it costs some 50 µs a line."""
_WIDE = 4_000
"""Characters of a line of code that are shown."""


@cache
def _parser() -> MarkdownIt:
    # HTML is shown as it is written: dropped, it would hide what a model said.
    return MarkdownIt("gfm-like", {"html": False})


class CodeLines(Widget):
    """Lines of code; only those in sight are rendered."""

    def __init__(self, lines: list[Content]) -> None:
        super().__init__()
        self._lines = lines
        self._widest = max((line.cell_length for line in lines), default=0)

    def show(self, lines: list[Content]) -> None:
        """Other lines."""
        self._lines = lines
        self._widest = max((line.cell_length for line in lines), default=0)
        self.refresh(layout=True)

    def extend(self, last: Content, more: list[Content]) -> None:
        """Another last line, and lines after it."""
        self._lines[-1:] = [last, *more]
        self._widest = max(self._widest, *(line.cell_length for line in (last, *more)))
        self.refresh(layout=True)

    @property
    def last(self) -> Content:
        """The last line."""
        return self._lines[-1]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return max(self._widest, 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        # A line that has only just begun would make the block jump when the fence closes.
        begun = len(self._lines) > 1 and not self._lines[-1].plain
        return len(self._lines) - begun

    def render_line(self, y: int) -> Strip:
        style = self.visual_style
        if y >= len(self._lines):
            return Strip.blank(self.size.width, style.rich_style)
        line = self._lines[y]
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            end = len(line) if end == -1 else end
            line = line.stylize(self.selection_style, start, end)
        strip = Strip(line.render_segments(style), line.cell_length)
        return strip.adjust_cell_length(self.size.width, style.rich_style).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(line.plain for line in self._lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


class LiveFence(MarkdownFence):
    """Code that is plain until its fence closes."""

    def __init__(self, markdown: Markdown, token: Token, code: str) -> None:
        # Not the fence's own, which highlights.
        MarkdownBlock.__init__(self, markdown, token)
        self.auto_links = False
        self.lexer = token.info.split()[0] if token.info.split() else ""
        first, last = token.map or (0, 0)
        lines = token.content.count("\n") + 2
        self.closed = token.type != "fence" or last - first == lines
        self.code = token.content.removesuffix("\n") if self.closed else token.content
        self._styled: list[Content] | None = None

    def compose(self) -> ComposeResult:
        yield CodeLines(self._content_lines())

    def extend(self, code: str) -> None:
        """Code that follows, while the fence is open."""
        self.code += code
        lines = self.query_one(CodeLines)
        first, *more = code.split("\n")
        lines.extend(_line(lines.last.plain + first), [_line(text) for text in more])

    def notify_style_update(self) -> None:
        # The colours of the code are the theme's.
        self._styled = None
        MarkdownBlock.notify_style_update(self)
        for lines in self.query(CodeLines):
            lines.show(self._content_lines())

    async def _update_from_block(self, block: MarkdownBlock) -> None:
        if not isinstance(block, LiveFence):
            await MarkdownBlock._update_from_block(self, block)
            return
        self.code, self.lexer, self.closed = block.code, block.lexer, block.closed
        self._token, self._styled = block._token, None
        self.query_one(CodeLines).show(self._content_lines())

    def _content_lines(self) -> list[Content]:
        if self._styled is None:
            lines = self.code.count("\n")
            if self.closed and self.lexer and lines < _HIGHLIGHTED:
                code = "\n".join(line[:_WIDE] for line in self.code.expandtabs(4).split("\n"))
                dark, ansi = self.app.current_theme.dark, self.app.native_ansi_color
                self._styled = self.highlight(code, self.lexer, ansi=ansi, dark=dark).split("\n")
            else:
                self._styled = [_line(text) for text in self.code.split("\n")]
        return self._styled


def _line(text: str) -> Content:
    return Content(text[:_WIDE].expandtabs(4))


class LiveMarkdown(Markdown):
    """Markdown, whole from its first frame on, that can be added to."""

    BLOCKS: ClassVar[dict[str, type[MarkdownBlock]]] = {
        **Markdown.BLOCKS,
        "fence": LiveFence,
        "code_block": LiveFence,
    }

    def __init__(self, text: str) -> None:
        """
        Args:
            text: Safe to show.
        """
        super().__init__(parser_factory=_parser, open_links=False)
        self._markdown = text

    def compose(self) -> ComposeResult:
        tokens = _parser().parse(self._markdown)
        self._last_parsed_line = max(
            (token.map[0] for token in tokens if token.map is not None and token.level == 0),
            default=0,
        )
        yield from self._parse_markdown(tokens)

    async def _on_mount(self, event: events.Mount) -> None:
        event.prevent_default()  # it would parse and mount everything once more, a frame later
        self._theme = self.app.theme

    async def write(self, text: str) -> None:
        """Add text, safe to show."""
        fence = self.children[-1] if self.children else None
        open_code = isinstance(fence, LiveFence) and not fence.closed and fence.code
        if open_code and not self._may_close(text):
            assert isinstance(fence, LiveFence)
            self._markdown += text
            fence.extend(text)
            return
        await self.append(text)

    def _may_close(self, text: str) -> bool:
        """Whether a fence may end in a text that is added, or in the line that it goes on with."""
        start = self._markdown.rfind("\n") + 1
        return _FENCE.search(self._markdown[start:] + text) is not None
