"""Asking a model on a server, and what every such test says."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from agent.messages import Message, SystemMessage, UserMessage
from agent.models.base import Answer, Model, ModelEvent, Request
from agent.models.server.address import parse_address
from agent.models.server.model import ServerModel
from agent.models.server.opening import open_server
from agent.models.server.wire import USUAL, Timeouts
from tools.base import ToolSpec

READ = ToolSpec(
    "read_file",
    "Read a file of the repository and show its lines.",
    {
        "type": "object",
        "title": "Args",
        "properties": {"path": {"type": "string", "title": "Path"}},
        "required": ["path"],
        "additionalProperties": False,
    },
)
START = (SystemMessage("Repair the repository."), UserMessage("`mean` returns the sum."))


def opened(
    url: str, *, key: str = "", context: int | None = None, timeouts: Timeouts = USUAL
) -> ServerModel:
    return open_server(parse_address(url, {}), key=key, context=context, timeouts=timeouts)


def ask(
    model: Model,
    messages: Sequence[Message] = START,
    tools: tuple[ToolSpec, ...] = (READ,),
    max_tokens: int = 200,
) -> tuple[Answer, list[ModelEvent]]:
    """The answer, and what came before it."""
    request = Request(messages, tools, max_tokens=max_tokens)
    *events, answer = model.stream(request, threading.Event())
    assert isinstance(answer, Answer)
    return answer, events
