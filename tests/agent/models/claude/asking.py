"""Conversations with a model, and tools as specifications only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import Answer, Model, ModelEvent, Request
from tools.base import Cancel, ToolSpec
from tools.edit import Edit
from tools.files import ReadFile, WriteFile
from tools.outline import Outline
from tools.search import Search
from tools.shell import Run
from tools.tests import RunTests
from tools.todo import Todo

OFFERED = (ReadFile, Search, Outline, Edit, WriteFile, RunTests, Run, Todo)
"""The tools that Claude is offered."""
TOOLS = tuple(
    ToolSpec(tool.name, tool.description, tool.Args.model_json_schema(), tool.bodies)
    for tool in OFFERED
)
OPENING: tuple[Message, ...] = (SystemMessage("You repair code."), UserMessage("mean() is wrong"))


def ask(
    model: Model,
    messages: Sequence[Message] = OPENING,
    watch: Callable[[ModelEvent], object] = bool,
    *,
    cancel: Cancel | None = None,
    request: Request | None = None,
) -> Answer:
    """The answer, after `watch` saw every event."""
    request = request or Request(messages, TOOLS, max_tokens=9000)
    for event in model.stream(request, cancel or threading.Event()):
        watch(event)
        if isinstance(event, Answer):
            return event
    raise AssertionError("the stream ended without an answer")


def results(answer: AssistantMessage, output: str = "ok") -> ToolMessage:
    return ToolMessage(tuple(ToolOutput(call.id, call.name, output) for call in answer.calls))
