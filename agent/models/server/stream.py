"""What a server streams, put together: text, reasoning, tool calls, figures, and whether it ended.

Owns the two forms that answers come in: server-sent events with OpenAI's chunks, and Ollama's
lines of JSON. Must not know tools, nor whether a call can be used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from agent.errors import ConnectionLost
from agent.models.base import ModelEvent, Reading, ReasoningDelta, TextDelta
from agent.models.server.wire import Refused, reason_of

Json = dict[str, Any]


@dataclass(slots=True)
class WrittenCall:
    """A tool call as it was written."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON, or what came of it."""


@dataclass(slots=True)
class Written:
    """An answer, as far as it has come."""

    text: str = ""
    reasoning: str = ""
    calls: list[WrittenCall] = field(default_factory=list)
    finish: str = ""
    """Why it ended; empty while it has not."""
    failed_call: str = ""
    """What the server says of a call that it could not read itself."""
    prompt: int = 0
    """Tokens; 0 where the server does not tell."""
    cached: int = 0
    output: int = 0
    prompt_seconds: float = 0.0
    """As the server measured it; 0 where it does not tell."""
    output_seconds: float = 0.0


def joined(events: Iterable[ModelEvent]) -> Iterator[ModelEvent]:
    """What came together, neighbouring pieces of a text as one; also what came before an error."""
    came: list[ModelEvent] = []
    try:
        for event in events:
            came.append(event)
    finally:
        for kind, those in groupby(came, type):
            if kind is TextDelta or kind is ReasoningDelta:
                pieces = (
                    piece.text for piece in those if isinstance(piece, TextDelta | ReasoningDelta)
                )
                yield kind("".join(pieces))
            else:
                yield from those


class Reader(Protocol):
    """Puts an answer together from its lines."""

    written: Written

    def feed(self, line: bytes) -> Iterator[ModelEvent]:
        """Take one line.

        Raises:
            Refused: The server reports an error in the middle of its answer.
            ConnectionLost: The line is not what it should be.
        """
        ...


class ChatReader:
    """Reads OpenAI's chunks, or one whole answer from a server that does not stream."""

    def __init__(self) -> None:
        self.written = Written()

    def feed(self, line: bytes) -> Iterator[ModelEvent]:
        if line.startswith(b"data:"):
            line = line[5:].strip()
        elif not line.startswith(b"{"):
            return  # comments, names of events, the empty lines between them
        if not line or line == b"[DONE]":
            return
        chunk = _object(line)
        if chunk.get("error"):
            raise Refused(_status(chunk["error"]), reason_of(chunk))
        yield from self._progress(chunk.get("prompt_progress"))
        self._figures(chunk)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                said = choice.get("delta") or choice.get("message")
                yield from self._said(said if isinstance(said, dict) else {})
                self.written.finish = str(choice.get("finish_reason") or self.written.finish)

    def _said(self, said: Json) -> Iterator[ModelEvent]:
        thought = said.get("reasoning_content") or said.get("reasoning")
        if isinstance(thought, str) and thought:
            self.written.reasoning += thought
            yield ReasoningDelta(thought)
        if text := _text(said.get("content")):
            self.written.text += text
            yield TextDelta(text)
        calls = said.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            if isinstance(piece, dict):
                self._call(piece)

    def _call(self, piece: Json) -> None:
        calls, index = self.written.calls, piece.get("index")
        named = piece.get("id")
        if not isinstance(index, int):
            # Some servers leave it out: an id that is new begins a call.
            begins = not calls or (named and named != calls[-1].id)
            index = len(calls) if begins else len(calls) - 1
        while len(calls) <= min(index, 255):
            calls.append(WrittenCall())
        call = calls[min(index, 255)]
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call.id = str(named or call.id)
        # A name comes whole, and some servers repeat it with every piece.
        call.name = str(function.get("name") or call.name)
        call.arguments += _arguments(function.get("arguments"))

    def _figures(self, chunk: Json) -> None:
        written, usage, timings = self.written, chunk.get("usage"), chunk.get("timings")
        if isinstance(usage, dict):
            details = usage.get("prompt_tokens_details")
            written.prompt = _int(usage.get("prompt_tokens")) or written.prompt
            written.output = _int(usage.get("completion_tokens")) or written.output
            if isinstance(details, dict):
                written.cached = _int(details.get("cached_tokens"))
        if isinstance(timings, dict):  # llama.cpp's
            written.cached = _int(timings.get("cache_n")) or written.cached
            written.prompt_seconds = _float(timings.get("prompt_ms")) / 1e3
            written.output_seconds = _float(timings.get("predicted_ms")) / 1e3

    def _progress(self, progress: object) -> Iterator[ModelEvent]:
        if isinstance(progress, dict):  # llama.cpp's
            cached = _int(progress.get("cache"))
            total, done = _int(progress.get("total")), _int(progress.get("processed"))
            yield Reading(max(0, done - cached), max(0, total - cached))


class OllamaReader:
    """Reads Ollama's lines."""

    def __init__(self) -> None:
        self.written = Written()

    def feed(self, line: bytes) -> Iterator[ModelEvent]:
        if not line.strip():
            return
        chunk, written = _object(line), self.written
        if chunk.get("error"):
            raise Refused(500, reason_of(chunk))
        said = chunk.get("message")
        said = said if isinstance(said, dict) else {}
        if thought := _text(said.get("thinking")):
            written.reasoning += thought
            yield ReasoningDelta(thought)
        if text := _text(said.get("content")):
            written.text += text
            yield TextDelta(text)
        calls = said.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            function = piece.get("function") if isinstance(piece, dict) else None
            if isinstance(function, dict):
                arguments = _arguments(function.get("arguments"))
                name, id = str(function.get("name") or ""), str(piece.get("id") or "")
                written.calls.append(WrittenCall(id, name, arguments))
        if chunk.get("done"):
            written.finish = str(chunk.get("done_reason") or "stop")
            written.prompt = _int(chunk.get("prompt_eval_count"))
            written.output = _int(chunk.get("eval_count"))
            written.prompt_seconds = _float(chunk.get("prompt_eval_duration")) / 1e9
            written.output_seconds = _float(chunk.get("eval_duration")) / 1e9


def _object(line: bytes) -> Json:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ConnectionLost("The server's answer holds an event that is not JSON.") from error
    if not isinstance(value, dict):
        raise ConnectionLost("The server's answer holds an event that is no object.")
    return value


def _text(value: object) -> str:
    """A content: text, or a list of parts of which some are."""
    if isinstance(value, str):
        return value
    parts: Sequence[object] = value if isinstance(value, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def _arguments(value: object) -> str:
    """Arguments as JSON, in whichever of the two ways a server gives them."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _status(error: object) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def _int(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _float(value: object) -> float:
    return max(0.0, float(value)) if isinstance(value, int | float) else 0.0
