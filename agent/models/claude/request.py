"""From a provider-neutral history to the body of a Messages request.

Owns what is sent, in which order, and where the cache's breakpoints lie. The same history always
gives the same blocks, so a longer one only adds to what a shorter one gave. Must not know how a
request travels.

Thinking is bound to the model that wrote it and to all that stood before it. An assistant message
therefore carries its original blocks beside a digest of what they answered; if either the model or
that digest is another, its text and calls are sent and its thinking is left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import Request
from agent.models.claude.known import Card
from agent.models.claude.schema import strict
from tools.base import ToolSpec

if TYPE_CHECKING:
    from anthropic.types import MessageParam, ToolParam
    from anthropic.types.message_create_params import MessageCreateParamsStreaming

LOOK_BACK = 20
"""Blocks before a breakpoint that the cache searches for an earlier one's entry."""
CACHED = {"type": "ephemeral"}
_UNANSWERED = "This was not run: the step was interrupted."

Block = dict[str, Any]
"""One content block, as the API has it."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request as it is sent."""

    params: MessageCreateParamsStreaming
    digest: str
    """Of everything that an answer to it stands on."""


def build(
    request: Request, card: Card, model: str, thinking: str | None, effort: str | None
) -> Body:
    """The body of a request.

    Args:
        card: What is known of the model.
        model: The name to ask for.
        thinking: The value of `thinking.type`; None to send none.
        effort: The level of `output_config.effort`; None for the model's own.
    """
    head, rest = _split(request.messages)
    tools = [_tool(spec) for spec in request.tools]
    rendered = _Rendered(model, hashlib.sha256(_bytes([tools, head])))
    for message in rest:
        rendered.add(message)
    messages = list(rendered.messages)
    _bridge(messages, rendered.last_own)
    # In the SDK's order, so that both write the same bytes.
    params: dict[str, Any] = {
        "max_tokens": min(request.max_tokens, card.max_output),
        "messages": messages,
        "model": model,
        "cache_control": CACHED,
    }
    if effort is not None:
        params["output_config"] = {"effort": effort}
    if request.stop:
        params["stop_sequences"] = list(request.stop)
    params["stream"] = True
    if head:
        params["system"] = [{"type": "text", "text": head, "cache_control": CACHED}]
    if thinking == "adaptive":
        params["thinking"] = {"type": "adaptive", "display": "summarized"}
    elif thinking is not None:
        params["thinking"] = {"type": thinking}
    if tools:
        params["tools"] = tools
    return Body(cast("MessageCreateParamsStreaming", params), rendered.digest)


def continued(body: Body, blocks: Sequence[Block]) -> Body:
    """The request that lets a paused answer go on."""
    messages = [*body.params["messages"], {"role": "assistant", "content": list(blocks)}]
    params = cast("MessageCreateParamsStreaming", {**body.params, "messages": messages})
    return Body(params, body.digest)


def encode(params: Mapping[str, Any]) -> bytes:
    """The bytes of a body, as the SDK writes them."""
    return _bytes(params)


def kept(digest: str, blocks: Sequence[Block]) -> str:
    """What an assistant message keeps of an answer: its blocks and what they stand on."""
    return json.dumps({"after": digest, "content": blocks}, ensure_ascii=False)


@dataclass(slots=True)
class _Rendered:
    """Messages of the API, grown one of ours at a time, with a running digest."""

    model: str
    _hash: hashlib._Hash
    messages: list[MessageParam]
    last_own: int
    """The place of the last message that the model wrote itself; 0: there is none."""
    _open: list[tuple[str, str]]
    """The unanswered calls of the last answer: the id in the history and the one sent."""

    def __init__(self, model: str, digest: hashlib._Hash) -> None:
        self.model, self._hash = model, digest
        self.messages, self.last_own, self._open = [], 0, []

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:32]

    def add(self, message: Message) -> None:
        match message:
            case AssistantMessage():
                if message.model == self.model:
                    self.last_own = len(self.messages)
                self._append("assistant", self._assistant(message))
            case ToolMessage(results):
                self._append("user", list(self._results(results)))
            case UserMessage(text) | SystemMessage(text):
                self._append("user", [*self._unanswered(), *_text(text)])

    def _append(self, role: str, blocks: list[Block]) -> None:
        if blocks:
            self.messages.append(cast("MessageParam", {"role": role, "content": blocks}))
            self._hash.update(_bytes(blocks))

    def _assistant(self, message: AssistantMessage) -> list[Block]:
        own = self._own(message)
        if own is not None:
            self._open = [(b["id"], b["id"]) for b in own if b["type"] == "tool_use"]
            return own
        # Another model's ids may have any form, and may come again: the place is unique.
        place = len(self.messages)
        ids = [f"call_{place}_{number}" for number in range(1, len(message.calls) + 1)]
        self._open = [(call.id, id) for call, id in zip(message.calls, ids, strict=True)]
        calls = [
            {"type": "tool_use", "id": id, "name": call.name, "input": _clean(call.arguments)}
            for call, id in zip(message.calls, ids, strict=True)
        ]
        return [*_text(message.text), *calls]

    def _own(self, message: AssistantMessage) -> list[Block] | None:
        """The original blocks, if this model wrote them in answer to exactly this."""
        if message.model != self.model or not message.provider:
            return None
        state = json.loads(message.provider)
        content: list[Block] = state["content"]
        return content if state["after"] == self.digest else None

    def _results(self, outputs: Iterable[ToolOutput]) -> Iterator[Block]:
        """Results first, in any order of theirs; then what belongs to no call."""
        other: list[Block] = []
        for output in outputs:
            pair = next((pair for pair in self._open if pair[0] == output.call_id), None)
            if pair is None:
                other += _text(output.output)
            else:
                self._open.remove(pair)
                yield _result(pair[1], _clean(output.output), output.ok)
        yield from self._unanswered()
        yield from other

    def _unanswered(self) -> Iterator[Block]:
        for _, id in self._open:
            yield _result(id, _UNANSWERED, ok=False)
        self._open = []


def _split(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """The system prompt and the rest."""
    if messages and isinstance(messages[0], SystemMessage):
        return _clean(messages[0].text), messages[1:]
    return "", messages


def _tool(spec: ToolSpec) -> ToolParam:
    return {
        "name": spec.name,
        "description": spec.description,
        "input_schema": strict(spec.schema),
        "strict": True,
    }


def _result(id: str, text: str, ok: bool) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": id, "content": text}
    return block if ok else {**block, "is_error": True}


def _bridge(messages: list[MessageParam], answer: int) -> None:
    """Mark where the request before this one ended, if the last breakpoint cannot see that far.

    Args:
        answer: The place of its answer; 0: there was none.
    """
    since = sum(len(cast("list[Block]", message["content"])) for message in messages[answer:])
    if answer and since >= LOOK_BACK - 1:
        before = messages[answer - 1]
        *blocks, last = cast("list[Block]", before["content"])
        marked = {**before, "content": [*blocks, {**last, "cache_control": CACHED}]}
        messages[answer - 1] = cast("MessageParam", marked)


def _text(text: str) -> list[Block]:
    """A block of text; none for what the API would refuse as empty."""
    return [{"type": "text", "text": _clean(text)}] if text.strip() else []


def _clean(value: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    """The value without lone surrogates, which stand for bytes that are no UTF-8."""
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case float() if not math.isfinite(value):
            return str(value)
        case list() | tuple():
            return [_clean(item) for item in value]
        case Mapping():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case _:
            return value


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
