"""The screen a person works in: the conversation, the prompt, where things stand.

Owns who is told of what: messages of the widgets go to the engine, its messages to the widgets.
Must not know how anything looks, nor what a turn does.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from agent.approval import ApprovalAnswer, Choice
from agent.conversation import Wanted
from tui.engine import Asked, Complaint, NotOpened, Opened, Reported, Rested
from tui.screens.commands import CommandScreen
from tui.widgets.figures import Figures
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine
from tui.widgets.transcript import Transcript


class SessionScreen(CommandScreen):
    """One session at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "interrupt", "Interrupt"),
        Binding("f3", "figures", "Figures"),
    ]

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.at_work = False

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Figures()
        yield Prompt(self.wanted.folder)
        yield StatusLine()

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        # Once the prompt is seen, for it takes keys before anything else is loaded.
        self.call_after_refresh(self.engine.open, self.wanted)

    @on(Prompt.Submitted)
    def _submitted(self) -> None:
        self.at_work = True

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.query_one(StatusLine).opened(message.conversation)
        self.query_one(Figures).opened(message.conversation)

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.query_one(Transcript).tell(str(message.error))

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        for widget in (self.query_one(Transcript), self.query_one(StatusLine)):
            widget.show(message.event)
        self.query_one(Figures).show(message.event)

    @on(Rested)
    def _rested(self, message: Rested) -> None:
        self.at_work = False

    @on(Complaint)
    def _complaint(self, message: Complaint) -> None:
        self.query_one(Transcript).tell(message.text)

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        message.reply(ApprovalAnswer(Choice.DENY))

    def action_interrupt(self) -> None:
        if self.shell_lines.stop():
            return
        self.query_one(Prompt).take_back()
        self.engine.interrupt()

    def action_figures(self) -> None:
        figures = self.query_one(Figures)
        figures.display = not figures.display
