"""What the user decides while a session is at work: mode, model, permission, the way back.

Owns how a key or an answer becomes something that is done to the conversation. Must not know how
a question looks, nor what the conversation does about it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen

from agent.conversation import Conversation
from agent.errors import InputError
from agent.events import Status, Switched, TurnFinished, TurnStarted
from agent.going_back import RewindReport
from agent.mode import Mode
from agent.models.opening import Backend, backend
from agent.printer import switch_cost
from agent.recorded import TurnInfo
from agent.wanted import Wanted
from tools.text import shown
from tui.engine import Asked, Engine, Opened, Reported, Rested
from tui.measures import Measures
from tui.painting import Painter
from tui.widgets.approval import Approval
from tui.widgets.figures import Figures
from tui.widgets.offers import DO_IT, PlanOffer, SwitchOffer
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine
from tui.widgets.todo import TodoPanel
from tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from tui.screens.rewind import Choice

TWICE = 1.0
"""Seconds between two presses of Esc that open the list of turns."""
_ORDER = (Mode.PLAN, Mode.ASK, Mode.EDIT, Mode.AUTO)
_SAID = {
    Mode.PLAN: "Plan mode: it reads and describes what it would do; nothing is changed or run.",
    Mode.ASK: "Ask mode: edits and commands ask.",
    Mode.EDIT: "Edit mode: edits are free, commands ask.",
    Mode.AUTO: "Auto mode: edits are free, and commands in the sandbox.",
}


@dataclass
class ModeSet(Message):
    """What happens without a question has changed."""

    mode: Mode
    at_once: bool
    """Else only after the turn."""


@dataclass
class Costed(Message):
    """What a change of models would cost."""

    name: str
    cost: Switched


@dataclass
class Changed(Message):
    """Another model goes on."""

    name: str
    cost: Switched
    begun: bool
    """Whether there is anything that it has to read."""


@dataclass
class Turns(Message):
    """What can be gone back to."""

    turns: tuple[TurnInfo, ...]


@dataclass
class WentBack(Message):
    """The session is where it was before a turn."""

    turn: TurnInfo
    report: RewindReport


class ControlScreen(Screen[None]):
    """A session that its user steers."""

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
        self.at_work = False
        self.opening = True
        self.measures = Measures()
        """Of the open session; begun anew, and told of events, by `SessionScreen`."""
        self._planned = False
        self._escaped = 0.0

    def compose_questions(self) -> ComposeResult:
        """What stands between the conversation and the prompt."""
        yield TodoPanel()
        yield Approval()
        yield PlanOffer()
        yield SwitchOffer()

    # The session as a whole.

    async def open(self, wanted: Wanted) -> None:
        """Leave the session and open another; what the one before still tells is not shown."""
        self.wanted = wanted
        self.opening, self.at_work = True, False
        self.engine.interrupt()
        await self.recompose()
        self.query_one(Prompt).focus()
        self.engine.open(wanted)

    @on(Opened)
    def _take_over(self, message: Opened) -> None:
        conversation = message.conversation
        self.mode = conversation.mode
        self.query_one(TodoPanel).opened(conversation)

    @on(Reported)
    async def _follow(self, message: Reported) -> None:
        self.query_one(TodoPanel).show(message.event)
        match message.event:
            case TurnStarted():
                self.at_work, self._planned = True, False
                self.query_one(PlanOffer).leave()
            case TurnFinished(status=status):
                self._planned = status is Status.PLANNED

    @on(Rested)
    async def _at_rest(self) -> None:
        self.at_work = False
        self.query_one(Approval).drop()
        if self._planned:
            self._planned = False
            await self.query_one(PlanOffer).put()

    def tell(self, text: str) -> None:
        """Tell the user a line."""
        self.query_one(Transcript).tell(text)

    def action_page(self, step: int) -> None:
        """Scroll the conversation by what is in sight."""
        conversation = self.query_one(Transcript)
        scroll = conversation.scroll_page_up if step < 0 else conversation.scroll_page_down
        scroll(animate=False)

    # Permission.

    @on(Asked)
    async def _asked(self, message: Asked) -> None:
        await self.query_one(Approval).put(message)

    @on(Approval.Refused)
    async def _refused(self) -> None:
        self.interrupt()  # first, or the model would take another step
        await self.query_one(Approval).refuse()

    # Modes.

    def action_mode(self) -> None:
        """Go to the next mode."""
        if self.mode is not None:
            self.set_mode(_ORDER[(_ORDER.index(self.mode) + 1) % len(_ORDER)])

    def set_mode(self, mode: Mode) -> None:
        """Change what happens without a question, as soon as that can be."""
        self.mode = mode
        self.engine.do(partial(self._set_mode, mode))

    def watch_mode(self, mode: Mode | None) -> None:
        for known in _ORDER:
            self.set_class(known is mode, f"-mode-{known}")
        if mode is not None:
            self.query_one(StatusLine).mode = mode

    def _set_mode(self, mode: Mode, conversation: Conversation) -> None:
        self.post_message(ModeSet(mode, conversation.set_mode(mode)))

    @on(ModeSet)
    def _mode_set(self, message: ModeSet) -> None:
        if message.mode is self.mode:  # else it went on to the next meanwhile
            later = "" if message.at_once else "From the next turn on: "
            self.query_one(StatusLine).tell(later + _SAID[message.mode])

    @on(PlanOffer.Taken)
    def _do_plan(self, message: PlanOffer.Taken) -> None:
        self.set_mode(message.mode)
        self.query_one(Prompt).send(DO_IT)

    def action_command_mode(self, arguments: str) -> None:
        """`/mode`, with the name of one or to the next."""
        if not arguments:
            self.action_mode()
        elif arguments in list(Mode):
            self.set_mode(Mode(arguments))
        else:
            self.tell(f"There is no mode {shown(arguments)}: {', '.join(_ORDER)}.")

    # Models.

    def action_command_model(self, arguments: str) -> None:
        """`/model`, with its name or to the list."""
        if arguments:
            self.switch(arguments)
        else:
            self.action_models()

    def action_switch(self) -> None:
        """Go to the other of local and Claude: the one that was used last."""
        names = self.measures.names
        if not names:
            self.query_one(StatusLine).tell("The session is not open yet.")
            return
        here = backend(names[-1]) is Backend.CLAUDE
        others = [name for name in names if (backend(name) is Backend.CLAUDE) != here]
        if others:
            self.switch(others[-1])
        else:
            self.action_models()

    def action_models(self) -> None:
        """Show the list of models."""
        from tui.screens.models import ModelsScreen  # 40 ms; only when it is wanted

        names = self.measures.names
        present = names[-1] if names else self.wanted.flags.get("model") or ""
        self.app.push_screen(ModelsScreen(present), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self.switch(name)

    def switch(self, name: str) -> None:
        """Let another model go on, once the user has seen what that costs."""
        self.query_one(StatusLine).tell("Counting what it would have to read …")
        self.engine.do(partial(self._cost, name))

    def _cost(self, name: str, conversation: Conversation) -> None:
        if conversation.agent.history:
            self.post_message(Costed(name, conversation.cost(name)))
        else:  # there is nothing yet that would have to be read anew
            self._switch(name, conversation)

    @on(Costed)
    async def _costed(self, message: Costed) -> None:
        self.query_one(StatusLine).tell("")
        await self.query_one(SwitchOffer).put(message.name, message.cost)

    @on(SwitchOffer.Taken)
    def _switch_taken(self, message: SwitchOffer.Taken) -> None:
        self.engine.do(partial(self._switch, message.name))

    def _switch(self, name: str, conversation: Conversation) -> None:
        begun = bool(conversation.agent.history)
        self.post_message(Changed(name, conversation.switch(name), begun))

    @on(Changed)
    def _switched(self, message: Changed) -> None:
        self.measures.switched(message.name, message.cost.model)
        self.query_one(Figures).switched()
        cost = f": {switch_cost(message.cost)}" if message.begun else "."
        self.query_one(StatusLine).tell(f"{shown(message.cost.model)} goes on{cost}")

    # Interrupting, and going back.

    def action_interrupt(self) -> None:
        """Stop the turn; at rest, twice: show what can be gone back to."""
        if self.at_work:
            self.interrupt()
            return
        now = time.monotonic()
        if now - self._escaped < TWICE:
            self._escaped = 0.0
            self.action_rewind()
        else:
            self._escaped = now
            self.query_one(StatusLine).tell("Esc once more: back to an earlier turn")

    def interrupt(self) -> None:
        """Stop the turn; what was done and said stays."""
        self.engine.interrupt()
        self.query_one(StatusLine).interrupting()

    def action_rewind(self) -> None:
        """Show the turns that can be gone back to."""
        self.engine.do(self._list_turns)

    def _list_turns(self, conversation: Conversation) -> None:
        self.post_message(Turns(tuple(conversation.turns())))

    @on(Turns)
    def _turns_listed(self, message: Turns) -> None:
        if not message.turns:
            self.query_one(StatusLine).tell("There is no earlier turn.")
            return
        from tui.screens.rewind import RewindScreen  # 10 ms; only when it is wanted

        self.app.push_screen(RewindScreen(message.turns), self._go_back)

    def _go_back(self, choice: Choice | None) -> None:
        if choice is not None:
            self.engine.do(partial(self._rewind, choice.turn, choice.files))

    def _rewind(self, turn: TurnInfo, files: bool, conversation: Conversation) -> None:
        report = conversation.rewind(turn.number, files=files)
        self.post_message(Reported(report.event))
        self.post_message(WentBack(turn, report))

    def undo(self, conversation: Conversation) -> None:
        """Go back to before the last turn; in the session's thread."""
        turns = conversation.turns()
        if not turns:
            raise InputError("There is no turn to take back.")
        self._rewind(turns[-1], True, conversation)

    @on(WentBack)
    def _went_back(self, message: WentBack) -> None:
        task = shown(message.turn.task.strip().split("\n")[0])[:60]
        self.query_one(StatusLine).tell(f"Back to before: {task}")
        if not self.query_one(Prompt).text:  # to be said otherwise
            self.query_one(Prompt).write(message.turn.task)
        kept = [shown(file.path) for file in message.report.files if file.outcome == "kept"]
        if kept:
            self.tell(f"Left as it is, for you edited the same lines: {', '.join(kept)}.")

    async def action_figures(self) -> None:
        """Show the panel of figures, or hide it."""
        await self.query_one(Figures).toggle()
