"""From the events of one streamed message to what was said.

Owns when a message counts as said, and what becomes of a call that was cut: it is told, never
repaired, never run. Must not know how events travel, nor how a request was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from agent.messages import ToolCall
from agent.models.base import CallDelta, ModelEvent, ReasoningDelta, TextDelta, Usage
from agent.models.claude.request import Block

if TYPE_CHECKING:
    from anthropic.types import (
        MessageDeltaUsage,
        RawContentBlockDelta,
        RawMessageStreamEvent,
        RefusalStopDetails,
    )
    from anthropic.types import Usage as Counted

_CUT = "A call of {} was cut short; it was not run."


@dataclass(slots=True)
class Heard:
    """One message as far as it has come."""

    text: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    """The content to send back: as it came, but for calls that were cut."""
    usage: Usage = field(default_factory=Usage)
    """Without times."""
    stop: str | None = None
    """The API's `stop_reason`."""
    refusal: RefusalStopDetails | None = None
    finished: bool = False
    """Whether the message's end has come; before it nothing of it is to be acted on."""
    _inputs: dict[int, str] = field(default_factory=dict)
    """The arguments of each call so far, by the number of its block."""
    _closed: set[int] = field(default_factory=set)

    def hear(self, event: RawMessageStreamEvent) -> Iterator[ModelEvent]:
        """Take in the next event; what of it is worth showing."""
        if event.type == "message_start":
            self._count(event.message.usage)
        elif event.type == "content_block_start":
            block: Block = event.content_block.to_dict()
            self.blocks.append(block)
            if block["type"] == "tool_use":
                self._inputs[event.index] = ""
                yield CallDelta(block["name"], "")
        elif event.type == "content_block_delta":
            yield from self._grow(event.index, event.delta)
        elif event.type == "content_block_stop":
            self._closed.add(event.index)
        elif event.type == "message_delta":
            self.stop, self.refusal = event.delta.stop_reason, event.delta.stop_details
            self._count(event.usage)
        elif event.type == "message_stop":
            self._finish()
        # A newer server may send events of other kinds; they change nothing of these.

    def _grow(self, index: int, delta: RawContentBlockDelta) -> Iterator[ModelEvent]:
        block = self.blocks[index]
        if delta.type == "text_delta":
            block["text"] += delta.text
            self.text += delta.text
            yield TextDelta(delta.text)
        elif delta.type == "thinking_delta":
            block["thinking"] += delta.thinking
            self.reasoning += delta.thinking
            yield ReasoningDelta(delta.thinking)
        elif delta.type == "signature_delta":
            block["signature"] = delta.signature
        elif delta.type == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + delta.partial_json
            yield CallDelta(block.get("name", ""), delta.partial_json)
        elif delta.type == "citations_delta":
            pass  # of documents and searches, which are never asked for
        else:
            assert_never(delta)

    def _count(self, counted: Counted | MessageDeltaUsage) -> None:
        """Later counts are totals; those that are absent leave the earlier ones."""
        before = self.usage
        reused = _or(counted.cache_read_input_tokens, before.reused)
        written = _or(counted.cache_creation_input_tokens, before.cache_written)
        plain = _or(counted.input_tokens, before.evaluated - before.cache_written)
        output = _or(counted.output_tokens, before.output)
        self.usage = Usage(
            prompt=reused + written + plain,
            reused=reused,
            evaluated=written + plain,
            output=output,
            sampled=output,
            cache_written=written,
        )

    def _finish(self) -> None:
        self.finished = True
        last = len(self.blocks) - 1
        for index, text in self._inputs.items():
            block = self.blocks[index]
            if block["type"] != "tool_use":
                block["input"] = _arguments(text) or {}
                continue
            whole = index in self._closed and not (
                # Without arguments and cut is told from without arguments only by what follows.
                not text and index == last and self.stop in ("max_tokens", None)
            )
            arguments = _arguments(text) if whole and text else (block["input"] if whole else None)
            if arguments is None:
                line = _CUT.format(block["name"])
                self.malformed.append(line)
                self.blocks[index] = {"type": "text", "text": f"[{line}]"}
            else:
                block["input"] = arguments
                self.calls.append(ToolCall(block["id"], block["name"], arguments))
        # Thinking that was cut has no signature, and would be refused when it came back.
        self.blocks = [
            block for block in self.blocks if block["type"] != "thinking" or block["signature"]
        ]


def _arguments(text: str) -> dict[str, object] | None:
    """A call's arguments; None if they are not whole."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
