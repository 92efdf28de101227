"""The list of models: what fits here, how fast it would be, what it costs, and fetching one.

Owns the look of the list and the fetch that is started from it. Must not know what a change of
models does to a session.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from agent.alternative import REACHED
from agent.errors import AgentError
from agent.models.claude.access import KEY
from agent.models.entry import Entry
from agent.models.survey import ClaudeChoice, Here, LocalChoice
from agent.secrets import user_keys
from tools.text import shown
from tui.themes import MUTED
from tui.widgets.status_line import thousands

_NAME = 28
"""Characters of a name."""
_WIDTHS = (9, 6, 9, 8, 6)
"""Of the columns behind it; with them a line fits 80 columns."""
_RUNS = {"gpu": "card", "cpu": "processor", "gpu+cpu": "both"}
_EVERY = 0.1
"""Seconds between two looks at how far a fetch is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model as it is listed."""

    name: str
    """By which it is opened."""
    heading: str
    """Of the group it stands in."""
    text: Content
    entry: Entry | None = None
    """What is to be fetched before it can be used."""
    problem: str = ""
    """Why it cannot be used here; empty if it can, as far as is known."""
    keyless: bool = False
    """Whether a key for Claude is all that it lacks."""


class _Left(Exception):
    """The list was left while a model was fetched; what has come is kept."""


class ModelsScreen(ModalScreen[str | None]):
    """Ends with the name of the model that is to go on, or none."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Stay")]

    @dataclass
    class Listed(Message):
        """Some of the models are known."""

        rows: list[Row]

    @dataclass
    class Fetching(Message):
        """How far a fetch is."""

        text: str

    @dataclass
    class Fetched(Message):
        """It has ended."""

        name: str
        problem: str = ""

    def __init__(self, present: str) -> None:
        """
        Args:
            present: The name of the model at work.
        """
        super().__init__()
        self._present = present
        self._rows: list[Row] = []
        self._listed: list[Row] = []
        self._to_fetch = self._keyless = ""
        self._left = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static("Models", classes="title", markup=False)
            yield Input(placeholder="Type to filter", id="filter")
            yield OptionList(markup=False)
            yield Static(markup=False, id="state")
            key = Input(placeholder=f"{KEY}, then Enter", password=True, id="key")
            key.display = False
            yield key
            yield Static(
                "↑↓ which   Enter go on with it, or fetch it   Esc stay",
                classes="keys",
                markup=False,
            )

    def on_mount(self) -> None:
        self._tell("Looking at this machine …")
        self.run_worker(self._look, thread=True, group="models", exit_on_error=False)

    def on_unmount(self) -> None:
        self._left = True

    def _look(self) -> None:
        # 100 ms, and half a second for the prices: the screen is shown meanwhile
        from agent.hardware import detect
        from agent.models.catalogue import Catalogue
        from agent.models.survey import bandwidth_of, claude_choices, local_choices

        hardware = detect()
        local = list(local_choices(Catalogue.load(), hardware, bandwidth_of(hardware)))
        local.sort(key=lambda choice: (choice.here is Here.NO, not choice.fits))
        self.post_message(self.Listed([_local_row(choice) for choice in local]))
        self.post_message(self.Listed([_claude_row(choice) for choice in claude_choices()]))

    @on(Listed)
    def _take(self, message: Listed) -> None:
        message.stop()
        self._rows += message.rows
        self._tell("")
        self._show()

    @on(Input.Changed, "#filter")
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        self._show()

    def _show(self) -> None:
        words = self.query_one("#filter", Input).value.casefold().split()
        rows = [row for row in self._all() if all(word in row.name.casefold() for word in words)]
        options: list[Option | None] = []
        self._listed, heading = [], ""
        for row in rows:
            if row.heading != heading:
                heading = row.heading
                options.append(Option(Content.styled(heading, "bold $text-accent"), disabled=True))
            mark = ("● ", "$text-success") if row.name == self._present else ("  ", "")
            options.append(Option(Content.assemble(mark, row.text), id=str(len(self._listed))))
            self._listed.append(row)
        view = self.query_one(OptionList)
        view.clear_options()
        view.add_options(options)
        if self._listed:
            view.highlighted = 1

    def _all(self) -> Iterator[Row]:
        """The rows, and what was typed where it names a server."""
        typed = self.query_one("#filter", Input).value.strip()
        yield from self._rows
        if typed.startswith(("http://", "https://", "ollama:")):
            text = Content.assemble((typed, "bold"), ("  ask this server", MUTED))
            yield Row(typed, "Server", text)

    def on_key(self, event: events.Key) -> None:
        if event.key in _MOVES and not self.query_one("#key", Input).display:
            event.stop()
            view = self.query_one(OptionList)
            getattr(view, f"action_{_MOVES[event.key]}")()

    @on(Input.Submitted, "#filter")
    def _entered(self, message: Input.Submitted) -> None:
        message.stop()
        view = self.query_one(OptionList)
        if view.highlighted is not None:
            view.action_select()

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        row = self._listed[int(message.option_id or 0)]
        if row.name == self._present:
            self.dismiss(None)
        elif row.problem:
            self._tell(row.problem)
            self._keyless = row.name
            self._ask_key(row.keyless)
        elif row.entry is None:
            self.dismiss(row.name)
        elif self._to_fetch == row.name:
            self._fetch(row.entry)
        else:
            self._to_fetch = row.name
            self._tell(f"Enter once more fetches {row.entry.size / 1e9:.1f} GB.")

    def _ask_key(self, wanted: bool) -> None:
        field = self.query_one("#key", Input)
        field.clear()
        field.display = wanted
        (field if wanted else self.query_one("#filter", Input)).focus()

    @on(Input.Submitted, "#key")
    def _key_pasted(self, message: Input.Submitted) -> None:
        message.stop()
        try:
            user_keys().keep(KEY, message.value)
        except (AgentError, OSError) as error:
            self._tell(str(error))
        else:
            self.dismiss(self._keyless)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._to_fetch = ""

    def _fetch(self, entry: Entry) -> None:
        from functools import partial

        self._tell(f"Fetching {entry.name} …")
        self.run_worker(partial(self._pull, entry), thread=True, exclusive=True, group="fetch")

    def _pull(self, entry: Entry) -> None:
        # 60 ms; only needed to fetch
        from agent.models.catalogue import models_folder
        from agent.models.download import pull

        def notice(line: str) -> None:
            self.post_message(self.Fetching(line))

        try:
            pull(entry, models_folder(os.environ), notice, _Progress(self))
        except _Left:
            return
        except (AgentError, OSError) as error:
            self.post_message(self.Fetched(entry.name, str(error)))
        else:
            self.post_message(self.Fetched(entry.name))

    @property
    def left(self) -> bool:
        """Whether nobody looks at it any more."""
        return self._left

    @on(Fetching)
    def _on_the_way(self, message: Fetching) -> None:
        message.stop()
        self._tell(message.text)

    @on(Fetched)
    def _is_here(self, message: Fetched) -> None:
        message.stop()
        if message.problem:
            self._tell(message.problem)
        else:
            self.dismiss(message.name)

    def action_leave(self) -> None:
        """Stay with the model at work; from the key's field, back to the list."""
        if self.query_one("#key", Input).display:
            self._tell("")
            self._ask_key(False)
            return
        self._left = True
        self.dismiss(None)

    def _tell(self, text: str) -> None:
        self.query_one("#state", Static).update(shown(text))


