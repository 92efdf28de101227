"""The budget of the context window: how full it is, for any model, and what is left out in time.

Owns the count of a conversation's tokens, the forecast of a request and the decision when to
shorten it; `compaction` owns how. Must not know how a model is asked, nor who steers.

What a request took is known from the usage that the model told, so only the messages since are
counted, by the model's own tokenizer where it is at hand. Elsewhere that count is an estimate; a
provider that counts for nothing is asked only where the estimate's error would decide something.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.equipment import Equipment
from agent.events import Compacted, ContextMeter
from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
    answered,
)
from agent.models import text_calls
from agent.models.base import Counting, Device, Model, Request, Usage
from tools.base import ToolSpec

MARKS = 8
"""Tokens that a chat template puts around a message."""
LARGEST_RESERVE = 0.25
"""The part of the window that may be kept free for an answer, however long it may be."""
TARGET = 0.6
"""The part of the room that a conversation takes after its compaction, at most."""
CACHE_SECONDS = 300.0
"""How long a provider surely keeps a prefix that was just used."""
DOUBT = 0.25
"""The part of an estimate that may be wrong."""


@dataclass(slots=True)
class _Asked:
    """The last request that a model answered."""

    messages: int
    """How many are still what they were, of those asked and the answer."""
    usage: Usage
    at: float
    """As `time.monotonic` has it."""


@dataclass(frozen=True, slots=True)
class _Estimate:
    """What a request's prompt will take."""

    prompt: int
    doubt: int
    """By how many tokens that may be wrong."""
    reused: int
    writes: bool
    """Whether what is read anew is written to a cache that is paid for."""

    def usage(self, more: int = 0) -> Usage:
        """As a usage, with so many tokens more."""
        prompt = max(self.reused, self.prompt + more)
        fresh = prompt - self.reused
        return Usage(prompt, self.reused, fresh, fresh, cache_written=fresh if self.writes else 0)


