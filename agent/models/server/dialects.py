"""The two interfaces: what a request looks like, who reads its answer.

Must not know connections, nor what becomes of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agent.models.base import Sampling
from agent.models.server.chat import Json, one_call, sampling_fields
from agent.models.server.discovery import Kind
from agent.models.server.stream import ChatReader, OllamaReader, Reader
from tools.base import ToolSpec


class Choice(StrEnum):
    """How free an answer is."""

    FREE = "free"
    CALL = "call"
    """It must be one tool call, and the server holds it to its schema."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One request, in the parts that both interfaces have."""

    rows: list[Json]
    """The messages."""
    functions: list[Json]
    """The tools that are offered in the request; none where they are text."""
    tools: tuple[ToolSpec, ...]
    """All that are offered, either way."""
    sampling: Sampling | None
    """None leaves it to the server."""
    max_tokens: int
    stop: tuple[str, ...] = ()
    choice: Choice = Choice.FREE

    @property
    def stops(self) -> list[str]:
        """Where tools are text, an answer that goes on to a result has invented it."""
        as_text = self.tools and not self.functions
        return [*self.stop, *(["<result tool="] if as_text else [])]


class Dialect(Protocol):
    """One interface."""

    @property
    def path(self) -> str:
        """Behind the API's path, or from the server's root where it begins so."""
        ...

    @property
    def optional(self) -> frozenset[str]:
        """Fields that a server may refuse and that a request can do without."""
        ...

    def body(self, wish: Wish) -> Json: ...

    def reader(self) -> Reader: ...


@dataclass(frozen=True, slots=True)
class OpenAi:
    """Chat completions, with what single servers add to them."""

    model: str
    kind: Kind
    path: str = "/chat/completions"
    optional: frozenset[str] = frozenset(
        ("stream_options", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "max_tokens",
         "repetition_penalty", "repeat_penalty", "return_progress")
    )  # fmt: skip

    def body(self, wish: Wish) -> Json:
        body: Json = {"model": self.model, "messages": wish.rows}
        if wish.functions:
            body["tools"] = wish.functions
        if wish.choice is Choice.CALL and wish.functions:
            body["tool_choice"] = "required"
        elif wish.choice is Choice.CALL:
            schema = {"name": "call", "schema": one_call(wish.tools), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        body["max_tokens"] = wish.max_tokens
        if wish.sampling is not None:
            fields = sampling_fields(wish.sampling)
            if self.kind is Kind.VLLM and "repeat_penalty" in fields:
                fields["repetition_penalty"] = fields.pop("repeat_penalty")
            body |= fields
        if wish.stops:
            body["stop"] = wish.stops
        if self.kind is Kind.LLAMA:
            body["return_progress"] = True
        return body

    def reader(self) -> Reader:
        return ChatReader()


@dataclass(frozen=True, slots=True)
class Ollama:
    """Ollama's own API: its imitation of OpenAI's ignores the window that is asked for."""

    model: str
    context: int
    path: str = "/api/chat"
    optional: frozenset[str] = frozenset()

    def body(self, wish: Wish) -> Json:
        options: Json = {"num_ctx": self.context, "num_predict": wish.max_tokens}
        options |= sampling_fields(wish.sampling) if wish.sampling is not None else {}
        if wish.stops:
            options["stop"] = wish.stops
        body: Json = {"model": self.model, "messages": wish.rows, "stream": True}
        # Neither at its beginning nor at its end is a conversation to lose anything.
        body |= {"truncate": False, "shift": False, "options": options}
        if wish.functions:
            body["tools"] = wish.functions
        if wish.choice is Choice.CALL:
            body["format"] = one_call(wish.tools)
        return body

    def reader(self) -> Reader:
        return OllamaReader()
