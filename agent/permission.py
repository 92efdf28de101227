"""Between a call and its being carried out: what was permitted is what is done.

Owns the order of preparing, asking and looking once more. Must not know what needs permission
(`agent.approval` does), nor how a question is shown.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Protocol

from agent import events
from agent.approval import Choice, Gate, denied
from agent.events import Event, Origin
from agent.messages import ToolCall
from tools.base import Cancel, Prepared, Toolbox, ToolResult, failure

ASK_ANEW = 3
"""How often the same call is asked about when what it would do changes meanwhile."""


class Deadline(Protocol):
    """When a turn must end."""

    cancel: Cancel
    at: float
    """As `time.monotonic` has it."""


def permitted_call(
    gate: Gate | None, toolbox: Toolbox, call: ToolCall, origin: Origin, deadline: Deadline
) -> Generator[Event, None, Prepared | ToolResult]:
    """What may be carried out: exactly what was asked about, where it had to be asked about.

    The time that a question takes is the user's and is added to the deadline.

    Args:
        gate: None where everything may be done.

    Returns:
        The call, ready to be carried out; or the result of one that is not to be.

    Raises:
        Cancelled: The user interrupted while being asked.
    """
    tool = toolbox.tools.get(call.name)
    if gate is None or tool is None:
        return toolbox.prepare(call.name, call.arguments)
    if forbidden := gate.forbidden(call.name, tool.effect):
        return forbidden
    prepared = toolbox.prepare(call.name, call.arguments)
    for _ in range(ASK_ANEW):
        if isinstance(prepared, ToolResult):
            return prepared
        request = gate.question(prepared)
        if request is None:
            return prepared
        rule = str(request.rule or "")
        yield events.ApprovalAsked(
            call, origin, request.action, request.reason, rule, request.choices
        )
        asked = time.monotonic()
        answer = gate.ask(request, deadline.cancel)
        deadline.at += time.monotonic() - asked
        yield events.ApprovalAnswered(call, answer.choice, answer.word, answer.unattended)
        if answer.choice is Choice.DENY:
            return denied(call.name, request, answer)
        now = toolbox.prepare(call.name, call.arguments)
        if prepared.same(now):
            try:
                gate.keep(request, answer)
            except OSError as error:
                yield events.Notice(f"The rule holds for this session only: {error}.")
            return prepared
        yield events.Notice(f"What {call.name} would do has changed since it was shown.")
        prepared = now
    return failure(call.name, "Not done: it kept changing while it was asked about.")
