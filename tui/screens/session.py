"""The screen a person works in: the conversation, the prompt, where things stand.

Owns who is told of what: messages of the widgets go to the engine, its messages to the widgets.
Must not know how anything looks, nor what a turn does. Its parts have what has steps of its own:
`commands`, `modes`, `switching` of models, `going_back`.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer

from agent.conversation import Conversation
from agent.events import Event, Said, Status, TurnFinished, TurnStarted
from agent.messages import AssistantMessage
from agent.mode import Mode
from agent.wanted import Wanted
from tui.blocks.shell_line import ShellLine
from tui.engine import Asked, Complaint, Done, Engine, NotOpened, Opened, Reported, Rested
from tui.measures import Measures
from tui.painting import Painter
from tui.screens.commands import Commands
from tui.screens.going_back import GoingBack
from tui.screens.modes import ORDER, Modes
from tui.screens.switching import Switching
from tui.shell_lines import ShellEnded, ShellLines, ShellStarted, ShellWrote
from tui.widgets.approval import Approval
from tui.widgets.figures import Figures
from tui.widgets.offers import DO_IT, PlanOffer, SwitchOffer
from tui.widgets.panel import Panel
from tui.widgets.prompt import Prompt
from tui.widgets.prompt.sending import CommandGiven, Hurried, ShellGiven, Submitted
from tui.widgets.status_line import StatusLine
from tui.widgets.todo import TodoPanel
from tui.widgets.transcript import Transcript

TWICE = 1.0
"""Seconds between two presses of Esc that open the list of turns."""


class SessionScreen(Screen[None]):
    """One session at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "interrupt", "Interrupt", show=False,
                tooltip="Interrupt; at rest, twice: to an earlier turn"),
        Binding("shift+tab", "mode", "Mode", key_display="⇧tab", priority=True,
                tooltip="The next mode: plan, ask, edit, auto"),
        Binding("ctrl+t", "switch", "Local/Claude", priority=True,
                tooltip="The other of local and Claude"),
        Binding("f4", "models", "Models", show=False, priority=True,
                tooltip="The list of models: what fits, speed, price"),
        Binding("f3", "figures", "Figures", priority=True,
                tooltip="The figures: speed, prompt reused, cost"),
        Binding("ctrl+o", "app.sessions", "Sessions", priority=True,
                tooltip="The sessions: resume, fork, rename, export"),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]  # fmt: skip
    mode: var[Mode | None] = var[Mode | None](None)
    """What happens without a question; None before the session is open."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._compositor = Painter()
        self.wanted = wanted
        self.engine = Engine(self.post_message)
        self.shell_lines = ShellLines(self.post_message)
        self.measures = Measures()
        """Of the open session."""
        self.commands = Commands(self)
        self.modes = Modes(self)
        self.switching = Switching(self)
        self.going_back = GoingBack(self)
        self.conversation: Conversation | None = None
        """Set while a session is open; to be looked at only."""
        self.at_work = False
        self.opening = True
        self.answer = ""
        """What the model said last."""
        self._given: list[Message] = []
        """What was sent before the session was open, oldest first."""
        self._notes: list[str] = []
        """What the model is told with the next message."""
        self._shown: ShellLine | None = None
        """The shell line at work."""
        self._planned = False
        self._escaped = 0.0

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Figures(self.measures)
        yield TodoPanel()
        yield Approval()
        yield PlanOffer()
        yield SwitchOffer()
        yield Prompt(self.wanted.folder)
        yield StatusLine(self.measures)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        # Once the prompt is seen, for it takes keys before anything else is loaded.
        self.call_after_refresh(self.engine.open, self.wanted)

    def tell(self, text: str) -> None:
        """Tell the user a line."""
        self.query_one(Transcript).tell(text)

    # The session as a whole.

    async def open(self, wanted: Wanted) -> None:
        """Leave the session and open another; what the one before still tells is not shown."""
        self.wanted = wanted
        self.conversation, self.answer = None, ""
        self._notes.clear()
        self.opening, self.at_work = True, False
        self.engine.interrupt()
        await self.recompose()
        self.query_one(Prompt).focus()
        self.engine.open(wanted)

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.opening = False
        conversation = self.conversation = message.conversation
        if message.earlier:
            self.query_one(Transcript).load(message.earlier)
        name, model = conversation.configuration.settings.model, conversation.agent.upcoming.model
        self.measures.begin(name, model.spec.name, message.earlier)
        said = (m.text for m in conversation.agent.history[::-1]
                if isinstance(m, AssistantMessage) and m.text)  # fmt: skip
        self.answer = next(said, "")
        self.mode = conversation.mode
        self.query_one(StatusLine).opened(conversation)
        self.query_one(Figures).opened(conversation)
        self.query_one(TodoPanel).opened(conversation)
        self.query_one(Prompt).opened(conversation)
        self._take_given()

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.opening = False
        self.tell(str(message.error))
        self._take_given()

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        if not isinstance(message.event, TurnStarted):
            message.stop()  # who else is told of it would be told of each frame of an answer
        if self.opening:
            return
        event = message.event
        self.measures.show(event)
        for widget in (
            self.query_one(Transcript),
            self.query_one(StatusLine),
            self.query_one(Figures),
            self.query_one(TodoPanel),
        ):
            widget.show(event)
        self._follow(event)

    def _follow(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self.at_work, self._planned = True, False
                self.query_one(PlanOffer).leave()
            case Said(AssistantMessage(text=text)) if text:
                self.answer = text
            case TurnFinished(status=status):
                self._planned = status is Status.PLANNED

    @on(Rested)
    async def _rested(self) -> None:
        self.query_one(Prompt).rested()
        self.at_work = False
        self.query_one(Approval).drop()
        if self._planned:
            self._planned = False
            await self.query_one(PlanOffer).put()

    @on(Complaint)
    def _complaint(self, message: Complaint) -> None:
        self.query_one(StatusLine).tell("")  # what was under way has failed
        self.tell(message.text)

    @on(Done)
    async def _done(self, message: Done) -> None:
        message.stop()
        if inspect.isawaitable(told := message.tell()):
            await told

    # What the prompt sends.

    def take_over(self, prompt: Prompt, given: Iterable[Message]) -> None:
        """Go on with what was written in a prompt before there was a session, and sent."""
        self.query_one(Prompt).take_over(prompt)
        self._given.extend(given)
        if not self.opening:  # a session may be open before its screen has taken over
            self._take_given()

    def _take_given(self) -> None:
        """What was sent before the session was open is taken now."""
        for message in self._given:
            self.post_message(message)
        self._given.clear()

    @on(Submitted)
    def _message_given(self, message: Submitted) -> None:
        if self.opening:
            self._given.append(message)
            return
        text = message.text
        if self.conversation is not None:
            from tui.completion import made_plain  # with what it reads, only at the first message

            text, named = made_plain(text, self.conversation.workspace.root)
            self._notes += [named] if named else []
        self.at_work = True
        self.engine.run(text, tuple(self._notes))
        self._notes.clear()

    @on(Hurried)
    def _hurried(self) -> None:
        self.engine.interrupt()

    @on(CommandGiven)
    async def _command_given(self, message: CommandGiven) -> None:
        await self.commands.give(message.name, message.arguments)

    def on_key(self, event: events.Key) -> None:
        """What is written in the conversation answers a question, or is meant for the prompt."""
        if not event.is_printable or event.key in self.active_bindings:
            return
        event.stop()
        questions = (panel for panel in self.query(Panel) if panel.display)
        if (question := next(questions, None)) is not None:
            question.take(event)
        elif event.character:
            self.query_one(Prompt).focus().take_in(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Wherever the focus is."""
        event.stop()
        self.query_one(Prompt).take_in(event.text)

    @on(Panel.Typed)
    def _typed_ahead(self, message: Panel.Typed) -> None:
        self.query_one(Prompt).take_in(message.text)

    @on(Panel.Erased)
    def _erased(self) -> None:
        self.query_one(Prompt).erase()

    # Shell lines.

    @on(ShellGiven)
    def _shell_given(self, message: ShellGiven) -> None:
        if (conversation := self.at_hand()) is None:
            return
        root, sandbox = conversation.workspace.root, conversation.sandbox
        self.begun(self.shell_lines.run(message.line, root, sandbox, told=message.told))

    def at_hand(self) -> Conversation | None:
        """The open session; where there is none, that is told."""
        if self.conversation is None:
            self.tell("The session is not open yet.")
        return self.conversation

    def begun(self, begun: bool) -> None:
        """Tell it if a shell line could not begin."""
        if not begun:
            self.tell("A shell line is at work: Esc stops it.")

    @on(ShellStarted)
    def _shell_started(self, message: ShellStarted) -> None:
        self._shown = self.query_one(Transcript).shell(message.line)

    @on(ShellWrote)
    def _shell_wrote(self, message: ShellWrote) -> None:
        if self._shown is not None:
            self._shown.write(message.piece)

    @on(ShellEnded)
    def _shell_ended(self, message: ShellEnded) -> None:
        if self._shown is not None:
            self._shown.end(message.code, message.seconds)
        self._shown = None
        if message.told and self.conversation is not None:
            self._notes.append(self.conversation.redactor.text(message.note))

    # What the user decides.

    @on(Asked)
    async def _asked(self, message: Asked) -> None:
        await self.query_one(Approval).put(message)

    @on(Approval.Refused)
    async def _refused(self) -> None:
        self._interrupt()  # first, or the model would take another step
        await self.query_one(Approval).refuse()

    def action_interrupt(self) -> None:
        """Stop the shell line, else the turn, with what waits for its end; at rest, go back."""
        if self.shell_lines.stop():
            return
        self.query_one(Prompt).take_back()
        now = time.monotonic()
        if self.at_work:
            self._interrupt()
        elif now - self._escaped < TWICE:
            self._escaped = 0.0
            self.action_rewind()
        else:
            self._escaped = now
            self.query_one(StatusLine).tell("Esc once more: back to an earlier turn")

    def _interrupt(self) -> None:
        """Stop the turn; what was done and said stays."""
        self.engine.interrupt()
        self.query_one(StatusLine).interrupting()

    def action_page(self, step: int) -> None:
        """Scroll the conversation by what is in sight."""
        conversation = self.query_one(Transcript)
        scroll = conversation.scroll_page_up if step < 0 else conversation.scroll_page_down
        scroll(animate=False)

    def action_mode(self) -> None:
        """Go to the next mode."""
        self.modes.to_the_next()

    def watch_mode(self, mode: Mode | None) -> None:
        for known in ORDER:
            self.set_class(known is mode, f"-mode-{known}")
        if mode is not None:
            self.query_one(StatusLine).mode = mode

    @on(PlanOffer.Taken)
    def _do_plan(self, message: PlanOffer.Taken) -> None:
        self.modes.to(message.mode)
        self.query_one(Prompt).send(DO_IT)

    def action_switch(self) -> None:
        """Go to the other of local and Claude: the one that was used last."""
        self.switching.to_the_other()

    def action_models(self) -> None:
        """Show the list of models."""
        self.switching.choose()

    @on(SwitchOffer.Taken)
    def _switch_taken(self, message: SwitchOffer.Taken) -> None:
        self.switching.go_on(message.name)

    def action_rewind(self) -> None:
        """Show the turns that can be gone back to."""
        self.going_back.choose()

    async def action_figures(self) -> None:
        """Show the panel of figures, or hide it."""
        await self.query_one(Figures).toggle()
