"""The budget of the context window: how full it is, for any model, and what is left out in time.

Owns the count of a conversation's tokens and the decision when to shorten it; `compaction` owns
how. Must not know how a model is asked, nor who steers.

What a request took is known from the usage that the model told, so only the messages since are
counted, by the model's own tokenizer where it is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agent.equipment import Equipment
from agent.events import Compacted, ContextMeter
from agent.messages import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from agent.models import text_calls
from agent.models.base import Device, Model, Usage
from tools.base import ToolSpec

MARKS = 8
"""Tokens that a chat template puts around a message."""
LARGEST_RESERVE = 0.25
"""The part of the window that may be kept free for an answer, however long it may be."""
TARGET = 0.6
"""The part of the room that a conversation takes after its compaction, at most."""


class Context:
    """How full the windows of the models of one conversation are."""

    def __init__(self) -> None:
        self._measured: dict[str, list[tuple[int, int]]] = {}
        """For each model's name: how many messages, and the tokens that they took."""
        self._read: dict[str, Usage] = {}
        self._ceilings: dict[str, int] = {}
        """Windows that proved smaller than the model's properties say."""

    def used(self, history: Sequence[Message], by: Equipment) -> int:
        """Tokens that a request with this history takes."""
        model, tools = by.model, by.offered
        marks = self._measured.get(model.spec.name)
        if marks:
            messages, tokens = marks[-1]
        else:
            messages, tokens = 0, model.count(text_calls.describe(tools)) if tools else 0
        return tokens + sum(_size(message, model, tools) for message in history[messages:])

    def held(self, model: Model) -> int:
        """Tokens of the conversation that the model's cache surely holds; a server may forget."""
        marks = self._measured.get(model.spec.name)
        return marks[-1][1] if marks and model.spec.device is not Device.ELSEWHERE else 0

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
        self, history: Sequence[Message], by: Equipment, usage: Usage, answer: int
    ) -> ContextMeter:
        """Take in what a step took.

        Args:
            history: It ends with the answer.
            by: Who gave it.
            usage: As the model told.
            answer: Tokens that it might have had.
        """
        model = by.model
        self.learn(model.spec.name, usage)
        if usage.prompt and usage.output:  # else it was stopped, perhaps within the prompt
            used = usage.prompt + usage.output
            marks = [(len(history) - 1, usage.prompt), (len(history), used)]
            self._measured.setdefault(model.spec.name, []).extend(marks)
        used = self.used(history, by)
        reused = usage.reused / usage.prompt if usage.prompt else 0.0
        return ContextMeter(used, self.reserve(model, answer), self._window(model), reused)

    def cut(self, messages: int) -> None:
        """Of the history only so many messages at its beginning are still what they were."""
        for name, marks in self._measured.items():
            self._measured[name] = [mark for mark in marks if mark[0] <= messages]

    def forget(self, model: Model) -> None:
        """The model's cache is gone."""
        self._measured.pop(model.spec.name, None)

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
        used = self.used(history, by)
        if refused:
            self._ceilings[model.spec.name] = min(used, self._window(model))
        room = self._window(model) - self.reserve(model, answer)
        if used <= room and not refused and not asked:
            return None
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
