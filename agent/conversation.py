"""A session at work: its parts opened together, its turns conducted and recorded.

Owns the lives of the parts, with a screen or without. Must not know who shows what happens, nor
what an agent is made of.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.approval import Approver
from agent.assembly import Assembler, open_gate, open_sandbox
from agent.config import Settings
from agent.equipment import Equipment
from agent.errors import InputError
from agent.events import (
    Compacted,
    Event,
    Notice,
    Rewound,
    Said,
    Switched,
    TurnFinished,
    TurnStarted,
)
from agent.going_back import RewindReport, gone, patch_of, told
from agent.messages import AssistantMessage, UserMessage
from agent.mode import Mode
from agent.models.base import Model, Steering
from agent.models.opening import Opening, open_model
from agent.models.tally import Tally
from agent.project import Project, configure
from agent.recorded import Recorded, TurnInfo, load
from agent.redaction import Redactor, known_values
from agent.secrets import user_keys
from agent.session import Session, rename, state_folder
from agent.switching import Models, cost
from agent.wanted import Wanted
from agent.work_tree import copied, find_root
from tools.base import Cancel
from tools.errors import ToolError
from tools.journal import Journal
from tools.sandbox import Sandbox, Tier
from tools.snapshot_store import at_work
from tools.snapshots import Snapshots
from tools.workspace import Workspace


class Conversation:
    """One session and all that works in it. Not for several threads at once."""

    def __init__(self, wanted: Wanted, approver: Approver, opening: Opening = open_model) -> None:
        """
        Args:
            opening: What opens its models, which it closes.

        Raises:
            AgentError: What is wanted cannot be had, or the model cannot be opened.
            ToolError: The tree or the test command cannot be used.
        """
        with ExitStack() as stack:
            self._open(wanted, approver, opening, stack)
            self._stack = stack.pop_all()

    def _open(self, wanted: Wanted, approver: Approver, opening: Opening, stack: ExitStack) -> None:
        root = find_root(wanted.folder)
        before = wanted.resume
        if before and before.root != root:
            raise InputError(f"Session {before.id} belongs to {before.root}, not to {root}.")
        state = state_folder()
        self.project = Project(root, state, wanted.trust)
        self._recorded = load(before) if before else Recorded()
        flags = dict(wanted.flags)
        asked = flags.get("model")
        flags["model"] = asked or self._recorded.asked or None
        self.configuration = configure(flags, os.environ, self.project.settings())
        settings = self.configuration.settings
        mode = settings.mode or wanted.mode
        if mode is Mode.PLAN and wanted.steering is Steering.GUIDED:
            raise InputError("In plan mode the model takes the steps: leave out --steering guided.")
        named = [Workspace(root).name(str(path.absolute())) for path in wanted.secrets]
        keys = user_keys()
        self.models = Models(
            lambda name, start: opening(_naming(settings, name), keys, start=start)
        )
        stack.callback(self.models.close)
        model = self.models.get(settings.model)
        successor = self.models.get(settings.escalate, start=False) if settings.escalate else None
        if successor is model and (asked or not self._recorded.asked):
            raise InputError("The model to escalate to is the one that is asked first.")
        self.redactor = Redactor(known_values(os.environ, keys, root, named))
        self.session = Session.reopen(before) if before else Session.create(root, state)
        stack.callback(self.session.close)
        self._tally = stack.enter_context(closing(Tally(state)))
        tree = stack.enter_context(copied(root, named)) if wanted.on_copy else root
        # What is written to a copy is not the tree's to undo.
        if wanted.on_copy:
            journal, kept = None, Path(stack.enter_context(TemporaryDirectory(prefix="parity-")))
        else:
            journal, kept = Journal(self.session.info.journal), state / "snapshots"
        self._snapshots = Snapshots(tree, kept, self.session.info.id)
        self._tidy = False
        stack.callback(lambda: self._snapshots.close(tidy=self._tidy))
        self._turns = list(self._recorded.turns)
        self._on_copy_since = self._recorded.last_turn if wanted.on_copy else None
        self.workspace = Workspace(tree, journal, self._snapshots, named, self._recorded.last_turn)
        self.sandbox = open_sandbox(self.workspace.root, settings, named, wanted.variables)
        self.gate = open_gate(mode, approver, self.workspace, self.project, self.sandbox)
        self.assembler = Assembler(
            self.workspace,
            self.configuration,
            self.project,
            self.gate,
            self.redactor,
            self.sandbox,
            wanted.talk,
        )
        self._steering = wanted.steering
        self.agent = self.assembler.agent(model, wanted.steering, self._recorded)
        self._mode, self._planning, self._at_work = mode, mode is Mode.PLAN, False
        if successor is not None and successor is not model:
            self.agent.successors.append(self.assembler.equip(successor))
        self._folder = wanted.folder
        self._begun = False
        self._underway: Generator[Event, None, None] | None = None
        """The turn's events, as far as they were wanted."""

    def run(self, task: str, cancel: Cancel, notes: Sequence[str] = ()) -> Iterator[Event]:
        """Conduct one turn; each event is recorded before it is told.

        The first is `TurnStarted`, the last `TurnFinished`.

        Args:
            task: In the user's own words.
            notes: What the model is told besides, before them.
        """
        self.session.begin(self.redactor.text(task))
        self._at_work = True
        try:
            self._underway = self._turn(task, cancel, notes)
            for event in self._underway:
                notice = self.session.record(event)
                self._note(event)
                if isinstance(event, Said) and isinstance(event.message, AssistantMessage):
                    self._tally.count(event.message)
                yield event
                if notice is not None:
                    yield notice
        finally:
            self._at_work = False
            self.gate.mode = self._mode

    def switch(self, name: str) -> Switched:
        """Let another model go on from the next step on; what that will cost.

        Raises:
            AgentError: It cannot be opened; the one before goes on.
        """
        return self.agent.switch(self._equipment(self.models.get(name)))

    def cost(self, name: str) -> Switched:
        """What a switch to another model would cost; nothing is switched yet.

        Raises:
            AgentError: It cannot be opened.
        """
        to = self._equipment(self.models.get(name, start=False))
        return cost(self.agent.context, self.agent.history, to)

    @property
    def mode(self) -> Mode:
        """What is wanted to happen without a question; in a turn, perhaps only after it."""
        return self._mode

    def set_mode(self, mode: Mode) -> bool:
        """Change what happens without a question; whether that holds at once.

        A turn that began as a plan ends as one, and a turn at work does not become one: until it
        ends, everything asks that can.
        """
        self._mode = mode
        later = self._at_work and self._planning != (mode is Mode.PLAN)
        if not later:
            self.gate.mode = mode
        elif not self._planning:
            self.gate.mode = Mode.ASK
        return not later

    def rename(self, title: str) -> None:
        """Give the session a title.

        Raises:
            InputError: Nothing was said in it yet, or its record cannot be written.
        """
        if not self.session.info.task:
            raise InputError("The session has not begun: say something first.")
        rename(self.session.info, self.redactor.text(title))

    def turns(self) -> list[TurnInfo]:
        """The turns that the conversation consists of, oldest first; between two turns."""
        found = []
        for info in self._turns:
            if info.own and not info.status:
                changed, patch = patch_of(info.number, self.session.info.journal)
                info = replace(info, changed=changed, patch=self.redactor.text(patch))
            found.append(info)
        return found

    def rewind(self, turn: int, *, files: bool = True) -> RewindReport:
        """Return to before a turn, the conversation and what was written to files since.

        Later edits of the user's own stay; a file where they cannot be told apart is left as it
        is. Files that were changed before the session was forked stay too: they are not its own.

        Args:
            turn: Its number.
            files: Whether files are taken back as well.

        Raises:
            InputError: There is no such turn, or nothing can be taken back now.
        """
        info = next((known for known in self._turns if known.number == turn), None)
        if info is None:
            raise InputError(f"There is no turn {turn} to return to.")
        if not self.session.whole:
            raise InputError("The session is not recorded any more: there is no way back.")
        root = self.workspace.root
        if files and at_work(root, state_folder() / "snapshots"):
            raise InputError(f"A session is at work on {root}: stop it, or wait for its end.")
        try:
            restored = self.workspace.rewind(turn) if files else ()
        except ToolError as error:
            raise InputError(str(error)) from error
        recorded = load(self.session.info)
        recorded.go_back(turn)
        event = Rewound(len(recorded.messages), f"Back to before turn {turn}.", turn)
        self.session.record(event)
        recorded.close()
        if self._begun and recorded.lost is not None:
            self.session.record(Said(recorded.lost))
        self._recorded, self._turns = recorded, list(recorded.turns)
        self.agent.go_back(recorded.messages)
        return RewindReport(info, restored, event)

    def compact(self) -> Compacted | None:
        """Shorten the history now; None: nothing can be left out. Between two turns."""
        compacted = self.agent.compact()
        if compacted is not None:
            self.session.record(compacted)
        return compacted

    def close(self, *, tidy: bool = True) -> None:
        """End it; what it holds is freed. May be called twice.

        Args:
            tidy: Whether there is time to throw away what old snapshots hold.
        """
        self._tidy = tidy
        if self._underway is not None:
            self._underway.close()  # a command may be at work whose output nobody reads any more
        self._stack.close()

    def _equipment(self, model: Model) -> Equipment:
        return self.assembler.equip(model, self._steering)

    def _turn(
        self, task: str, cancel: Cancel, notes: Sequence[str]
    ) -> Generator[Event, None, None]:
        if self._planning != (self._mode is Mode.PLAN):
            self._planning = not self._planning
            self.agent.switch(self._equipment(self.agent.upcoming.model))
        model = self.agent.upcoming.model
        yield self.redactor.scrub(
            TurnStarted(
                task,
                model.spec.name,
                self.assembler.steering_of(model, self._steering).value,
                str(self.workspace.root),
                self.assembler.tests,
                self.assembler.test_origin,
                self.sandbox.tier.value,
                self.workspace.turn + 1,
                self.models.name_of(model),
            )
        )
        if not self._begun:
            self._begun = True
            yield from map(self.redactor.scrub, self._opened())
        news = self._news() if self.agent.upcoming.steering.offers_tools else ""
        for event in self.agent.run("\n\n".join(filter(None, (news, *notes, task))), cancel):
            if isinstance(event, Switched):
                asked = self.redactor.text(self.models.name_of(self.agent.model))
                yield replace(event, asked=asked)
            else:
                yield event

    def _note(self, event: Event) -> None:
        """Keep the list of turns up to what happens."""
        match event:
            case TurnStarted():
                self._turns.append(TurnInfo(event.turn, event.task, time.time(), event.model))
            case TurnFinished():
                self._turns[-1] = replace(
                    self._turns[-1],
                    status=event.status.value,
                    summary=event.summary,
                    changed=event.changed,
                    patch=event.patch,
                )

    def _news(self) -> str:
        """What the model must know of the files and was not told yet."""
        own = [info for info in self._turns[:-1] if info.own]
        stale = self._recorded.stale if not own else ()
        last = self._on_copy_since  # what was written to this copy is there
        lost = gone(
            (info for info in own if last is None or info.number <= last),
            self.session.info.journal,
        )
        news = told(lost, stale)
        messages = self.agent.history
        known = any(isinstance(said, UserMessage) and news in said.text for said in messages)
        return "" if known else news

    def _opened(self) -> Iterator[Event]:
        """What is told once, at the first turn."""
        yield from map(Notice, _warnings(self.sandbox))
        yield from map(Notice, self.project.notices(self._folder))
        yield from map(Notice, self.agent.instructions.notices())
        # Of a conversation that goes on in a new process, where nothing is cached.
        yield from map(Notice, self._recorded.notices)
        if self._recorded.lost is not None:
            yield Said(self._recorded.lost)
            yield Notice("The session ended while a tool was at work; the model is told so.")
        if self.agent.history:
            yield cost(self.agent.context, self.agent.history, self.agent.equipment)


def _warnings(sandbox: Sandbox) -> Iterator[str]:
    """What the user must know of a sandbox that is not the strongest."""
    if sandbox.tier is Tier.NONE:
        yield f"Commands run without a sandbox: {sandbox.weaker}"
    elif not sandbox.holds:
        yield f"The sandbox is a weaker one: {sandbox.promise}. {sandbox.weaker}"


def _naming(settings: Settings, model: str) -> Settings:
    return settings.model_copy(update={"model": model})
