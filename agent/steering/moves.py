"""A steering is a generator of moves; the loop carries them out and sends back what came of them.

Owns the moves. Must not know models' formats, limits,
events or the screen: a steering only says what to do next and is told what came of it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from agent.events import Status
from agent.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from agent.models.base import Form, Infill, Sampling
from tools.base import ToolResult


@dataclass(frozen=True, slots=True)
class Ask:
    """Add a message to the history and let the model answer. The reply: `AssistantMessage`."""

    message: UserMessage | ToolMessage
    form: Form | None = None
    sampling: Sampling | None = None
    """None: the model's own."""
    max_tokens: int = 2048
    infill: Infill | None = None
    """Asked instead of the history, which does not count then."""


@dataclass(frozen=True, slots=True)
class Use:
    """Use a tool for the model, or of the harness's own accord. The reply: `ToolResult`."""

    call: ToolCall
    by_model: bool
    needed: bool = True
    """Whether the turn ends where the user does not allow what the harness wants to use."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """Forget the turn's messages past `messages` and take back every edit since `checkpoint`.

    The reply is None. Announced to the user; the model reads nothing anew, for what is left is
    a prefix of what it has read.
    """

    messages: int
    """How many of this turn's messages stay."""
    checkpoint: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to the user. The reply is None."""

    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a turn ended, and in one line why."""

    status: Status
    summary: str
    answer: str = ""
    """The text that was asked for, where it was one: a plan."""


Move = Ask | Use | Rewind | Tell
Reply = AssistantMessage | ToolResult | None
Moves = Generator[Move, Reply, Verdict]


class Steering(Protocol):
    """A way to conduct a turn."""

    @property
    def system(self) -> str:
        """The system prompt: the same for every turn of a conversation."""
        ...

    @property
    def offers_tools(self) -> bool:
        """Whether the model is told of the tools and may pick them."""
        ...

    def retreat(self) -> Verdict | None:
        """Take back what is only being tried, when the turn ends in its middle.

        Returns:
            What is proven of what is left, where that is the task but for what else it asks.

        Raises:
            ToolError: A file cannot be written.
        """
        ...

    def moves(self, task: str, onward: str = "") -> Moves:
        """Conduct one turn.

        Args:
            task: What the user wants.
            onward: What a model that takes a task over in its midst is told; empty at a task's
                beginning.
        """
        ...


def ask(move: Ask) -> Generator[Move, Reply, AssistantMessage]:
    """Make the move and pass on its reply."""
    reply = yield move
    if not isinstance(reply, AssistantMessage):
        raise TypeError(f"Ask was answered with {reply!r}")
    return reply


def use(
    call: ToolCall, *, by_model: bool, needed: bool = True
) -> Generator[Move, Reply, ToolResult]:
    """Make the move and pass on its reply."""
    reply = yield Use(call, by_model, needed)
    if not isinstance(reply, ToolResult):
        raise TypeError(f"Use was answered with {reply!r}")
    return reply
