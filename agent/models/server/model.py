"""A model that a server answers for.

Owns the course of one answer: asking, leaving out what the server does not take, the ladder of
tool calls, the check that nothing was dropped, the figures. Must not know HTTP, nor what either
interface looks like.

The ladder: tools in the request where the server takes them; the text's own calls, in our format
or the one a model was trained on; one more try, in which the server holds the answer to the schema
of a call. Both tries read the same messages, so the second reads nothing anew.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import chain

from agent.errors import AnswerRefused, ConnectionLost, ContextOverflow, ModelError, ServerFailed
from agent.messages import AssistantMessage
from agent.models.base import (
    Answer,
    ModelEvent,
    ModelSpec,
    Reading,
    Request,
    Sampling,
    StopReason,
    Usage,
)
from agent.models.server.attempt import Attempt, Meter
from agent.models.server.chat import Style, functions, messages
from agent.models.server.dialects import Choice, Dialect, Wish
from agent.models.server.discovery import Found, Kind
from agent.models.server.faults import error_of, is_failed_call, lacks_tools, objects_to
from agent.models.server.reading import message_of
from agent.models.server.stream import Written, joined
from agent.models.server.truncation import words
from agent.models.server.wire import USUAL, Exchange, Refused, Timeouts
from tools.base import Cancel
from tools.errors import Cancelled

LEAST_ANSWER = 256
"""Tokens that are asked for however full the window seems: the server knows better."""
_VARIED = Sampling(temperature=0.7, top_p=0.95)
_REASONING = {Kind.LLAMA: "reasoning_content", Kind.OLLAMA: "thinking"}
"""Where a model's own thoughts are given back, by the servers that are known to take them."""


