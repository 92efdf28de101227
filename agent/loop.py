"""The loop: asks the model, uses the tools, until the steering is done or a limit is reached.

Owns the history (which only grows, but for an announced return to an earlier point or an announced
compaction), the order of things and the change to another model. Must not know how a model is
asked, what a tool does, what an answer means, what anything costs, what needs permission or who
watches.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import assert_never

from agent import events, switching
from agent.approval import Denial, Gate
from agent.asking import answer_to
from agent.carrying_out import carried_out
from agent.context import Context
from agent.costs import Cost, Costing
from agent.equipment import Equipment
from agent.errors import AgentError, ContextOverflow, ModelError, NoSuchModel
from agent.events import Compacted, Event, Origin, Status, Switched, Totals
from agent.history import History
from agent.instructions import Instructions
from agent.limits import LimitReached, Limits
from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from agent.models.base import Answer, Model, StopReason, Usage
from agent.permission import Permission
from agent.redaction import Redactor
from agent.repeats import STOP_AFTER, Repeats
from agent.steering.moves import Ask, Moves, Reply, Rewind, Steering, Tell, Use, Verdict
from agent.switching import GIVEN_UP
from tools.base import Cancel, Prepared, Toolbox, ToolResult
from tools.deadline import Deadline
from tools.errors import Cancelled, ToolError
from tools.workspace import Workspace


class _Ended(Exception):
    """The turn is over before the steering is done."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.summary)
        self.verdict = verdict