class Context:
    """How full the windows of the models of one conversation are."""

    def __init__(self) -> None:
        self._measured: dict[str, list[tuple[int, int]]] = {}
        """For each model's name: how many messages, and the tokens that they took."""
        self._counted: dict[str, tuple[list[Message], int]] = {}
        """For each model's name: messages that it was had to count, and their tokens."""
        self._asked: dict[str, _Asked] = {}
        self._read: dict[str, Usage] = {}
        self._ceilings: dict[str, int] = {}
        """Windows that proved smaller than the model's properties say."""

    def used(self, history: Sequence[Message], by: Equipment) -> int:
        """Tokens that a request with this history takes."""
        return sum(self._parts(history, by))

    def held(self, history: Sequence[Message], by: Equipment) -> int:
        """Tokens of such a request that the model's cache surely holds; a server may forget."""
        return self._kept(history, by) if by.model.spec.device is not Device.ELSEWHERE else 0

    def forecast(
        self, history: Sequence[Message], by: Equipment, fits: Callable[[Usage], bool]
    ) -> Usage:
        """The usage that a request with this history will have, without its answer.

        What the last request sent is read from the provider's cache if the provider cached then
        and has had no time to forget it; all else is read anew and written to the cache.

        Args:
            fits: What is decided by it. Where the estimate's error could turn the decision, the
                provider is asked to count, if it does so.
        """
        expected = self._expected(history, by)
        less, more = expected.usage(-expected.doubt), expected.usage(expected.doubt)
        if fits(less) != fits(more) and self._have_counted(history, by):
            expected = self._expected(history, by)
        return expected.usage()

    def speed(self, model: Model) -> float | None:
        """Prompt tokens that the model reads in a second, as measured; None: not yet."""
        usage = self._read.get(model.spec.name)
        if usage is None or not usage.prompt_seconds or not usage.evaluated:
            return None
        return usage.evaluated / usage.prompt_seconds

    def reserve(self, model: Model, answer: int) -> int:
        """Tokens to keep free for an answer that may take `answer`."""
        return min(answer, int(self._window(model) * LARGEST_RESERVE))

    def longest(self, history: Sequence[Message], by: Equipment, answer: int) -> int:
        """Tokens that an answer may have: `answer`, or what the window leaves."""
        left = self._window(by.model) - self.used(history, by)
        return max(min(answer, left), self.reserve(by.model, answer))

    def learn(self, name: str, usage: Usage) -> None:
        """Take in how fast a model reads."""
        self._read[name] = self._read.get(name, Usage()) + usage

    def measure(
        self,
        history: Sequence[Message],
        by: Equipment,
        usage: Usage,
        answer: int,
        *,
        read: bool = True,
    ) -> ContextMeter:
        """Take in what a step took.

        Args:
            history: It ends with the answer.
            by: Who gave it.
            usage: As the model told.
            answer: Tokens that it might have had.
            read: Whether the step's prompt was the history.
        """
        model = by.model
        name = model.spec.name
        self.learn(name, usage)
        if read and usage.prompt and usage.output:  # else it was stopped, perhaps within the prompt
            used = usage.prompt + usage.output
            marks = [(len(history) - 1, usage.prompt), (len(history), used)]
            self._measured.setdefault(name, []).extend(marks)
            self._asked[name] = _Asked(len(history), usage, time.monotonic())
        used = self.used(history, by)
        reused = usage.reused / usage.prompt if usage.prompt else 0.0
        return ContextMeter(used, self.reserve(model, answer), self._window(model), reused)

    def cut(self, messages: int) -> None:
        """Of the history only so many messages at its beginning are still what they were."""
        for name, marks in self._measured.items():
            self._measured[name] = [mark for mark in marks if mark[0] <= messages]
        for asked in self._asked.values():
            asked.messages = min(asked.messages, messages)

    def forget(self, model: Model) -> None:
        """Nothing is known any more of what the model's requests take, nor in its cache."""
        for known in (self._measured, self._counted, self._asked):
            known.pop(model.spec.name, None)

    def fit(
        self,
        history: Sequence[Message],
        task: int,
        by: Equipment,
        answer: int,
        changed: Callable[[], Iterable[str]],
        tested: str,
        *,
        refused: bool = False,
        asked: bool = False,
    ) -> Compacted | None:
        """What to leave out so that the next request fits; None: nothing, or nothing can be.

        Args:
            history: All that the request would hold.
            task: The place in it where the present task is told.
            by: The model that is to be asked, with its tools and its steering.
            answer: Tokens that the answer may take.
            changed: Tells the files that were changed so far; asked only where it matters.
            tested: The last test result; empty: there is none.
            refused: The model said that a request with this history is too long.
            asked: The user wants it shorter, although it fits.
        """
        model, tools = by.model, by.offered
        room = self._window(model) - self.reserve(model, answer)
        if refused or asked:
            used = self.used(history, by)
        else:
            used = self.forecast(history, by, lambda usage: usage.prompt <= room).prompt
            if used <= room:
                return None
        if refused:
            self._ceilings[model.spec.name] = min(used, self._window(model))
            room = self._window(model) - self.reserve(model, answer)
        from agent.compaction import compact  # 2 ms; most conversations never fill a window

        def size(message: Message) -> int:
            return _size(message, model, tools)

        # The tools are described in every request, however short its history is.
        fixed = max(0, used - sum(map(size, history)))
        target = int(min(room, used) * TARGET) - fixed
        shorter = compact(history, task, target, size, by.opening, changed(), tested)
        first = _shared(history, shorter)
        last = _shared(history[first:][::-1], shorter[first:][::-1])
        after = fixed + sum(map(size, shorter))
        if after >= used:
            return None
        reason = "the model refused more" if refused else "the window is nearly full"
        if asked:
            reason = "as you asked"
        inserted = tuple(shorter[first : len(shorter) - last])
        return Compacted(reason, len(history), len(shorter), used, after, first, inserted)

    def _window(self, model: Model) -> int:
        return self._ceilings.get(model.spec.name, model.spec.context)

    def _parts(self, history: Sequence[Message], by: Equipment) -> tuple[int, int]:
        """Tokens of such a request that were measured, and those that are estimated."""
        model, tools = by.model, by.offered
        marks = reversed(self._measured.get(model.spec.name, ()))
        at, known = next((mark for mark in marks if mark[0] <= len(history)), (0, 0))
        if counted := self._counted.get(model.spec.name):
            messages, tokens = counted
            if len(messages) > at and list(history[: len(messages)]) == messages:
                at, known = len(messages), tokens
        rest = sum(_size(message, model, tools) for message in history[at:])
        return known, rest if at else rest + _tools_size(model, tools)

    def _kept(self, history: Sequence[Message], by: Equipment) -> int:
        """Tokens of such a request that the last one of this model held, or its answer."""
        asked = self._asked.get(by.model.spec.name)
        return self.used(history[: asked.messages], by) if asked and asked.messages else 0

    def _expected(self, history: Sequence[Message], by: Equipment) -> _Estimate:
        known, rest = self._parts(history, by)
        kept, spec = self._kept(history, by), by.model.spec
        if spec.tariff is not None and kept:
            last = self._asked[spec.name]
            warm = last.usage.reused or last.usage.cache_written
            recent = time.monotonic() - last.at < CACHE_SECONDS
            kept = min(kept, last.usage.prompt) if warm and recent else 0
        return _Estimate(known + rest, int(rest * DOUBT), kept, spec.tariff is not None)

    def _have_counted(self, history: Sequence[Message], by: Equipment) -> bool:
        """Let the provider count such a request; whether it did."""
        model = by.model
        if not isinstance(model, Counting):
            return False
        messages = answered(history) if by.steering.offers_tools else tuple(history)
        counted = model.count_request(Request(messages, by.offered))
        if counted is not None:
            self._counted[model.spec.name] = list(history), counted
        return counted is not None


def _tools_size(model: Model, tools: Sequence[ToolSpec]) -> int:
    """Of their description; who cannot be held to a form is sent it as JSON, or may be."""
    if not tools:
        return 0
    if model.spec.forms:
        return model.count(text_calls.describe(tools))
    return model.count(json.dumps([(tool.name, tool.description, tool.schema) for tool in tools]))


def _size(message: Message, model: Model, tools: Sequence[ToolSpec]) -> int:
    match message:
        case AssistantMessage() if message.tokens and message.model == model.spec.name:
            return len(message.tokens) + MARKS
        case AssistantMessage():
            text = text_calls.render_message(message, tools)
        case ToolMessage():
            text = text_calls.render_results(message)
        case SystemMessage() | UserMessage():
            text = message.text
    return model.count(text) + MARKS


def _shared(one: Sequence[Message], other: Sequence[Message]) -> int:
    """How many messages both begin with."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
