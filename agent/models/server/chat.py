"""The history as a server's messages, and the body of a request.

Owns how what was said is written down for OpenAI's chat completions and for Ollama. What a message
becomes depends on it and on what came before it alone, so that each request begins with the
messages of the one before, byte for byte. Must not know connections or answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from agent.models import text_calls
from agent.models.base import Sampling
from tools.base import ToolSpec

Json = dict[str, Any]

NOT_RUN = "This call was not run: the turn ended before it."
_SILENT = "(no answer)"
"""Stands for an answer without text or calls, which some servers refuse."""


@dataclass(frozen=True, slots=True)
class Style:
    """What a server and its model take."""

    model: str
    """As `AssistantMessage.model` names it: what it wrote itself is given back as it wrote it."""
    native: bool
    """Whether tools are offered in the request; otherwise in the system message, as text."""
    reasoning: str = ""
    """The field in which the model's own reasoning is given back; empty where it is left out."""
    ollama: bool = False
    """Whether it is Ollama's own API that is spoken."""


def messages(history: Sequence[Message], tools: Sequence[ToolSpec], style: Style) -> list[Json]:
    """The whole history; without tools, calls are text whatever the style."""
    writer = _Writer(style, tuple(tools), native=style.native and bool(tools))
    rows: list[Json] = []
    for index, message in enumerate(history):
        after = history[index + 1] if index + 1 < len(history) else None
        rows += writer.rows(message, after)
    if tools and not writer.native:
        guide = text_calls.describe(tools)
        if rows and rows[0]["role"] == "system":
            rows[0]["content"] += f"\n\n{guide}"
        else:
            rows.insert(0, {"role": "system", "content": guide})
    return rows


def functions(tools: Sequence[ToolSpec]) -> list[Json]:
    """Tools as both interfaces list them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": _slim(tool.schema),
            },
        }
        for tool in tools
    ]


def one_call(tools: Sequence[ToolSpec]) -> Json:
    """The schema of a single call as JSON, for a server that holds its model to it."""
    calls = [
        {
            "type": "object",
            "properties": {"tool": {"const": tool.name}, "arguments": _slim(tool.schema)},
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def sampling_fields(sampling: Sampling) -> Json:
    """How tokens are chosen; what is at its neutral value is left to the server."""
    fields: Json = {"temperature": sampling.temperature}
    if sampling.top_p < 1:
        fields["top_p"] = sampling.top_p
    if sampling.top_k:
        fields["top_k"] = sampling.top_k
    if sampling.min_p:
        fields["min_p"] = sampling.min_p
    if sampling.repeat_penalty != 1:
        fields["repeat_penalty"] = sampling.repeat_penalty
    if sampling.seed:
        fields["seed"] = sampling.seed
    return fields


class _Writer:
    """Writes messages down, one after the other."""

    def __init__(self, style: Style, tools: tuple[ToolSpec, ...], *, native: bool) -> None:
        self._style, self._tools, self.native = style, tools, native
        self._used: set[str] = set()
        self._count = 0
        self._ids: dict[str, str] = {}
        """Ids of the calls that wait for their results, and how they are written."""

    def rows(self, message: Message, after: Message | None) -> Iterator[Json]:
        match message:
            case SystemMessage():
                yield {"role": "system", "content": message.text}
            case UserMessage():
                yield {"role": "user", "content": message.text}
            case AssistantMessage():
                yield from self._assistant(message, after)
            case ToolMessage():
                yield from self._results(message)

    def _assistant(self, message: AssistantMessage, after: Message | None) -> Iterator[Json]:
        own = message.model == self._style.model
        row: Json = {"role": "assistant"}
        self._ids = {}
        if not self.native or (own and message.raw):
            text = text_calls.render_message(
                message if own else replace(message, raw=""), self._tools
            )
            row["content"] = text or _SILENT
        else:
            row["content"] = message.text or ("" if message.calls else _SILENT)
            if message.calls:
                row["tool_calls"] = [self._call(call, own=own) for call in message.calls]
        if own and message.reasoning and self._style.reasoning:
            row[self._style.reasoning] = message.reasoning
        yield row
        if after is None or not self._ids:
            return
        results = after.results if isinstance(after, ToolMessage) else ()
        answered = {result.call_id for result in results}
        for call in message.calls:
            if call.id not in answered:  # the turn was broken off; every call must have a result
                yield self._result(self._ids.pop(call.id), call.name, NOT_RUN)

    def _call(self, call: ToolCall, *, own: bool) -> Json:
        self._count += 1
        if own and call.id and call.id not in self._used:
            written = call.id
        else:
            written = f"call{self._count:05d}"  # nine letters and digits: Mistral wants no others
        self._used.add(written)
        self._ids[call.id] = written
        arguments = dict(call.arguments)
        if self._style.ollama:
            return {"function": {"name": call.name, "arguments": arguments}}
        text = json.dumps(arguments, ensure_ascii=False)
        function = {"name": call.name, "arguments": text}
        return {"id": written, "type": "function", "function": function}

    def _results(self, message: ToolMessage) -> Iterator[Json]:
        loose = []
        for result in message.results:
            written = self._ids.pop(result.call_id, None)
            if written is None:  # of calls that stand in the text, or could not be read
                loose.append(result)
            else:
                yield self._result(written, result.name, result.output)
        if loose:
            text = text_calls.render_results(ToolMessage(tuple(loose)))
            yield {"role": "user", "content": text}

    def _result(self, written: str, name: str, output: str) -> Json:
        if self._style.ollama:
            return {"role": "tool", "tool_name": name, "content": output}
        return {"role": "tool", "tool_call_id": written, "content": output}


def _slim(schema: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    """A schema without the titles that pydantic gives everything."""
    if isinstance(schema, Mapping):
        return {
            name: _slim(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_slim(item) for item in schema] if isinstance(schema, list) else schema