class ServerModel:
    """Implements `agent.models.base.Model`."""

    def __init__(
        self,
        found: Found,
        dialect: Dialect,
        spec: ModelSpec,
        *,
        key: str = "",
        advised: bool = True,
        timeouts: Timeouts = USUAL,
    ) -> None:
        """Make ready; nothing is asked yet.

        Args:
            found: The server and its model.
            dialect: How it is spoken to.
            spec: The model's properties.
            key: Sent to this server and to no other.
            advised: Whether the sampling of `spec` is to be sent, or left to the server.
            timeouts: How long it may be silent.
        """
        self.found, self._dialect, self._spec = found, dialect, spec
        self._key, self._advised, self._timeouts = key, advised, timeouts
        self._native = found.tools is not False
        self._refused: set[str] = set()
        """Optional fields that the server does not take."""
        self._constrains = True
        self._meter = Meter()
        self._open: Exchange | None = None

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def count(self, text: str) -> int:
        """An estimate, by what the server counted last."""
        return self._meter.estimate(len(text))

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        """Ask.

        Raises:
            ContextOverflow: The request is too long, or the server dropped a part of it.
            ServerError: See its family in `agent.errors`.
        """
        attempt = Attempt()
        try:
            yield from self._ask(request, cancel, attempt)
            self._check(attempt)
            if self._ignores_tools(attempt, request):
                self._native = False
                yield from self._ask(request, cancel, attempt)
        except Cancelled:
            yield self._cancelled(attempt, request)
            return
        except ModelError as error:
            if attempt.written.prompt:  # else the server told nothing that could be counted
                error.having_taken(self._meter.usage(attempt))
            raise
        message = self._message(attempt.written, request)
        stop = StopReason.LENGTH if attempt.written.finish == "length" else StopReason.END
        usage = self._meter.usage(attempt)
        if self._worth_another(message, stop, request):
            try:
                again = yield from self._constrained(request, cancel)
            except Cancelled:
                yield self._cancelled(attempt, request)
                return
            if again is not None:
                mended = replace(again[0], mended=message.malformed)
                message, usage = mended, usage + again[1]
        self._meter.known = usage.prompt + usage.output
        yield Answer(message, usage, stop)

    def close(self) -> None:
        """Break off what is under way."""
        exchange, self._open = self._open, None
        if exchange is not None:
            exchange.leave()

    # --- asking

    def _ask(self, request: Request, cancel: Cancel, attempt: Attempt) -> Iterator[ModelEvent]:
        """Ask until the server takes the request; each round leaves out what it does not take."""
        while True:
            try:
                yield from self._exchange(request, cancel, attempt, Choice.FREE)
                return
            except Refused as refused:
                if is_failed_call(refused) and request.tools:
                    attempt.written.failed_call = refused.message
                    return
                if not self._adapt(refused, request):
                    address, name = self.found.address, self.found.model
                    raise error_of(refused, address, name) from refused

    def _exchange(
        self, request: Request, cancel: Cancel, attempt: Attempt, choice: Choice
    ) -> Iterator[ModelEvent]:
        reader = self._dialect.reader()
        attempt.written, attempt.started, attempt.first = reader.written, time.monotonic(), 0.0
        wish = self._wish(request, choice)
        attempt.words = words(wish.rows)
        attempt.characters = len(repr(wish.rows)) + len(repr(wish.functions))
        if attempt.words > self._spec.context:
            raise ContextOverflow(
                f"The conversation has at least {attempt.words} tokens, the window of "
                f"{self._spec.name} holds {self._spec.context}."
            )
        room = self._spec.context - int(self._meter.estimate(attempt.characters) * 1.1)
        most = min(request.max_tokens, max(room, LEAST_ANSWER))
        body = self._dialect.body(replace(wish, max_tokens=most))
        if "max_tokens" in self._refused:
            body["max_completion_tokens"] = body["max_tokens"]
        body = {name: value for name, value in body.items() if name not in self._refused}
        address, path = self.found.address, self._dialect.path
        whole = path if path.startswith("/api/") else address.path + path
        self._open = Exchange(address, whole, body, self._key)
        for lines in self._open.lines(cancel, self._timeouts):
            for event in joined(chain.from_iterable(map(reader.feed, lines))):
                if not attempt.first and not isinstance(event, Reading):
                    attempt.first = time.monotonic()
                yield event
        match attempt.written.finish:
            case "":
                raise ConnectionLost(f"The answer of {address} broke off.")
            case "content_filter":
                raise AnswerRefused(f"A content filter of {address} stopped the answer.")
            case "error" | "abort" | "load" | "unload":
                raise ServerFailed(f"{address} broke the answer off.")

    def _wish(self, request: Request, choice: Choice) -> Wish:
        kind, name = self.found.kind, self._spec.name
        style = Style(name, self._native, _REASONING.get(kind, ""), kind is Kind.OLLAMA)
        return Wish(
            messages(request.messages, request.tools, style),
            functions(request.tools) if self._native else [],
            request.tools,
            self._sampling(request),
            request.max_tokens,
            request.stop,
            choice,
        )

    def _sampling(self, request: Request) -> Sampling | None:
        varied = (
            [call.variant for call in request.form.calls if call.original] if request.form else []
        )
        if varied:  # it cannot be told where it doubts: chance finds other answers
            return replace(_VARIED, seed=varied[0] + 1)
        own = request.sampling == self._spec.sampling
        return None if own and not self._advised else request.sampling

    def _adapt(self, refused: Refused, request: Request) -> bool:
        """Leave out what the server objects to; whether there was anything."""
        for field in sorted(self._dialect.optional - self._refused):
            if objects_to(refused, field):
                self._refused.add(field)
                return True
        if self._native and request.tools and lacks_tools(refused):
            self._native = False
            return True
        return False

    # --- the ladder

    def _ignores_tools(self, attempt: Attempt, request: Request) -> bool:
        """Whether the first prompt was counted shorter than the tools in it."""
        written = attempt.written
        if (
            not (self._native and request.tools and written.prompt)
            or self._meter.known
            or written.calls
        ):
            return False
        offered = [(tool.name, tool.description, *tool.parameters) for tool in request.tools]
        return written.prompt < (attempt.words + words(offered)) * 0.9

    def _worth_another(self, message: AssistantMessage, stop: StopReason, request: Request) -> bool:
        malformed = bool(message.malformed) and not message.calls
        return malformed and stop is StopReason.END and bool(request.tools) and self._constrains

    def _constrained(
        self, request: Request, cancel: Cancel
    ) -> Generator[ModelEvent, None, tuple[AssistantMessage, Usage] | None]:
        """Ask again for one call, the form of which the server holds; None if that is no help."""
        attempt = Attempt()
        try:
            for event in self._exchange(request, cancel, attempt, Choice.CALL):
                if isinstance(event, Reading):
                    yield event
        except Refused:
            self._constrains = False
            return None
        except ModelError:
            return None  # what the first try came to still stands
        message = self._message(attempt.written, request)
        return (message, self._meter.usage(attempt)) if message.calls else None

    def _message(
        self, written: Written, request: Request, *, cut: bool = False
    ) -> AssistantMessage:
        short = cut or written.finish == "length"
        return message_of(written, request.tools, request.form, self._spec.name, cut=short)

    def _check(self, attempt: Attempt) -> None:
        """Stop when the server has not read all that it was sent."""
        dropped = self._meter.dropped(attempt)
        if dropped:
            raise ContextOverflow(
                f"{self.found.address} has read {attempt.written.prompt} tokens of the "
                f"conversation and dropped about {dropped}: its window is too small. Start it "
                "with a longer context, or give a shorter task."
            )

    def _cancelled(self, attempt: Attempt, request: Request) -> Answer:
        message = self._message(attempt.written, replace(request, form=None), cut=True)
        return Answer(message, self._meter.usage(attempt), StopReason.CANCELLED)
