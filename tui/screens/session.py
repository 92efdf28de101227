"""The screen a person works in: the conversation, the prompt, where things stand.

Owns who is told of what: messages of the widgets go to the engine, its messages to the widgets.
Must not know how anything looks, nor what a turn does.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Footer

from tui.engine import Complaint, NotOpened, Opened, Reported
from tui.screens.commands import CommandScreen
from tui.widgets.figures import Figures
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine
from tui.widgets.transcript import Transcript


class SessionScreen(CommandScreen):
    """One session at a time."""

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Figures(self.measures)
        yield from self.compose_questions()
        yield Prompt(self.wanted.folder)
        yield StatusLine(self.measures)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        # Once the prompt is seen, for it takes keys before anything else is loaded.
        self.call_after_refresh(self.engine.open, self.wanted)

    def take_over(self, prompt: Prompt, given: Iterable[Message]) -> None:
        """Go on with what was written in a prompt before there was a session, and sent."""
        self.query_one(Prompt).take_over(prompt)
        self.given.extend(given)
        if not self.opening:  # a session may be open before its screen has taken over
            self.take_given()

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.opening = False
        if message.earlier:
            self.query_one(Transcript).load(message.earlier)
        conversation = message.conversation
        name, model = conversation.configuration.settings.model, conversation.agent.upcoming.model
        self.measures.begin(name, model.spec.name, message.earlier)
        self.query_one(StatusLine).opened(message.conversation)
        self.query_one(Figures).opened(message.conversation)
        self.take_given()

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.opening = False
        self.query_one(Transcript).tell(str(message.error))
        self.take_given()

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        if self.opening:
            return
        self.measures.show(message.event)
        for widget in (self.query_one(Transcript), self.query_one(StatusLine)):
            widget.show(message.event)
        self.query_one(Figures).show(message.event)

    @on(Complaint)
    def _complaint(self, message: Complaint) -> None:
        self.query_one(StatusLine).tell("")  # what was under way has failed
        self.query_one(Transcript).tell(message.text)
