"""The way back: the turns of the session, what each changed, and which one to return to before.

Owns the look of the list. Must not know how a turn is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from agent.recorded import TurnInfo
from tools.text import shown
from tui.themes import MUTED
from tui.widgets.change import patch_lines

_TASK = 200
"""Characters of what was said that are shown."""
_KEYS = "Enter back, files too · c the conversation alone · PgUp PgDn diff · Esc stay"


@dataclass(frozen=True, slots=True)
class Choice:
    """Where to return to."""

    turn: TurnInfo
    """The first that is taken back."""
    files: bool
    """Whether what was written to files since is taken back as well."""


class RewindScreen(ModalScreen[Choice | None]):
    """Newest first; beside it what would be taken back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Stay"),
        Binding("enter", "choose(True)", "Back: conversation and files", priority=True),
        Binding("c", "choose(False)", "The conversation alone"),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]

    def __init__(self, turns: Sequence[TurnInfo]) -> None:
        super().__init__()
        self._turns = list(reversed(turns))

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static("Back to before a turn", classes="title", markup=False)
            with Horizontal():
                yield OptionList(*map(_row, self._turns), markup=False)
                with VerticalScroll(can_focus=False):
                    yield Static(markup=False, id="taken")
            yield Static(_KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        gone = self._turns[: message.option_index + 1]
        files = dict.fromkeys(path for turn in gone for path in turn.changed)
        one = "This turn" if len(gone) == 1 else f"These {len(gone)} turns"
        lines = [Content(_task(gone[-1])), Content()]  # the list shows the beginning of it
        lines.append(Content.styled(f"{one} would be taken back.", "bold"))
        if not files:
            lines.append(Content.styled("No file was changed.", MUTED))
        else:
            lines.append(
                Content.styled("These files go back; your own later edits of them stay:", MUTED)
            )
            lines += [Content(f"  {shown(path)}") for path in files]
        for turn in gone:
            lines += patch_lines(turn.patch) if turn.patch else []
        self.query_one("#taken", Static).update(Content("\n").join(lines))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(Choice(self._turns[message.option_index], files=True))

    def action_choose(self, files: bool) -> None:
        """Return to before the turn that is marked."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(Choice(self._turns[at], files))

    def action_page(self, step: int) -> None:
        view = self.query_one(VerticalScroll)
        view.scroll_relative(y=step * max(1, view.size.height - 1), animate=False)


def _row(turn: TurnInfo) -> Option:
    when = datetime.fromtimestamp(turn.when).strftime("%H:%M")
    files = len(turn.changed)
    changed = f", {files} file{'' if files == 1 else 's'}" if files else ""
    return Option(
        Content.assemble(
            (f"{when}  ", MUTED), (_task(turn), "bold"),
            (f"\n       {turn.status or 'not ended'}{changed}", MUTED),
        )
    )  # fmt: skip


def _task(turn: TurnInfo) -> str:
    return shown(turn.task.strip().split("\n")[0])[:_TASK]
