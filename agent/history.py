"""The messages of one conversation, and the requests that are made of them.

Owns the list, which only grows but for an announced return to an earlier point or an announced
compaction; where the present task is told; results that were not told yet. Must not know how a
model is asked, nor what an answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.context import Context
from agent.equipment import Equipment
from agent.events import Compacted
from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
    answered,
    closing,
)
from agent.models.base import Request
from agent.prompts import fill
from agent.steering.moves import Ask, Moves
from tools.base import ToolResult


class History:
    """What was said so far."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.messages = list(messages)
        self.context = Context()
        self._turn = 0
        """Where the moves of the present steering began."""
        self._task = 0
        """Where the present task is told."""
        self._results: dict[str, ToolOutput] = {}
        """Of the calls of the last answer, by their ids."""
        self._tested = ""
        """What the last run of the tests said."""

    def add(self, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, AssistantMessage):
            self._results.clear()

    def begin(self, by: Equipment, task: str, outcome: str) -> Moves:
        """The moves of a steering that begins only now.

        It is told what the history lacks: instructions, where another steering began the
        conversation; the task, where that does not stand any more.

        Args:
            by: Who takes the steps.
            task: What the user wants.
            outcome: How far another model came with it; empty at the task's beginning.
        """
        steering = by.steering
        free = steering.offers_tools  # another one's questions tell all that they need
        system = by.opening if free and not self._told(by.opening) else ""
        stands = bool(outcome) and free and self._told(task, self._task)
        self._turn = len(self.messages)
        if not stands:
            self._task = self._turn
        if not outcome:
            return steering.moves(f"{system}\n\n{task}" if system else task)
        parts = [fill("takeover", outcome=outcome), system, "" if stands else task]
        return steering.moves(task, "\n\n".join(filter(None, parts)))

    def request(self, move: Ask, by: Equipment, answer: int) -> Request:
        """The request that asks for an answer of so many tokens at most."""
        messages = tuple(self.messages)
        return Request(
            messages=answered(messages) if by.steering.offers_tools else messages,
            tools=by.offered,
            form=move.form,
            max_tokens=self.context.longest(messages, by, answer),
            sampling=move.sampling or by.model.spec.sampling,
            infill=move.infill,
        )

    def fitting(
        self,
        by: Equipment,
        answer: int,
        changed: Callable[[], Iterable[str]],
        following: Iterable[Message] = (),
        *,
        refused: bool = False,
        asked: bool = False,
    ) -> Compacted | None:
        """How to shorten the history where the next request would not fit; see `Context.fit`.

        Args:
            following: Messages that will be added to it first.
        """
        messages = [*self.messages, *following]
        task = min(self._task, len(messages) - 1)
        return self.context.fit(
            messages, task, by, answer, changed, self._tested, refused=refused, asked=asked
        )

    def shorten(self, compacted: Compacted) -> None:
        self.messages = compacted.applied(self.messages)
        self.context.cut(compacted.kept_first)
        gone = compacted.messages_before - compacted.messages_after
        # The task now comes right after the system message.
        self._turn = 1 if self._turn == self._task else max(2, self._turn - gone)
        self._task = 1

    def came_of(self, call: ToolCall, result: ToolResult, *, by_model: bool) -> None:
        """A call was carried out: one of the last answer, or the harness's own."""
        if by_model:
            self._results[call.id] = ToolOutput(call.id, call.name, result.output, result.ok)
        if call.name == "run_tests":
            self._tested = result.output

    def untold(self) -> ToolMessage | None:
        """What came of the last answer's calls, where that was not told."""
        last = self.messages[-1] if self.messages else None
        if isinstance(last, AssistantMessage) and last.calls:
            return closing(last, self._results)
        return None

    def rewind(self, messages: int) -> int:
        """Keep so many messages of the present steering's; how many are left in all."""
        left = self._turn + messages
        del self.messages[left:]
        self.context.cut(left)
        self._task = min(self._task, left)
        return left

    def go_back(self, messages: Iterable[Message]) -> None:
        """Become what the history was at the end of an earlier turn."""
        earlier = list(messages)
        pairs = zip(self.messages, earlier, strict=False)
        same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(earlier))
        self.messages = earlier
        self.context.cut(same)
        self._turn = self._task = len(earlier)
        self._results.clear()
        self._tested = ""

    def _told(self, text: str, at: int | None = None) -> bool:
        """Whether a text was told, or is told by the message at a place."""
        among = self.messages if at is None else self.messages[at : at + 1]
        return any(
            isinstance(message, SystemMessage | UserMessage) and text in message.text
            for message in among
        )
