"""Between a call and its being carried out: what was permitted is what is done.

Owns the order of preparing, asking and looking once more, and puts keys that a model was not shown
back into what it changes. Must not know what needs permission (`agent.approval` does), nor how a
question is shown.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from agent import events
from agent.approval import Choice, Denial, Gate, denied
from agent.events import Event, Origin, Status
from agent.messages import ToolCall
from agent.redaction import Redactor
from agent.steering.moves import Verdict
from tools.base import Effect, Prepared, Toolbox, ToolResult, failure
from tools.deadline import Deadline
from tools.errors import ToolError
from tools.workspace import Workspace

ASK_ANEW = 3
"""How often the same call is asked about when what it would do changes meanwhile."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a call passes before anything is done."""

    gate: Gate | None
    """None where everything may be done."""
    toolbox: Toolbox
    workspace: Workspace
    redactor: Redactor

    def of(
        self, call: ToolCall, origin: Origin, deadline: Deadline
    ) -> Generator[Event, None, Prepared | ToolResult]:
        """What may be carried out: exactly what was asked about, where it had to be asked about.

        The time that a question takes is the user's and is added to the deadline.

        Returns:
            The call, ready to be carried out; or the result of one that is not to be.

        Raises:
            Cancelled: The user interrupted while being asked.
        """
        tool = self.toolbox.tools.get(call.name)
        if self.gate is None or tool is None:
            return self._prepared(call)
        if forbidden := self.gate.forbidden(call.name, tool.effect):
            return forbidden
        prepared = self._prepared(call)
        for _ in range(ASK_ANEW):
            if isinstance(prepared, ToolResult):
                return prepared
            request = self.gate.question(prepared)
            if request is None:
                return prepared
            shown = self.redactor.scrub(request)
            yield events.ApprovalAsked(
                call, origin, shown.action, shown.reason, str(shown.rule or ""), shown.choices
            )
            asked = time.monotonic()
            answer = self.gate.ask(shown, deadline.cancel)
            deadline.at += time.monotonic() - asked
            yield events.ApprovalAnswered(
                call, answer.choice, answer.word, answer.unattended, answer.hunks
            )
            if answer.choice is Choice.DENY:
                return denied(call.name, request, answer)
            now = self._prepared(call)
            if prepared.same(now):
                try:
                    self.gate.keep(request, answer)
                except OSError as error:
                    yield events.Notice(f"The rule holds for this session only: {error}.")
                return prepared if answer.hunks is None else prepared.narrowed(answer.hunks)
            yield events.Notice(f"What {call.name} would do has changed since it was shown.")
            prepared = now
        return failure(call.name, "Not done: it kept changing while it was asked about.")

    def without(
        self, call: ToolCall, origin: Origin, denial: Denial, *, needed: bool
    ) -> Verdict | None:
        """How the turn ends for want of what was denied; None where it can go on.

        Args:
            needed: Whether the harness cannot do without what it wanted.
        """
        tool = self.toolbox.tools[call.name]
        if denial.unattended and (origin is Origin.HARNESS or tool.effect is Effect.EDIT):
            return Verdict(
                Status.NOT_APPROVED,
                f"{call.name} needs approval ({denial.reason}) and there is nobody to ask.",
            )
        if origin is Origin.HARNESS and needed:
            what = "The tests were" if call.name == "run_tests" else f"{call.name} was"
            return Verdict(
                Status.NOT_APPROVED, f"{what} not allowed, and the work cannot go on without."
            )
        return None

    def _prepared(self, call: ToolCall) -> Prepared | ToolResult:
        try:
            return self.toolbox.prepare(call.name, self._arguments(call))
        except ToolError as error:
            return failure(call.name, str(error))

    def _arguments(self, call: ToolCall) -> Mapping[str, Any]:
        """A call's arguments; where it changes a file, with the keys that the file has in it.

        Raises:
            ToolError: There is a mark for a key among them that cannot be put back.
        """
        tool = self.toolbox.tools.get(call.name)
        if tool is None or tool.effect is not Effect.EDIT:
            return call.arguments
        try:
            there = self.workspace.peek(str(call.arguments.get("path", "")))
        except ToolError:
            there = b""  # a new one, or one that the tool will refuse
        return self.redactor.restored(call.arguments, there.decode("utf-8", "replace"))