_MOVES = {
    "up": "cursor_up",
    "down": "cursor_down",
    "pageup": "page_up",
    "pagedown": "page_down",
}


class _Progress:
    """Implements `agent.models.progress.Progress`: a line of the list."""

    def __init__(self, screen: ModelsScreen) -> None:
        self._screen = screen
        self._what, self._total, self._told = "", 0, 0.0

    def begin(self, what: str, total: int, done: int = 0) -> None:
        self._what, self._total, self._told = what, total, 0.0
        self.update(done)

    def update(self, done: int) -> None:
        if self._screen.left:
            raise _Left
        now = time.monotonic()
        if now - self._told < _EVERY:
            return
        self._told = now
        share = done / self._total if self._total else 0.0
        cells = round(share * 24)
        bar = "━" * cells + "╌" * (24 - cells)
        text = f"{self._what}  {bar}  {share:.0%}  {done / 1e9:.2f} of {self._total / 1e9:.2f} GB"
        self._screen.post_message(ModelsScreen.Fetching(text))

    def end(self) -> None:
        """The next stage tells."""


def _local_row(choice: LocalChoice) -> Row:
    speed = "–"
    if choice.ceiling:
        rate = choice.ceiling * REACHED
        speed = f"{rate:.0f} tok/s" if rate >= 1 else "<1 tok/s"
    missing = choice.entry if choice.here is Here.NO else None
    columns = (
        _RUNS.get(choice.runs, "too big"),
        thousands(choice.context) if choice.fits else "–",
        speed,
        f"{choice.size / 1e9:.1f} GB",
        "here" if missing is None else "fetch",
    )
    problem = "" if choice.fits else f"{choice.name} does not fit in this machine's memory."
    text = _columns(choice.name, columns, dim=not choice.fits)
    return Row(choice.name, _LOCAL, text, missing, problem)


def _claude_row(choice: ClaudeChoice) -> Row:
    price = ("–", "–")
    if choice.rates is not None:
        price = (f"${choice.rates[0]:g} in", f"${choice.rates[1]:g} out")
    columns = ("", thousands(choice.context), *price, "" if choice.key else "no key")
    problem = "" if choice.key else "Claude needs a key: paste one; what you work on is sent there."
    text = _columns(choice.name, columns, dim=not choice.key)
    return Row(choice.name, _CLAUDE, text, None, problem, not choice.key)


def _columns(name: str, columns: Sequence[str], *, dim: bool) -> Content:
    cells = " ".join(cell.rjust(width) for cell, width in zip(columns, _WIDTHS, strict=True))
    name = shown(name)
    name = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    style = MUTED if dim else "bold $foreground"
    return Content.assemble((name.ljust(_NAME), style), (f" {cells}", MUTED))


def _head(title: str, columns: Sequence[str]) -> str:
    cells = " ".join(cell.rjust(width) for cell, width in zip(columns, _WIDTHS, strict=True))
    return f"{title.ljust(_NAME + 2)} {cells}".rstrip()


_LOCAL = _head("On this machine", ("runs on", "window", "speed", "size", ""))
_CLAUDE = _head("Claude", ("", "window", "$ for a", "M tokens", ""))
