"""The loop: asks the model, uses the tools, until the steering is done or a limit is reached.

Owns the history (which only grows, but for an announced return to an earlier point), the limits,
the retries and the detection of loops. Must not know how a model is asked, what a tool does, what
an answer means or who watches.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from agent import events
from agent.errors import ModelError
from agent.events import Event, Origin, Status, Totals
from agent.messages import AssistantMessage, Message, SystemMessage, ToolCall
from agent.models.base import (
    Answer,
    CallDelta,
    Model,
    Reading,
    ReasoningDelta,
    Request,
    StopReason,
    TextDelta,
)
from agent.retrying import Patience
from agent.steering.moves import Ask, Reply, Rewind, Steering, Tell, Use, Verdict
from tools.base import Cancel, Cancelled, Toolbox, ToolError, ToolResult
from tools.workspace import Workspace

WARN_AFTER = 3
STOP_AFTER = 5


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
    """One conversation of a model with a workspace."""

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
        self.history: list[Message] = list(history)
        self.totals = Totals()
        self._repeats: Counter[str] = Counter()
        self._changes: set[str] = set()
        """The calls that changed files, so that changing to and fro counts as no progress."""

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
        self._repeats.clear()
        self._changes.clear()
        try:
            verdict = yield from self._conduct(task, deadline)
        except _Ended as end:
            verdict = self._abandoned(end.verdict)
        except Cancelled:
            verdict = self._cancelled(deadline)
        except ModelError as error:
            verdict = self._abandoned(Verdict(Status.MODEL_FAILED, str(error)))
        except ToolError as error:  # of the tree itself: a file that cannot be read or put back
            verdict = Verdict(Status.FAILED, str(error))
        self.totals = replace(self.totals, seconds=time.monotonic() - started)
        changed = tuple(change.path for change in self.workspace.changes())
        patch = self.workspace.patch()
        yield events.TurnFinished(
            verdict.status, verdict.summary, self.totals, patch=patch, changed=changed
        )

    def _conduct(self, task: str, deadline: _Deadline) -> Generator[Event, None, Verdict]:
        if not self.history:
            yield from self._say(SystemMessage(self.steering.system))
        moves = self.steering.moves(task)
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
                case Ask():
                    reply = yield from self._ask(move, deadline)
                case Use():
                    reply = yield from self._use(move, deadline)
                case Rewind():
                    del self.history[move.messages :]
                    self.workspace.restore(move.checkpoint)
                    self._repeats.clear()
                    self._changes.clear()
                    yield events.Rewound(move.messages, move.reason)
                    reply = None
                case Tell():
                    yield events.Notice(move.text)
                    reply = None
                case _:
                    assert_never(move)

    def _say(self, message: Message) -> Iterator[Event]:
        self.history.append(message)
        yield events.Said(message)

    def _ask(self, move: Ask, deadline: _Deadline) -> Generator[Event, None, AssistantMessage]:
        budget = self._budget()
        yield from self._say(move.message)
        number = self.totals.steps + 1
        yield events.StepStarted(number)
        request = Request(
            messages=tuple(self.history),
            tools=self.toolbox.specs if self.steering.offers_tools else (),
            form=move.form,
            max_tokens=min(move.max_tokens, self.model.spec.max_output, budget),
            sampling=move.sampling or self.model.spec.sampling,
        )
        started = time.monotonic()
        answer = yield from self._answer(request, deadline)
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
        )
        if answer.stop is StopReason.CANCELLED:
            raise Cancelled
        return message

    def _answer(self, request: Request, deadline: _Deadline) -> Generator[Event, None, Answer]:
        patience = Patience()
        while True:
            try:
                for event in self.model.stream(request, deadline):
                    match event:
                        case Reading(done, total):
                            yield events.PromptReading(done, total)
                        case TextDelta(text):
                            yield events.Wrote(text)
                        case ReasoningDelta(text):
                            yield events.Wrote(text, reasoning=True)
                        case CallDelta(tool, text):
                            yield events.WroteCall(tool, text)
                        case Answer():
                            return event
                        case _:
                            assert_never(event)
            except ModelError as error:
                pause = patience.pause(error)
                if pause is None or deadline.is_set():
                    raise
                yield from self._pause(f"{error} Asking again", pause, deadline)
            else:
                raise ModelError("The model ended its answer without saying so.")

    def _pause(self, text: str, seconds: float, deadline: _Deadline) -> Iterator[Event]:
        yield events.Notice(f"{text} in {seconds:.1f} s." if seconds else f"{text}.")
        until = time.monotonic() + seconds
        told = float("inf")
        while (left := until - time.monotonic()) > 0:
            if deadline.is_set():
                raise Cancelled
            if left <= told - 1:
                told = left
                yield events.Waiting(left)
            time.sleep(min(0.05, left))

    def _use(self, move: Use, deadline: _Deadline) -> Generator[Event, None, ToolResult]:
        call, origin = move.call, Origin.MODEL if move.by_model else Origin.HARNESS
        yield events.ToolStarted(call, origin)
        started = time.monotonic()
        result = self.toolbox.call(call.name, call.arguments, deadline)
        self.workspace.refresh()  # what it ran may have made or removed files
        if move.by_model:
            result = self._mark_repeats(call, result)
        yield events.ToolFinished(call, origin, result, time.monotonic() - started)
        if self._repeats[_key(call)] >= STOP_AFTER:
            raise _Ended(
                Status.LOOPING, f"The model made the same {call.name} call {STOP_AFTER} times."
            )
        return result

    def _mark_repeats(self, call: ToolCall, result: ToolResult) -> ToolResult:
        """Count equal calls since the last new change, so that A-B-A-B is caught too."""
        key = _key(call)
        if result.changed and key not in self._changes:
            self._repeats.clear()
            self._changes.add(key)
        self._repeats[key] += 1
        if self._repeats[key] < WARN_AFTER:
            return result
        warning = f"You made this same call {self._repeats[key]} times. Do something else."
        return replace(result, output=f"{result.output}\n{warning}")

    def _budget(self) -> int:
        """Output tokens that the limits still allow; raises when a limit is reached."""
        limits, totals = self.limits, self.totals
        if limits.steps is not None and totals.steps >= limits.steps:
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
        safe = self.steering.safe
        if safe is not None and self.workspace.checkpoint() > safe:
            try:
                self.workspace.restore(safe)
            except ToolError as error:
                return replace(verdict, summary=f"{verdict.summary} {error}")
        return verdict

    def _cancelled(self, deadline: _Deadline) -> Verdict:
        if deadline.passed and not deadline.cancel.is_set():
            reason = f"The limit of {self.limits.seconds:g} seconds was reached."
            return self._abandoned(Verdict(Status.TIME_LIMIT, reason))
        return Verdict(Status.INTERRUPTED, "Interrupted; the work so far is kept.")


def _key(call: ToolCall) -> str:
    return f"{call.name} {sorted(call.arguments.items())!r}"
