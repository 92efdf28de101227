"""The loop: asks the model, uses the tools, until the steering is done or a limit is reached.

Owns the history (which only grows, but for an announced return to an earlier point or an announced
compaction), the limits, the retries and the change to another model. Must not know how a model is
asked, what a tool does, what an answer means or who watches.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from agent import events, switching
from agent.context import Context
from agent.equipment import Equipment
from agent.errors import ContextOverflow, ModelError
from agent.events import Event, Origin, Status, Switched, Totals
from agent.history import History
from agent.messages import AssistantMessage, Message, SystemMessage, ToolMessage
from agent.models.base import Answer, Model, Reading, ReasoningDelta, Request, StopReason, TextDelta
from agent.repeats import STOP_AFTER, Repeats
from agent.steering.moves import Ask, Moves, Reply, Rewind, Steering, Tell, Use, Verdict
from agent.switching import GIVEN_UP
from tools.base import Cancel, Cancelled, Toolbox, ToolError, ToolResult
from tools.workspace import Workspace

RETRIES = 2
"""How often a request is made again after a transient error."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a turn may cost; None is no limit."""

    steps: int | None = 50
    tokens: int | None = None
    """Prompt tokens read and output tokens written, together."""
    seconds: float | None = None
    dollars: float | None = None


class _Ended(Exception):
    """The turn is over before the steering is done."""

    def __init__(self, status: Status, summary: str) -> None:
        super().__init__(summary)
        self.verdict = Verdict(status, summary)


@dataclass(slots=True)
class _Deadline:
    """Set when the user cancels or the time is up."""

    cancel: Cancel
    at: float

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def is_set(self) -> bool:
        return self.cancel.is_set() or self.passed


