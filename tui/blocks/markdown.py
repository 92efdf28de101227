"""Markdown made into lines: once for each of its blocks, however much is written after it.

Textual's own `Markdown` is a widget for each paragraph: the price of thousands of them, and of an
open fence that is highlighted at each piece, is what this module is for. Owns what Markdown looks
like and what is kept of it. Must not know widgets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from markdown_it import MarkdownIt
from markdown_it.token import Token
from textual.content import Content

from tui.blocks.table import FAINT, Table

_CLOSING = re.compile(r"(?m)^\s*(?:`{3,}|~{3,})")
"""A line that may end a block of code."""
_HIGHLIGHTED = 3_000
"""Lines of code that are highlighted at most: it costs some 50 µs a line."""
_AT_ONCE = 40
"""Lines of code that are highlighted in the frame that they are shown in."""
_WIDE = 4_000
"""Characters of a line of code that are shown."""
_HEADINGS = {"h1": "bold underline $text-primary", "h2": "bold $text-primary"}
_CODE = "on $surface"
_EMPTY = Content("")


class Piece(Protocol):
    """A part of a block: a paragraph, some code, a table."""

    def lines(self, width: int) -> list[Content]:
        """It, in so many columns."""
        ...


@dataclass(slots=True)
class Flow:
    """Text that is wrapped."""

    content: Content
    first: Content = _EMPTY
    """Before its first line: a bullet."""
    rest: Content = _EMPTY
    """Before the other lines, as wide as `first`."""

    def lines(self, width: int) -> list[Content]:
        wrapped = self.content.wrap(max(8, width - self.first.cell_length)) or [_EMPTY]
        return [(self.rest if at else self.first) + line for at, line in enumerate(wrapped)]


@dataclass(slots=True)
class Code:
    """Code, plain until its fence closes."""

    text: str
    language: str
    closed: bool
    before: Content = _EMPTY
    coloured: bool = field(default=False, compare=False)
    _styled: list[Content] | None = field(default=None, compare=False)

    def lines(self, width: int) -> list[Content]:
        if self._styled is None:
            self._styled = [Content(line) for line in self._shown.split("\n")]
            if self.closed and len(self._styled) <= _AT_ONCE:
                self.highlight()
        lines = self._styled
        # A line that has only just begun would make the view jump when the fence closes.
        if len(lines) > 1 and not lines[-1].plain:
            lines = lines[:-1]
        return [line for code in lines for line in self.boxed(code, width)]

    def boxed(self, code: Content, width: int) -> list[Content]:
        """One line of it on its ground."""
        room = max(8, width - self.before.cell_length - 2)
        folded = code.fold(room) if code.cell_length > room else [code]
        return [
            self.before + line.pad(1, room - line.cell_length + 1).stylize_before(_CODE)
            for line in folded
        ]

    @property
    def _shown(self) -> str:
        return "\n".join(line[:_WIDE] for line in self.text.expandtabs(4).split("\n"))

    def highlight(self) -> None:
        """Colour it, for good; of no effect on where its lines are."""
        self.coloured = True
        code = self._shown
        if self.language and code.count("\n") <= _HIGHLIGHTED:
            # 15 ms; only needed once there is code
            from textual.highlight import highlight

            found = highlight(code, language=self.language).split("\n", allow_blank=True)
            # The highlighter leaves out empty lines at the end.
            lines = code.count("\n") + 1
            self._styled = [*found, *[_EMPTY] * lines][:lines]


@dataclass(slots=True)
class Rule:
    """A line across."""

    def lines(self, width: int) -> list[Content]:
        return [Content.styled("─" * width, FAINT)]


@dataclass(slots=True)
class Gap:
    """An empty line."""

    before: Content = _EMPTY

    def lines(self, width: int) -> list[Content]:
        return [self.before]


@cache
def _parser() -> MarkdownIt:
    # HTML is shown as it is written: dropped, it would hide what a model said.
    return MarkdownIt("gfm-like", {"html": False})


@dataclass(slots=True)
class Document:
    """A text that may grow at its end, as lines."""

    source: str = ""
    _width: int = 0
    _done: list[list[Piece]] = field(default_factory=list)
    """Blocks that nothing can change any more."""
    _open: list[Piece] = field(default_factory=list)
    """The last block."""
    _rest: str = ""
    """The source of the last block."""
    _done_lines: list[Content] = field(default_factory=list)
    _open_lines: list[Content] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Add text, safe to show."""
        self.source += text
        if self._goes_on(text):
            return
        self._rest += text
        tokens = _parser().parse(self._rest)
        blocks = list(_blocks(tokens))
        for block in blocks[:-1]:
            self._done.append(self._made(block))
            self._settle(self._done[-1])
        if blocks:
            start = blocks[-1][0].map
            if start is not None and start[0]:
                self._rest = "".join(self._rest.splitlines(keepends=True)[start[0] :])
            self._open = self._made(blocks[-1])
            self._open_lines = self._lines_of(self._open)

    def lines(self, width: int) -> tuple[list[Content], list[Content]]:
        """The lines of what is done, and those of the last block."""
        if width != self._width:
            self._width = width
            self._done_lines.clear()
            for pieces in self._done:
                self._settle(pieces)
            self._open_lines = self._lines_of(self._open)
        return self._done_lines, self._open_lines

    def height(self, width: int) -> int:
        """How many lines there are."""
        done, last = self.lines(width)
        return len(done) + len(last)

    def plain_code(self) -> list[Code]:
        """Code that is whole and was not highlighted yet."""
        pieces = [*(piece for block in self._done for piece in block), *self._open]
        return [
            piece
            for piece in pieces
            if isinstance(piece, Code) and piece.closed and not piece.coloured
        ]

    def forget_lines(self) -> None:
        """Make them anew: some code was highlighted."""
        self._width = 0

    def _made(self, block: Sequence[Token]) -> list[Piece]:
        """What a block is made of; code that was whole already stays, and so do its colours."""
        whole = [piece for piece in self._open if isinstance(piece, Code) and piece.closed]
        return [
            whole[whole.index(piece)] if isinstance(piece, Code) and piece in whole else piece
            for piece in _pieces(block)
        ]

    def _settle(self, pieces: list[Piece]) -> None:
        self._done_lines += [*self._lines_of(pieces), _EMPTY]

    def _lines_of(self, pieces: Sequence[Piece]) -> list[Content]:
        width = self._width
        return [line for piece in pieces for line in piece.lines(width)] if width else []

    def _goes_on(self, text: str) -> bool:
        """Whether it only adds lines to open code; then they are all that is done."""
        match self._open:
            case [Code(closed=False) as piece] if piece.text:
                pass
            case _:
                return False
        line = self._rest[self._rest.rfind("\n") + 1 :] + text
        if _CLOSING.search(line) or piece._styled is None:
            return False
        self._rest += text
        piece.text += text
        last = piece._styled.pop()
        gone = len(piece.boxed(last, self._width)) if last.plain or not piece._styled else 0
        new = [Content(each[:_WIDE].expandtabs(4)) for each in (last.plain + text).split("\n")]
        piece._styled += new
        if self._width:
            if gone:
                del self._open_lines[-gone:]
            shown = new[:-1] if not new[-1].plain and len(piece._styled) > 1 else new
            for line_of_code in shown:
                self._open_lines += piece.boxed(line_of_code, self._width)
        return True


