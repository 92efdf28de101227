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

from tools.testing.reports import TestRun
from tools.text import shown
from tools.text_filter import clip, clip_line, printable
from tui.blocks import entries, heads
from tui.blocks.entries import Entry
from tui.blocks.markdown import LiveMarkdown

_ARGUMENT = 4_000
"""Characters of one argument that are shown."""
_OUTPUT = 20_000
"""Characters of an output that are shown."""
_WIDE = 2_000
"""Characters of one of its lines."""
_OF_EACH = 1_500
"""Characters of each output where several are shown."""


class Head(Static):
    """The line that is always there; a click opens the block."""


class Block(VerticalGroup):
    """Shows one entry; `sync` makes it what the entry has become."""

    @dataclass
    class Pressed(Message):
        """The head was clicked."""

        entry: Entry

    def __init__(self, entry: Entry) -> None:
        super().__init__(classes=type(entry).__name__.lower())
        self.entry = entry
        self._opened = entry.open
        self.set_class(entry.open, "-open")

    def compose(self) -> ComposeResult:
        yield Head(self._head())
        if self._opened:
            yield from self._body()

    async def sync(self) -> None:
        """Show the entry as it is now."""
        self.query_one(Head).update(self._head())
        if self.entry.open is not self._opened:
            self._opened = self.entry.open
            self.set_class(self._opened, "-open")
            await self._fold() if not self._opened else await self._unfold()

    def tick(self) -> None:
        """Time has passed."""
        self.query_one(Head).update(self._head(), layout=False)

    @property
    def openable(self) -> bool:
        """Whether there is more to see."""
        return type(self.entry) in _BODIES

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, Head) and not self.screen.get_selected_text():
            event.stop()
            self.post_message(self.Pressed(self.entry))

    def _head(self) -> Content:
        return _head(self.entry)

    def _body(self) -> list[Widget]:
        body = _BODIES.get(type(self.entry))
        return body(self.entry) if body is not None else []

    async def _unfold(self) -> None:
        await self.mount_all(self._body())

    async def _fold(self) -> None:
        await self.query("Block > :not(Head)").remove()


class AnswerBlock(Block):
    """What a model says; grows while it is written."""

    entry: entries.Answer

    def compose(self) -> ComposeResult:
        yield LiveMarkdown(self.entry.text)

    async def sync(self) -> None:
        markdown = self.query_one(LiveMarkdown)
        text, there = self.entry.text, markdown.source
        if text.startswith(there):
            if len(text) > len(there):
                await markdown.write(text[len(there) :])
        elif text.strip() != there.strip():
            await self.query(LiveMarkdown).remove()
            await self.mount(LiveMarkdown(text))

    def tick(self) -> None:
        """Nothing here tells the time."""


def block_for(entry: Entry) -> Block:
    """The widget that shows an entry."""
    return AnswerBlock(entry) if isinstance(entry, entries.Answer) else Block(entry)


def _head(entry: Entry) -> Content:
    match entry:
        case entries.Prompted(text):
            return Content(text)
        case entries.Question(text):
            lines = text.strip().split("\n")
            fold = "▾" if entry.open else "▸"
            told = f"{fold} told the model: {clip_line(lines[0], 100)}"
            return Content.styled(told, f"{heads.DIM} italic")
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
                Content.styled(f"  {cost}", heads.DIM),
            )
        case entries.Verdict():
            return heads.verdict(entry)
        case entries.Shell():
            return heads.shell(entry)
        case _:
            return Content(entry.copied)


def _text(text: str, limit: int = _OUTPUT) -> Widget:
    lines = clip(printable(text), limit).strip("\n").split("\n")
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
    parts = [] if entry.result and isinstance(entry.result.details, TestRun) else _arguments(entry)
    if entry.result is not None:
        details = entry.result.details
        if isinstance(details, TestRun):
            parts.append(_text(f"{details.summary()}\n\n{details.brief(8_000)}"))
        else:
            parts.append(_text(entry.result.output))
    return parts


def _arguments(entry: entries.Call) -> list[Widget]:
    lines: list[str] = []
    for name, value in entry.call.arguments.items():
        text = clip(printable(value if isinstance(value, str) else repr(value)), _ARGUMENT)
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


def _verdict(entry: Entry) -> list[Widget]:
    assert isinstance(entry, entries.Verdict)
    if not entry.patch:
        return []
    # 60 ms; only needed where a patch is seen
    from tui.blocks.diff import diffs

    return diffs(entry.patch)


def _nothing(entry: Entry) -> list[Widget]:
    """A block whose head grows when it is opened."""
    return []


_BODIES: dict[type[Entry], Callable[[Entry], list[Widget]]] = {
    entries.Thought: _thought,
    entries.Question: _thought,
    entries.Call: _call,
    entries.Lookups: _lookups,
    entries.Verdict: _verdict,
    entries.Shell: _nothing,
}