class Agent:
    """One conversation of models with a workspace."""

    def __init__(
        self,
        model: Model,
        toolbox: Toolbox,
        workspace: Workspace,
        steering: Steering,
        limits: Limits = Limits(),
        history: Sequence[Message] = (),
    ) -> None:
        self.model = model
        self.toolbox = toolbox
        self.workspace = workspace
        self.steering = steering
        self.limits = limits
        self.successors: list[Equipment] = []
        """Who goes on, one after the other, when a model gives up."""
        self.totals = Totals()
        self._history = History(history)
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
        return Equipment(self.model, self.toolbox, self.steering)

    def switch(self, to: Equipment) -> Switched:
        """Let another model go on from the next step on; what that will cost.

        Nothing is lost: results that wait to be told are told to the other model.
        """
        self._next = to
        return switching.cost(self.context, self.history, to)

    def run(self, task: str, cancel: Cancel) -> Iterator[Event]:
        """Conduct one turn. The last event is `TurnFinished`, whatever happens.

        Args:
            task: What the user wants, in Markdown.
            cancel: Set by another thread or a signal handler to stop; the work is kept.
        """
        started = time.monotonic()
        seconds = self.limits.seconds
        deadline = _Deadline(cancel, started + seconds if seconds is not None else float("inf"))
        self.totals = Totals()
        self._steps_before = 0
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
        yield events.TurnFinished(
            verdict.status,
            verdict.summary,
            self.totals,
            patch=self.workspace.patch(),
            changed=self._changed(),
        )

    def _attempt(
        self, task: str, deadline: _Deadline, after: Verdict | None = None
    ) -> Generator[Event, None, Verdict]:
        """Conduct the turn until it is done, or a model gives up."""
        try:
            return (yield from self._conduct(task, deadline, after))
        except _Ended as end:
            return self._abandoned(end.verdict)
        except Cancelled:
            return self._cancelled(deadline)
        except ModelError as error:
            return self._abandoned(Verdict(Status.MODEL_FAILED, str(error)))

    def _conduct(
        self, task: str, deadline: _Deadline, after: Verdict | None
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
                    self._take_back()
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
            yield switching.cost(self.context, self.history, to)
            if switching.crowded(self.model, to.model):
                self.context.forget(self.model)
                self.model.close()  # it loads again when it is asked
            self.model, self.toolbox, self.steering = to.model, to.toolbox, to.steering
        if not self.history:
            yield from self._say(SystemMessage(self.steering.system))
        self._repeats = Repeats()
        return self._history.begin(self.steering, task, outcome)

    def _changed(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.workspace.changes())

    def _say(self, message: Message) -> Iterator[Event]:
        self._history.add(message)
        yield events.Said(message)

    def _ask(self, move: Ask, deadline: _Deadline) -> Generator[Event, None, AssistantMessage]:
        wanted = min(move.max_tokens, self.model.spec.max_output, self._budget())
        yield from self._say(move.message)
        history, by = self._history, self.equipment
        yield from history.make_room(by, wanted, self._changed())
        number = self.totals.steps + 1
        yield events.StepStarted(number)
        started = time.monotonic()
        try:
            answer = yield from self._answer(history.request(move, by, wanted), deadline)
        except ContextOverflow:
            compacted = list(history.make_room(by, wanted, self._changed(), refused=True))
            if not compacted:
                raise
            yield from compacted
            answer = yield from self._answer(history.request(move, by, wanted), deadline)
        message, usage = answer.message, answer.usage
        yield from self._say(message)
        spec = self.model.spec
        dollars = (usage.prompt * spec.price_in + usage.output * spec.price_out) / 1e6
        self.totals = replace(
            self.totals,
            steps=number,
            usage=self.totals.usage + usage,
            dollars=self.totals.dollars + dollars,
            malformed=self.totals.malformed + len(message.malformed),
        )
        yield events.StepFinished(
            number,
            usage,
            time.monotonic() - started,
            len(message.calls),
            message.malformed,
            dollars,
            self.context.measure(self.history, by, usage, wanted),
        )
        if answer.stop is StopReason.CANCELLED:
            raise Cancelled
        return message

    def _answer(self, request: Request, deadline: _Deadline) -> Generator[Event, None, Answer]:
        for tries_left in range(RETRIES, -1, -1):
            try:
                for event in self.model.stream(request, deadline):
                    match event:
                        case Reading(done, total):
                            yield events.PromptReading(done, total)
                        case TextDelta(text):
                            yield events.Wrote(text)
                        case ReasoningDelta(text):
                            yield events.Wrote(text, reasoning=True)
                        case Answer():
                            return event
                        case _:
                            assert_never(event)
            except ModelError as error:
                if not (error.transient and tries_left) or deadline.is_set():
                    raise
                yield events.Notice(f"{error} Asking again.")
        raise ModelError("The model ended its answer without saying so.")

    def _use(self, move: Use, deadline: _Deadline) -> Generator[Event, None, ToolResult]:
        call, origin = move.call, Origin.MODEL if move.by_model else Origin.HARNESS
        yield events.ToolStarted(call, origin)
        started = time.monotonic()
        result = self.toolbox.call(call.name, call.arguments, deadline)
        self.workspace.refresh()  # what it ran may have made or removed files
        if move.by_model:
            result = self._repeats.mark(call, result)
        self._history.came_of(call, result, by_model=move.by_model)
        yield events.ToolFinished(call, origin, result, time.monotonic() - started)
        if self._repeats.too_many(call):
            raise _Ended(
                Status.LOOPING, f"The model made the same {call.name} call {STOP_AFTER} times."
            )
        return result

    def _budget(self) -> int:
        """Output tokens that the limits still allow; raises when a limit is reached."""
        limits, totals = self.limits, self.totals
        if limits.steps is not None and totals.steps - self._steps_before >= limits.steps:
            raise _Ended(Status.STEP_LIMIT, f"The limit of {limits.steps} steps was reached.")
        if limits.dollars is not None and totals.dollars >= limits.dollars:
            raise _Ended(Status.DOLLAR_LIMIT, f"The limit of ${limits.dollars:g} was reached.")
        if limits.tokens is None:
            return self.model.spec.max_output
        left = limits.tokens - totals.usage.evaluated - totals.usage.output
        if left <= 0:
            raise _Ended(Status.TOKEN_LIMIT, f"The limit of {limits.tokens} tokens was reached.")
        return left

    def _abandoned(self, verdict: Verdict) -> Verdict:
        """Take back the change that was being tried when the turn ended."""
        try:
            self._take_back()
        except ToolError as error:
            return replace(verdict, summary=f"{verdict.summary} {error}")
        return verdict

    def _take_back(self) -> None:
        safe = self.steering.safe
        if safe is not None and self.workspace.checkpoint() > safe:
            self.workspace.restore(safe)

    def _cancelled(self, deadline: _Deadline) -> Verdict:
        if deadline.passed and not deadline.cancel.is_set():
            reason = f"The limit of {self.limits.seconds:g} seconds was reached."
            return self._abandoned(Verdict(Status.TIME_LIMIT, reason))
        return Verdict(Status.INTERRUPTED, "Interrupted; the work so far is kept.")