def _blocks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each block that stands in no other."""
    block: list[Token] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0 and block:
            yield block
            block = []
        block.append(token)
    if block:
        yield block


def _pieces(tokens: Sequence[Token]) -> Iterator[Piece]:
    """What a block is made of."""
    indents: list[Content] = []
    """Of the lists and quotations that we are in."""
    numbers: list[int | None] = []
    bullet: Content | None = None
    style, gap = "", False
    rows: list[list[Content]] | None = None
    right: set[int] = set()
    for token in tokens:
        base = Content("").join(indents)
        leaf = token.type in ("fence", "code_block", "hr", "table_open") or (
            token.type == "inline" and rows is None
        )
        if leaf and gap:
            yield Gap(base)
            gap = False
        match token.type:
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_open":
                numbers.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                numbers.pop()
            case "list_item_open":
                number = numbers[-1]
                mark = "• " if number is None else f"{number}. "
                if number is not None:
                    numbers[-1] = number + 1
                bullet = base + Content.styled(mark, "$text-primary")
                indents.append(Content(" " * len(mark)))
            case "blockquote_open":
                indents.append(Content.styled("▌ ", "$primary"))
            case "list_item_close":
                if bullet is not None:
                    yield Flow(_EMPTY, bullet)
                    bullet = None
                indents.pop()
            case "blockquote_close":
                indents.pop()
            case "heading_open":
                style = _HEADINGS.get(token.tag, "bold")
            case "heading_close":
                style, gap = "", True
            case "paragraph_close":
                gap = not token.hidden
            case "table_open":
                rows, right = [], set()
            case "tr_open" if rows is not None:
                rows.append([])
            case "th_open" if rows:
                style = "bold"
                if token.attrs.get("style") == "text-align:right":
                    right.add(len(rows[-1]))
            case "th_close":
                style = ""
            case "table_close" if rows is not None:
                yield Table(rows, base, frozenset(right))
                rows, gap = None, True
            case "inline":
                content = _inline(token)
                content = content.stylize_before(style) if style else content
                if rows is not None:
                    rows[-1].append(content)
                else:
                    yield Flow(content, base if bullet is None else bullet, base)
                    bullet = None
            case "hr":
                yield Rule()
                gap = True
            case "fence" | "code_block":
                if bullet is not None:
                    yield Flow(_EMPTY, bullet)
                    bullet = None
                yield _code(token, base)
                gap = True
            case _:
                pass


def _code(token: Token, before: Content) -> Code:
    first, last = token.map or (0, 0)
    lines = len(token.content.split("\n")) - token.content.endswith("\n")
    closed = token.type != "fence" or last - first == lines + 2
    # The end of the line tells where open code goes on.
    text = token.content.removesuffix("\n") if closed else token.content
    return Code(text, (token.info.split() or [""])[0], closed, before)


def _inline(token: Token) -> Content:
    """Text with its emphasis; the address of a link is told, where it is not the text."""
    parts: list[Content] = []
    styles: list[str] = []
    links: list[tuple[str, int]] = []
    for child in token.children or ():
        match child.type:
            case "text":
                parts.append(Content.styled(child.content, " ".join(styles)))
            case "softbreak":
                parts.append(Content(" "))
            case "hardbreak":
                parts.append(Content("\n"))
            case "code_inline":
                parts.append(Content.styled(child.content, "$text-warning on $literal"))
            case "em_open":
                styles.append("italic")
            case "strong_open":
                styles.append("bold")
            case "s_open":
                styles.append("strike")
            case "em_close" | "strong_close" | "s_close":
                styles.pop()
            case "link_open":
                links.append((str(child.attrs.get("href", "")), len(parts)))
                styles.append("underline")
            case "link_close":
                styles.pop()
                address, start = links.pop()
                text = "".join(part.plain for part in parts[start:])
                if address.removeprefix("mailto:") not in (text, f"http://{text}"):
                    parts.append(Content.styled(f" ({address})", "$muted"))
            case "image":
                told = f"[image {child.content}: {child.attrs.get('src', '')}]"
                parts.append(Content.styled(told, "$muted"))
            case _:
                parts.append(Content(child.content))
    return Content("").join(parts)
