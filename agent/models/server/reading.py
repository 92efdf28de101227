"""From what was written to a message: native calls, calls in the text, fenced code for a form.

Owns the rungs on which a tool call is looked for. Must not know servers. What is incomplete or is
no JSON is never mended and never run: it becomes a line in `malformed`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from agent.messages import AssistantMessage, ToolCall
from agent.models import text_calls
from agent.models.base import Form
from agent.models.fenced_calls import fenced_calls
from agent.models.server.stream import Written, WrittenCall
from tools.base import ToolSpec

_EXCERPT = 120


def message_of(
    written: Written, tools: Sequence[ToolSpec], form: Form | None, model: str, *, cut: bool
) -> AssistantMessage:
    """The answer as it goes into the history.

    Args:
        written: What came.
        tools: What was offered.
        form: What the answer should have been held to.
        model: Who wrote it.
        cut: The answer ended at its limit or was broken off, so its last call is not whole.
    """
    if written.calls:
        return _native(written, tools, model, cut=cut)
    if not tools and form is None:
        thought, said = text_calls.split_thought(written.text)
        reasoning = written.reasoning or thought
        return AssistantMessage(said.strip(), reasoning, model=model)
    found = text_calls.read(written.text, tools or _specs(form))
    calls, malformed = found.calls, found.malformed
    if written.failed_call:
        malformed = (*malformed, f"The call could not be read: {written.failed_call}")
    elif not calls and not malformed and form is not None and not cut:
        calls = fenced_calls(text_calls.split_thought(written.text)[1], form)
    reasoning = written.reasoning or found.reasoning
    if not calls and not malformed:
        return AssistantMessage(found.text, reasoning, model=model)
    # As the text formats have it: the thought stands before what was said.
    thought = f"<think>\n{written.reasoning}\n</think>\n\n" if written.reasoning else ""
    raw = thought + written.text
    return AssistantMessage(found.text, reasoning, calls, malformed, raw, model=model)


def _native(
    written: Written, tools: Sequence[ToolSpec], model: str, *, cut: bool
) -> AssistantMessage:
    known = {tool.name: tool for tool in tools}
    calls: list[ToolCall] = []
    malformed: list[str] = []
    for index, call in enumerate(written.calls):
        last = index == len(written.calls) - 1
        problem = "was cut short" if cut and last else ""
        try:
            # Line breaks within strings can only mean themselves; nothing else is forgiven.
            arguments = json.loads(call.arguments or "{}", strict=False)
        except (ValueError, RecursionError) as error:
            problem = problem or f"has arguments that are no JSON ({error})"
        else:
            if not isinstance(arguments, dict):
                problem = problem or "has arguments that are no JSON object"
        if problem or not call.name:
            malformed.append(_explained(call, problem or "has no name"))
            continue
        used = {made.id for made in calls}
        id = call.id if call.id and call.id not in used else f"call_{uuid.uuid4().hex[:8]}"
        typed = text_calls.typed(arguments, known.get(call.name))
        calls.append(ToolCall(id, call.name, typed))
    thought, said = text_calls.split_thought(written.text)
    reasoning = written.reasoning or thought
    return AssistantMessage(said.strip(), reasoning, tuple(calls), tuple(malformed), model=model)


def _explained(call: WrittenCall, problem: str) -> str:
    text = call.arguments
    shown = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
    return f"the call of {call.name or 'a tool'} {problem}; it was not run: {shown}"


def _specs(form: Form | None) -> tuple[ToolSpec, ...]:
    """What the reader must know of tools that only a form names."""
    bodies: dict[str, tuple[str, ...]] = {}
    for call in form.calls if form is not None else ():
        bodies[call.tool] = tuple(dict.fromkeys((*bodies.get(call.tool, ()), *call.bodies)))
    return tuple(ToolSpec(name, "", {}, names) for name, names in bodies.items())
