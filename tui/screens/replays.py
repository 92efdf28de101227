"""The replays at hand, and a line to begin another with: what `/replay` shows.

Owns the list, and which screen answers a line. Must not know how a replay is carried out.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from agent.durations import ago
from agent.errors import InputError
from agent.replay.known import Known, at_hand
from agent.replay.standing import is_at_work
from agent.replay.store import Plan, Store
from agent.replay.table import short
from tools.text import shown
from tools.text_filter import clip_line
from tui.replaying import Replays, asks_help, usage, wish
from tui.screens.replay import ReplayScreen
from tui.themes import MUTED
from tui.widgets.replay_head import placed

_NAME = 60


def open_replay(
    app: App[None], replays: Replays, line: str, again: Callable[[str], object]
) -> None:
    """Show what a line behind `/replay` asks for; a run begins with its question.

    Args:
        again: Given the line that is chosen, where this one asks for nothing yet.

    Raises:
        InputError: The line cannot be used.
    """
    here = Path.cwd()
    helped = asks_help(line)
    asked = None if helped else wish(line, here)
    if asked is None:

        def chosen(line: str | None) -> None:
            if line is not None:
                again(line)

        app.push_screen(ReplaysScreen(here, helped=helped), chosen)
        return
    if asked.words:
        replays.begin(asked, here)
    app.push_screen(ReplayScreen(asked.folder, replays))


@dataclass(frozen=True, slots=True)
class _Entry:
    known: Known
    plan: Plan
    instances: int
    ended: int
    at_work: bool


@dataclass
class _Found(Message):
    entries: list[_Entry]


class ReplaysScreen(ModalScreen[str | None]):
    """Ends with what `/replay` is to be given, or None."""

    CSS_PATH = "../styles/replay.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, here: Path, *, helped: bool = False) -> None:
        """
        Args:
            here: Replays in this folder, or right beneath it, are listed too.
            helped: Whether the options of a new one are shown.
        """
        super().__init__()
        self._here = here
        self._helped = helped
        self._entries: list[_Entry] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Replays"
            dialog.border_subtitle = "Esc closes"
            yield OptionList(id="list", markup=False)
            with VerticalScroll(id="usage"):
                yield Static(markup=False)
            yield Static("A new one: tasks, models, and a folder for what they come to",
                         classes="heading", markup=False)  # fmt: skip
            yield Input(placeholder="TASKS --model MODEL --model MODEL -o DIR", id="new")
            yield Static("Enter opens or begins · Tab goes to the other · --help tells the rest",
                         classes="note", markup=False)  # fmt: skip

    def on_mount(self) -> None:
        self.query_one("#usage").display = False
        if self._helped:
            self._help()
        self._look()

    def _help(self) -> None:
        """Show the options in place of the list."""
        self.query_one("#list").display = False
        self.query_one("#usage Static", Static).update(usage(self.size.width - 12))
        self.query_one("#usage").display = True
        self.query_one("#new").focus()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _look(self) -> None:
        entries = []
        for known in at_hand(self._here):
            store = Store(known.folder)
            try:
                plan, count = store.plan(), len(store.instances())
            except InputError:  # something else of that name
                continue
            ended = sum(1 for _ in store.folder.glob("logs/run_evaluation/*/*/*/result.json"))
            entries.append(_Entry(known, plan, count, ended, is_at_work(known.folder)))
        self.post_message(_Found(entries))

    @on(_Found)
    def _found(self, message: _Found) -> None:
        self._entries = message.entries
        view = self.query_one("#list", OptionList)
        view.clear_options()
        view.add_options(Option(_line(entry)) for entry in self._entries)
        if self._entries:
            view.highlighted = 0
            if not self._helped:
                view.focus()
        else:
            view.add_option(Option("There is none yet.", disabled=True))
            self.query_one("#new").focus()

    @on(OptionList.OptionSelected, "#list")
    def _selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(shlex.quote(str(self._entries[message.option_index].known.folder)))

    @on(Input.Submitted, "#new")
    def _given(self, message: Input.Submitted) -> None:
        if asks_help(message.value):
            message.input.clear()
            self._help()
        elif message.value.strip():
            self.dismiss(message.value)


def _line(entry: _Entry) -> Content:
    plan, total = entry.plan, entry.instances * len(entry.plan.models) * entry.plan.attempts
    state = "at work" if entry.at_work else "ended" if entry.ended >= total else "stopped"
    models = ", ".join(map(short, plan.models))
    name = clip_line(shown(Path(plan.tasks).name or plan.tasks), _NAME)
    when = ago(time.time() - entry.known.last)
    told = f"  {state} · {entry.ended:,} of {total:,} · {when} · "
    return Content.assemble(
        (name, "bold"), f"  {clip_line(models, _NAME)}\n",
        (f"{told}{clip_line(placed(entry.known.folder), _NAME)}", MUTED),
    )  # fmt: skip
