"""The widgets that blocks are shown in.

Owns which widget shows what and how an opened block is filled. Must not know the conversation nor
which blocks are in the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalGroup
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from agent.printer import extent
from tools.testing.reports import TestRun
from tools.text import shown
from tools.text_filter import clip, clip_line, printable
from tui.blocks import entries, heads
from tui.blocks.entries import Entry
from tui.blocks.printed import Printed
from tui.blocks.text import MarkdownText
from tui.themes import MUTED

_ARGUMENT = 4_000
"""Characters of one argument that are shown."""
_OUTPUT = 20_000
"""Characters of an output that are shown."""
_WIDE = 2_000
"""Characters of one of its lines."""
_OF_EACH = 1_500
"""Characters of each output where several are shown."""


class Block(Widget):
    """Shows one entry; `sync` makes it what the entry has become."""

    @dataclass
    class Pressed(Message):
        """The block's line was clicked."""

        entry: Entry

    entry: Entry
    index: int
    """Its place in the conversation."""

    def begin(self, entry: Entry, index: int) -> None:
        """Tell it what to show, once."""
        self.entry, self.index = entry, index
        # It is in no tree yet, and styled when it is.
        self.add_class("block", type(entry).__name__.lower(), update=False)

    def sync(self, *, lay_out: bool = True) -> None:
        """Show the entry as it is now.

        Args:
            lay_out: Whether there is to be room at once for what it has grown by at its end.
        """

    def tick(self) -> None:
        """Time has passed."""

    @property
    def stale(self) -> bool:
        """Whether another widget is to take its place."""
        return _opens(self.entry) is not isinstance(self, OpenBlock)

    def on_click(self, event: events.Click) -> None:
        if not self.screen.get_selected_text():
            event.stop()
            self.post_message(self.Pressed(self.entry))


class LineBlock(Block, Static):
    """A block that is folded, or has no more than its lines."""

    def __init__(self, entry: Entry, index: int) -> None:
        super().__init__(head(entry))
        self.begin(entry, index)

    def sync(self, *, lay_out: bool = True) -> None:
        self.update(head(self.entry))

    def tick(self) -> None:
        self.update(head(self.entry), layout=False)

    def on_resize(self) -> None:
        if isinstance(self.entry, entries.Verdict):  # no fact is broken within
            self.update(heads.verdict(self.entry, self.content_size.width))


class OpenBlock(Block, VerticalGroup):
    """A block that shows all that it has, beneath its line."""

    def __init__(self, entry: Entry, index: int) -> None:
        super().__init__()
        self.begin(entry, index)
        self._moving = entry.moving

    def compose(self) -> ComposeResult:
        yield Static(head(self.entry), classes="head")
        yield from _BODIES[type(self.entry)](self.entry)

    @property
    def stale(self) -> bool:
        return super().stale or self._moving is not self.entry.moving

    def sync(self, *, lay_out: bool = True) -> None:
        if isinstance(self.entry, entries.Call) and self.entry.printed is not None:
            self.query_one(_Output).update(_lines(self.entry.printed))

    def tick(self) -> None:
        self.query_one(".head", Static).update(head(self.entry), layout=False)

    def on_click(self, event: events.Click) -> None:
        # What it shows may be clicked and selected without folding it.
        if event.widget is not None and event.widget.has_class("head"):
            super().on_click(event)


class _Output(Static):
    """What a program that is at work has printed."""


class AnswerBlock(Block, MarkdownText):
    """What a model says; grows while it is written."""

    entry: entries.Answer

    def __init__(self, entry: entries.Answer, index: int) -> None:
        super().__init__(entry.text)
        self.begin(entry, index)

    def sync(self, *, lay_out: bool = True) -> None:
        text, there = self.entry.text, self.source
        lay_out = lay_out or self.entry.done
        if not text.startswith(there):
            self.replace(text)
        elif len(text) > len(there):
            self.write(text[len(there) :], lay_out=lay_out)
        elif lay_out:
            self.lay_out()

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Pressed(self.entry))


def block_for(entry: Entry, index: int) -> Block:
    """The widget that shows an entry.

    Args:
        index: Its place in the conversation.
    """
    if isinstance(entry, entries.Answer):
        return AnswerBlock(entry, index)
    return OpenBlock(entry, index) if _opens(entry) else LineBlock(entry, index)


