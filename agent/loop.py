"""The loop: asks the model, uses the tools, until the steering is done or a limit is reached.

Owns the history (which only grows, but for an announced return to an earlier point) and the order
of things. Must not know how a model is asked, what a tool does, what an answer means, what
anything costs, what needs permission or who watches.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from agent import events
from agent.approval import Denial, Gate
from agent.asking import answered
from agent.costs import Costing
from agent.deadline import Deadline
from agent.errors import ModelError
from agent.events import Event, Origin, Status, Totals
from agent.instructions import Instructions
from agent.limits import Forecast, LimitReached, Limits
from agent.messages import AssistantMessage, Message, SystemMessage, ToolCall
from agent.models.base import Model, Request, StopReason, Usage
from agent.permission import Permission
from agent.redaction import Redactor
from agent.repeats import STOP_AFTER, Repeats
from agent.steering.moves import Ask, Reply, Rewind, Steering, Tell, Use, Verdict
from tools.base import Cancel, Cancelled, Prepared, Toolbox, ToolError, ToolResult
from tools.workspace import Workspace


class _Ended(Exception):
    """The turn is over before the steering is done."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.summary)
        self.verdict = verdict


class Agent:
    """One conversation of a model with a workspace."""

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
        self.history: list[Message] = list(history)
        self.gate = gate
        self.instructions = instructions or Instructions()
        self.redactor = redactor or Redactor()
        self.totals = Totals()
        self._forecast = Forecast()
        self._repeats = Repeats()

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
        self._repeats = Repeats()
        try:
            verdict = yield from self._conduct(task, deadline)
        except (_Ended, LimitReached) as end:
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
            verdict.status,
            verdict.summary,
            self.totals,
            patch=patch,
            changed=changed,
            answer=verdict.answer,
        )

    def _conduct(self, task: str, deadline: Deadline) -> Generator[Event, None, Verdict]:
        if not self.history:
            yield from self._say(SystemMessage(self.instructions.opening(self.steering.system)))
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
                    self._repeats = Repeats()
                    self.instructions.forget()
                    yield events.Rewound(move.messages, move.reason)
                    reply = None
                case Tell():
                    yield events.Notice(move.text)
                    reply = None
                case _:
                    assert_never(move)

    def _say(self, message: Message) -> Iterator[Event]:
        message = self.redactor.scrub(message)
        self.history.append(message)
        yield events.Said(message)

    def _ask(self, move: Ask, deadline: Deadline) -> Generator[Event, None, AssistantMessage]:
        spec = self.model.spec
        told = self.redactor.scrub(move.message)
        request = Request(
            messages=(*self.history, told),
            tools=self.toolbox.specs if self.steering.offers_tools else (),
            form=move.form,
            max_tokens=min(move.max_tokens, spec.max_output),
            sampling=move.sampling or spec.sampling,
        )
        request = yield from self._within_limits(request)
        yield from self._say(told)
        number = self.totals.steps + 1
        yield events.StepStarted(number)
        started = time.monotonic()
        with self.costing.step(spec) as bill:
            answer = yield from answered(self.model, request, deadline)
        seconds = time.monotonic() - started
        message, usage = answer.message, answer.usage
        self._forecast.learn(spec, request, message, usage)
        yield from self._say(message)
        cost = bill.cost(usage)
        self.totals = replace(
            self.totals,
            steps=number,
            usage=self.totals.usage + usage,
            cost=self.totals.cost + cost,
            malformed=self.totals.malformed + len(message.malformed),
        )
        yield events.StepFinished(
            number, usage, seconds, len(message.calls), message.malformed, cost
        )
        if answer.stop is StopReason.CANCELLED:
            raise Cancelled
        return message

    def _use(self, move: Use, deadline: Deadline) -> Generator[Event, None, ToolResult]:
        call, origin = move.call, Origin.MODEL if move.by_model else Origin.HARNESS
        yield events.ToolStarted(call, origin)
        permission = Permission(self.gate, self.toolbox, self.workspace, self.redactor)
        permitted = yield from permission.of(call, origin, deadline)
        started = time.monotonic()
        result = permitted.carry_out(deadline) if isinstance(permitted, Prepared) else permitted
        seconds = time.monotonic() - started
        result = self.redactor.scrub(result)
        self.workspace.refresh()  # what it ran may have made or removed files
        if move.by_model:
            result = self._instruct(call, self._repeats.mark(call, result))
        yield events.ToolFinished(call, origin, result, seconds)
        if isinstance(result.details, Denial):
            verdict = permission.without(call, origin, result.details)
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

    def _within_limits(self, request: Request) -> Generator[Event, None, Request]:
        """The request with as long an answer as the limits afford.

        Raises:
            LimitReached: They afford none.
        """
        limits, spec, wanted = self.limits, self.model.spec, request.max_tokens
        expected = Usage()
        if limits.tokens is not None or limits.dollars is not None:
            expected = self._forecast.prompt(spec, request, self.model.count)
        allowed = limits.allowance(self.totals, spec, expected, wanted)
        if allowed == wanted:
            return request
        yield events.Notice(f"The limit leaves {allowed} tokens for this answer.")
        return replace(request, max_tokens=allowed)

    def _abandoned(self, verdict: Verdict) -> Verdict:
        """Take back the change that was being tried when the turn ended."""
        safe = self.steering.safe
        if safe is not None and self.workspace.checkpoint() > safe:
            try:
                self.workspace.restore(safe)
            except ToolError as error:
                return replace(verdict, summary=f"{verdict.summary} {error}")
        return verdict

    def _cancelled(self, deadline: Deadline) -> Verdict:
        if deadline.passed and not deadline.cancel.is_set():
            reason = f"The limit of {self.limits.seconds:g} seconds was reached."
            return self._abandoned(Verdict(Status.TIME_LIMIT, reason))
        return Verdict(Status.INTERRUPTED, "Interrupted; the work so far is kept.")