class Agent:
    """One conversation of models with a workspace."""

    def __init__(
        self,
        model: Model,
        toolbox: Toolbox,
        workspace: Workspace,
        steering: Steering,
        limits: Limits | None = None,
        history: Sequence[Message] = (),
        costing: Costing | None = None,
        gate: Gate | None = None,
        instructions: Instructions | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        """
        Args:
            gate: What needs permission; None where everything may be done.
        """
        self.model = model
        self.toolbox = toolbox
        self.workspace = workspace
        self.steering = steering
        self.limits = limits or Limits()
        self.costing = costing or Costing()
        self.gate = gate
        self.instructions = instructions or Instructions()
        self.redactor = redactor or Redactor()
        self.successors: list[Equipment] = []
        """Who goes on, one after the other, when a model gives up."""
        self.totals = Totals()
        self._history = History(map(self.redactor.scrub, history))
        self._next: Equipment | None = None
        """Who takes the next step, where that is another."""
        self._steps_before = 0
        """Steps of this turn by models that gave up."""
        self._repeats = Repeats()

    @property
    def history(self) -> list[Message]:
        return self._history.messages

    @property
    def context(self) -> Context:
        """How full the models' windows are."""
        return self._history.context

    @property
    def equipment(self) -> Equipment:
        return Equipment(self.model, self.toolbox, self.steering, self.instructions)

    @property
    def upcoming(self) -> Equipment:
        """Who takes the next step."""
        return self._next or self.equipment

    def switch(self, to: Equipment) -> Switched:
        """Let another model go on from the next step on; what that will cost.

        Nothing is lost: results that wait to be told are told to the other model.
        """
        self._next = to
        return switching.cost(self.context, self.history, to)

    def go_back(self, messages: Sequence[Message]) -> None:
        """Return to what the history was at the end of an earlier turn; between two turns.

        Where that is a prefix of what it is now, a model reads nothing anew.
        """
        self._history.go_back(map(self.redactor.scrub, messages))
        self.instructions.forget()

    def compact(self) -> Compacted | None:
        """Shorten the history now; None: nothing can be left out. Between two turns."""
        answer = self.model.spec.max_output
        compacted = self._history.fitting(self.equipment, answer, self._changed, asked=True)
        if compacted is not None:
            self._shorten(compacted)
        return compacted

    def run(self, task: str, cancel: Cancel) -> Iterator[Event]:
        """Conduct one turn. The last event is `TurnFinished`, whatever happens.

        No event holds a key that the redactor knows, nor does the history.

        Args:
            task: What the user wants, in Markdown.
            cancel: Set by another thread or a signal handler to stop; the work is kept.
        """
        yield from map(self.redactor.scrub, self._run(task, cancel))

    def _run(self, task: str, cancel: Cancel) -> Iterator[Event]:
        started = time.monotonic()
        seconds = self.limits.seconds
        deadline = Deadline(cancel, started + seconds if seconds is not None else float("inf"))
        self.totals = Totals()
        self._steps_before = 0
        self.workspace.begin_turn()
        yield from map(events.Notice, self.workspace.notices())
        try:
            verdict = yield from self._attempt(task, deadline)
            while self.successors and verdict.status in GIVEN_UP and not deadline.is_set():
                yield events.Notice(f"{verdict.status.value}: {verdict.summary}")
                self._next = self.successors.pop(0)
                self._steps_before = self.totals.steps
                verdict = yield from self._attempt(task, deadline, after=verdict)
        except ToolError as error:  # of the tree itself: a file that cannot be read or put back
            verdict = Verdict(Status.FAILED, str(error))
        self.totals = replace(self.totals, seconds=time.monotonic() - started)
        changed = tuple(change.path for change in self.workspace.changes(turn=True))
        patch = self.workspace.patch(turn=True)
        self.workspace.end_turn()
        yield from map(events.Notice, self.workspace.notices())
        yield events.TurnFinished(
            verdict.status,
            verdict.summary,
            self.totals,
            patch=patch,
            changed=changed,
            answer=verdict.answer,
        )

    def _attempt(
        self, task: str, deadline: Deadline, after: Verdict | None = None
    ) -> Generator[Event, None, Verdict]:
        """Conduct the turn until it is done, or a model gives up."""
        try:
            return (yield from self._conduct(task, deadline, after))
        except (_Ended, LimitReached) as end:
            return self._abandoned(end.verdict)
        except Cancelled:
            return self._cancelled(deadline)
        except ContextOverflow as error:
            return self._abandoned(Verdict(Status.CONTEXT_LIMIT, str(error)))
        except NoSuchModel as error:
            return self._abandoned(Verdict(Status.NO_MODEL, str(error)))
        except AgentError as error:
            return self._abandoned(Verdict(Status.MODEL_FAILED, str(error)))

    def _conduct(
        self, task: str, deadline: Deadline, after: Verdict | None
    ) -> Generator[Event, None, Verdict]:
        outcome = f"It ended so: {after.summary}" if after is not None else ""
        moves = yield from self._begin(task, outcome)
        reply: Reply = None
        while True:
            try:
                move = moves.send(reply)
            except StopIteration as done:
                verdict: Verdict = done.value
                return verdict
            if deadline.is_set():
                raise Cancelled
            match move:
                case Ask(message) if self._next is not None:
                    if self.steering.offers_tools or isinstance(message, ToolMessage):
                        yield from self._say(message)
                    moves.close()
                    self.steering.retreat()
                    moves = yield from self._begin(task, "It was at work.")
                    reply = None
                case Ask():
                    reply = yield from self._ask(move, deadline)
                case Use():
                    reply = yield from self._use(move, deadline)
                case Rewind():
                    left = self._history.rewind(move.messages)
                    self.workspace.restore(move.checkpoint)
                    self._repeats = Repeats()
                    self.instructions.forget()
                    yield events.Rewound(left, move.reason)
                    reply = None
                case Tell():
                    yield events.Notice(move.text)
                    reply = None
                case _:
                    assert_never(move)

    def _begin(self, task: str, outcome: str) -> Generator[Event, None, Moves]:
        """The moves of whoever is to steer from here on.

        Args:
            task: What the user wants.
            outcome: How far the model before it came; empty at a task's beginning.
        """
        if (untold := self._history.untold()) is not None:
            yield from self._say(untold)
        to, self._next = self._next, None
        if to is not None:
            switched = to.model is not self.model  # else it is only steered otherwise
            told = [switching.cost(self.context, self.history, to)] if switched else []
            if not switched and to.offered != self.equipment.offered:  # each request's beginning
                self.context.forget(self.model)
            if switching.crowded(self.model, to.model):
                self.context.forget(self.model)
                self.model.close()  # it loads again when it is asked
            self.model, self.toolbox, self.steering = to.model, to.toolbox, to.steering
            self.instructions = to.instructions
            yield from told
        if not self.history:
            yield from self._say(SystemMessage(self.equipment.opening))
        self._repeats = Repeats()
        return self._history.begin(self.equipment, task, outcome)

    def _changed(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.workspace.changes())

    def _say(self, message: Message) -> Iterator[Event]:
        message = self.redactor.scrub(message)
        self._history.add(message)
        yield events.Said(message)

    def _ask(self, move: Ask, deadline: Deadline) -> Generator[Event, None, AssistantMessage]:
        spec, history, by = self.model.spec, self._history, self.equipment
        wanted = min(move.max_tokens, spec.max_output)
        told, infill = self.redactor.scrub(move.message), self.redactor.scrub(move.infill)
        move = replace(move, infill=infill)
        compacted = history.fitting(by, wanted, self._changed, [told])
        messages = [*self.history, told]
        read = compacted.applied(messages) if compacted else messages
        # What a limit forbids is neither said nor shortened for.
        wanted = yield from self._allowed([UserMessage(infill.text)] if infill else read, wanted)
        yield from self._say(told)
        if compacted is not None:
            yield self._shorten(compacted)
        number = self.totals.steps + 1
        yield events.StepStarted(number)
        started = time.monotonic()
        failed: list[Usage] = []
        try:
            with self.costing.step(spec) as bill:
                answer = yield from self._answer(move, wanted, deadline, failed)
        except (ModelError, Cancelled, LimitReached):
            self._spend(failed, bill.cost(*failed))
            raise
        seconds = time.monotonic() - started
        message, usage = answer.message, answer.usage
        yield from self._say(message)
        cost = bill.cost(*failed, usage)
        self._spend([*failed, usage], cost)
        malformed = self.totals.malformed + len(message.malformed)
        self.totals = replace(self.totals, steps=number, malformed=malformed)
        meter = self.context.measure(self.history, by, usage, wanted, read=infill is None)
        yield events.StepFinished(
            number, usage, seconds, len(message.calls), message.malformed, cost, meter
        )
        if answer.stop is StopReason.CANCELLED:
            raise Cancelled
        return message

    def _answer(
        self, move: Ask, wanted: int, deadline: Deadline, failed: list[Usage]
    ) -> Generator[Event, None, Answer]:
        """Ask, and once more, of a shorter history, if it proves too long."""
        history, by = self._history, self.equipment
        request = history.request(move, by, wanted)
        try:
            return (yield from answer_to(self.model, request, deadline, failed))
        except ContextOverflow:
            compacted = history.fitting(by, wanted, self._changed, refused=True)
            if compacted is None:
                raise
        yield self._shorten(compacted)
        wanted = yield from self._allowed(self.history, wanted)
        request = history.request(move, by, wanted)
        return (yield from answer_to(self.model, request, deadline, failed))

    def _spend(self, usages: Sequence[Usage], cost: Cost) -> None:
        """Count what requests took, also those that failed."""
        usage = sum(usages, self.totals.usage)
        self.totals = replace(self.totals, usage=usage, cost=self.totals.cost + cost)

    def _use(self, move: Use, deadline: Deadline) -> Generator[Event, None, ToolResult]:
        call, origin = move.call, Origin.MODEL if move.by_model else Origin.HARNESS
        yield events.ToolStarted(call, origin)
        permission = Permission(self.gate, self.toolbox, self.workspace, self.redactor)
        permitted = yield from permission.of(call, origin, deadline)
        changed: list[str] = []
        if isinstance(permitted, Prepared):
            with self.workspace.watched(self.toolbox.tools[call.name].effect) as changed:
                result, seconds = yield from carried_out(permitted, call, deadline, self.redactor)
        else:
            result, seconds = permitted, 0.0
        result = self.redactor.scrub(replace(result, changed=(*result.changed, *changed)))
        yield from map(events.Notice, self.workspace.notices())
        if move.by_model:
            result = self._instruct(call, self._repeats.mark(call, result))
        self._history.came_of(call, result, by_model=move.by_model)
        yield events.ToolFinished(call, origin, result, seconds)
        if isinstance(result.details, Denial):
            verdict = permission.without(call, origin, result.details, needed=move.needed)
            if verdict is not None:
                raise _Ended(verdict)
        if self._repeats.too_many(call):
            reason = f"The model made the same {call.name} call {STOP_AFTER} times."
            raise _Ended(Verdict(Status.LOOPING, reason))
        return result

    def _instruct(self, call: ToolCall, result: ToolResult) -> ToolResult:
        """Tell with a result what the project wants in the folders that it is about."""
        if not result.ok:
            return result
        paths = list(result.changed)
        with suppress(KeyError, ToolError):
            paths.append(self.workspace.name(str(call.arguments["path"])))
        told = self.instructions.for_paths(paths)
        return replace(result, output=f"{result.output}\n\n{told}") if told else result

    def _shorten(self, compacted: Compacted) -> Compacted:
        self._history.shorten(compacted)
        self.instructions.forget()
        return compacted

    def _allowed(self, asked: Sequence[Message], wanted: int) -> Generator[Event, None, int]:
        """Output tokens that the limits leave for the answer, `wanted` at most.

        Args:
            asked: The history that the model is to be asked with.

        Raises:
            LimitReached: They leave none.
        """
        # Each model that takes a turn up has the steps of a whole one.
        totals = replace(self.totals, steps=self.totals.steps - self._steps_before)
        forecast = partial(self.context.forecast, asked, self.equipment)
        allowed = self.limits.answer(totals, self.model.spec, forecast, wanted)
        if allowed != wanted:
            yield events.Notice(f"The limit leaves {allowed} tokens for this answer.")
        return allowed

    def _abandoned(self, verdict: Verdict) -> Verdict:
        """Take back the change that was being tried when the turn ended."""
        try:
            proven = self.steering.retreat()
        except ToolError as error:
            return replace(verdict, summary=f"{verdict.summary} {error}")
        if proven is not None and verdict.status is not Status.INTERRUPTED:
            return replace(proven, summary=f"{proven.summary} Then: {verdict.summary}")
        return verdict

    def _cancelled(self, deadline: Deadline) -> Verdict:
        if deadline.passed and not deadline.cancel.is_set():
            reason = f"The limit of {self.limits.seconds:g} seconds was reached."
            return self._abandoned(Verdict(Status.TIME_LIMIT, reason))
        return self._abandoned(Verdict(Status.INTERRUPTED, "The work so far is kept."))
