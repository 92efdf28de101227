"""The screen a person works in: the conversation, the prompt, where things stand.

Owns who is told of what: messages of the widgets go to the engine, its messages to the widgets.
Must not know how anything looks, nor what a turn does.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from agent.approval import ApprovalAnswer, Choice
from agent.conversation import Wanted
from tui.engine import Asked, Complaint, Engine, NotOpened, Opened, Reported, Rested
from tui.widgets.figures import Figures
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine
from tui.widgets.transcript import Transcript


class SessionScreen(Screen[None]):
    """One session at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "interrupt", "Interrupt"),
        Binding("f3", "figures", "Figures"),
    ]

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self.wanted = wanted
        self.engine = Engine(self.post_message)
        self.at_work = False
        self.opening = True

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Figures()
        yield Prompt()
        yield StatusLine()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        # Once the prompt is seen, for it takes keys before anything else is loaded.
        self.call_after_refresh(self.engine.open, self.wanted)

    async def open(self, wanted: Wanted) -> None:
        """Leave the session and open another; what the one before still tells is not shown."""
        self.wanted = wanted
        self.opening, self.at_work = True, False
        self.engine.interrupt()
        await self.recompose()
        self.query_one(Prompt).focus()
        self.engine.open(wanted)

    @on(Prompt.Submitted)
    def _submitted(self, message: Prompt.Submitted) -> None:
        self.at_work = True
        self.engine.run(message.text)

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.opening = False
        if message.earlier:
            self.query_one(Transcript).load(message.earlier)
        self.query_one(StatusLine).opened(message.conversation)
        self.query_one(Figures).opened(message.conversation)

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.query_one(Transcript).tell(str(message.error))

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        if self.opening:
            return
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
        self.engine.interrupt()

    def action_figures(self) -> None:
        figures = self.query_one(Figures)
        figures.display = not figures.display