def openable(entry: Entry) -> bool:
    """Whether there is more to see of it than its line."""
    return type(entry) in _BODIES or isinstance(entry, entries.Shell | entries.Prompted)


def _opens(entry: Entry) -> bool:
    return entry.open and type(entry) in _BODIES


def head(entry: Entry) -> Content:
    """The line of a block; all that it is where it has no more."""
    match entry:
        case entries.Prompted(text):
            return heads.prompted(text, whole=entry.open)
        case entries.Question(text):
            lines = text.strip().split("\n")
            fold = "▾" if entry.open else "▸"
            told = f"{fold} told the model: {clip_line(lines[0], 100)}"
            return Content.styled(told, f"{MUTED} italic")
        case entries.Thought():
            return heads.thought(entry)
        case entries.Call():
            return heads.call(entry)
        case entries.Lookups():
            return heads.lookups(entry)
        case entries.Remark():
            return heads.remark(entry)
        case entries.Change(model, cost):
            return Content.assemble(
                Content.styled(f"{model} goes on", "bold $text-accent"),
                Content.styled(f"  {cost}", MUTED),
            )
        case entries.Verdict():
            return heads.verdict(entry)
        case entries.Shell():
            return heads.shell(entry)
        case entries.Changes(title, patch):
            return Content.assemble((title, "bold"), Content.styled(f"  {extent(patch)}", MUTED))
        case _:
            return Content(entry.copied)


def _text(text: str, limit: int = _OUTPUT) -> Widget:
    lines = printable(clip(text, limit)).strip("\n").split("\n")
    return Static(Content("\n".join(clip_line(line, _WIDE) for line in lines)), classes="output")


def _thought(entry: Entry) -> list[Widget]:
    return [_text(entry.copied)]


def _call(entry: Entry) -> list[Widget]:
    assert isinstance(entry, entries.Call)
    if entry.patch:
        # 60 ms; only needed where a patch is seen
        from tui.blocks.diff import diffs

        refused = entry.result is not None and not entry.result.ok
        told = [_text(entry.result.output)] if refused and entry.result is not None else []
        return [*diffs(entry.patch), *told]
    parts = [] if entry.result and entry.call.name == "run_tests" else _arguments(entry)
    if entry.result is not None:
        details = entry.result.details
        if isinstance(details, TestRun):
            parts.append(_text(f"{details.summary()}\n\n{details.brief(8_000)}"))
        else:
            parts.append(_text(entry.result.output))
    elif entry.moving or entry.printed is not None:
        parts.append(_Output(_lines(entry.printed or Printed()), classes="output"))
    return parts


def _lines(printed: Printed) -> Content:
    lines = printed.lines(heads.OPENED)
    return Content("\n".join(clip_line(line, _WIDE) for line in lines))


def _arguments(entry: entries.Call) -> list[Widget]:
    lines: list[str] = []
    for name, value in entry.call.arguments.items():
        text = printable(clip(value if isinstance(value, str) else repr(value), _ARGUMENT))
        between = "\n" if "\n" in text else " "
        lines.append(f"{shown(name)}:{between}{text.rstrip()}")
    return [Static(Content("\n".join(lines)), classes="arguments")] if lines else []


def _lookups(entry: Entry) -> list[Widget]:
    assert isinstance(entry, entries.Lookups)
    if len(entry.calls) == 1:
        return _call(entry.calls[0])
    parts: list[Widget] = []
    for call in entry.calls:
        parts.append(Static(heads.call(call), classes="file"))
        if call.result is not None:
            parts.append(_text(call.result.output, _OF_EACH))
    return parts


def _patch(entry: Entry) -> list[Widget]:
    assert isinstance(entry, entries.Verdict | entries.Changes)
    if not entry.patch:
        return []
    # 60 ms; only needed where a patch is seen
    from tui.blocks.diff import diffs

    return diffs(entry.patch)


_BODIES: dict[type[Entry], Callable[[Entry], list[Widget]]] = {
    entries.Thought: _thought,
    entries.Question: _thought,
    entries.Call: _call,
    entries.Lookups: _lookups,
    entries.Verdict: _patch,
    entries.Changes: _patch,
}
