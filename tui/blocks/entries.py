"""The blocks of a conversation as values: what each shows, small enough to keep by the thousand.

Owns what is remembered of a block while it is not on the screen. Must not know how it looks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ClassVar

from agent.costs import Cost
from agent.events import Origin, Status, Totals
from agent.messages import ToolCall
from tools.base import ToolResult
from tools.text_filter import printable
from tui.blocks.printed import Printed

MOST_SHOWN = 200_000
"""Characters of one answer that are shown; more would slow every frame."""
_COPIED = 5_000
"""Lines of what a program printed that are copied at most."""


@dataclass(slots=True, eq=False)
class Entry:
    """What all blocks have."""

    open: bool = field(default=False, kw_only=True)
    """Whether the user sees all of it."""

    @property
    def copied(self) -> str:
        """The block's text, as the clipboard gets it."""
        return ""

    @property
    def moving(self) -> bool:
        """Whether it changes by itself: what it shows is still under way."""
        return False


@dataclass(slots=True, eq=False)
class Prompted(Entry):
    """What the user wants."""

    text: str
    turn: int = 0
    """The number of the turn that it began; 0: not known."""

    @property
    def copied(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Question(Entry):
    """What the harness asked the model."""

    text: str

    @property
    def copied(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class _Written(Entry):
    """What a model writes, piece by piece."""

    text: str = ""
    """Safe to show; clipped at `MOST_SHOWN`."""
    done: bool = False

    @property
    def copied(self) -> str:
        return self.text

    def write(self, piece: str) -> None:
        """Add what was written."""
        left = MOST_SHOWN - len(self.text)
        if left > 0:
            self.text += printable(piece[:left])
            if len(piece) > left:
                self.text += _MORE


_MORE = "\n\n… the rest is too long to be shown; the session's record has it."


@dataclass(slots=True, eq=False)
class Thought(_Written):
    """A model's reasoning."""

    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    """None while it lasts, and where it was not measured."""

    @property
    def moving(self) -> bool:
        return not self.done

    def close(self) -> None:
        """The reasoning has ended."""
        if not self.done:
            self.done, self.seconds = True, time.monotonic() - self.started


@dataclass(slots=True, eq=False)
class Answer(_Written):
    """What a model says, as Markdown."""


class State(Enum):
    """Where a call stands."""

    RUNNING = auto()
    ASKING = auto()
    """It waits for the user."""
    OK = auto()
    FAILED = auto()
    DENIED = auto()
    LOST = auto()
    """The turn ended in it."""

    @property
    def ended(self) -> bool:
        return self not in (State.RUNNING, State.ASKING)


@dataclass(slots=True, eq=False)
class Call(Entry):
    """One use of a tool."""

    call: ToolCall
    origin: Origin
    state: State = State.RUNNING
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    """That it took; 0 while it runs."""
    result: ToolResult | None = None
    printed: Printed | None = None
    """What its program has printed so far; None where that is nothing, or in the result."""
    patch: str = ""
    """What it changes, where that is known, as `git apply` takes it."""
    word: str = ""
    """What the user said of it when it was asked about."""

    @property
    def elapsed(self) -> float:
        """Seconds, up to now where it still runs."""
        return self.seconds if self.state.ended else time.monotonic() - self.started

    @property
    def moving(self) -> bool:
        return not self.state.ended

    @property
    def copied(self) -> str:
        if self.patch:
            return printable(self.patch)
        if self.result is None:
            lines = self.printed.lines(_COPIED) if self.printed is not None else []
            return "\n".join([printable(self.call.name), *lines])
        return f"{printable(self.result.display)}\n{printable(self.result.output)}"


@dataclass(slots=True, eq=False)
class Lookups(Entry):
    """Consecutive calls that only look."""

    calls: list[Call]

    @property
    def moving(self) -> bool:
        return any(call.moving for call in self.calls)

    @property
    def copied(self) -> str:
        return "\n\n".join(call.copied for call in self.calls)


class Kind(Enum):
    """What a remark is about."""

    NOTICE = auto()
    REWOUND = auto()
    COMPACTED = auto()
    MALFORMED = auto()
    COMPLAINT = auto()


@dataclass(slots=True, eq=False)
class Remark(Entry):
    """A line about the conversation itself."""

    text: str
    kind: Kind = Kind.NOTICE

    @property
    def copied(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Change(Entry):
    """Another model goes on."""

    model: str
    cost: str

    @property
    def copied(self) -> str:
        return f"{self.model}: {self.cost}"


@dataclass(slots=True, eq=False)
class Verdict(Entry):
    """How a turn ended."""

    status: Status
    summary: str
    totals: Totals = field(default_factory=lambda: Totals(cost=Cost()))
    patch: str = ""
    """What the turn changed."""

    @property
    def copied(self) -> str:
        return f"{self.status.value}: {self.summary}\n\n{printable(self.patch)}".strip()


@dataclass(slots=True, eq=False)
class Changes(Entry):
    """Changes of files that the user asked to see."""

    title: str
    patch: str

    @property
    def copied(self) -> str:
        return printable(self.patch)


@dataclass(slots=True, eq=False)
class Shell(Entry):
    """A command of the user's own."""

    command: str
    printed: Printed = field(default_factory=Printed)
    code: int | None = None
    """Exit code; None while it runs, and where it was stopped."""
    seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    ended: bool = False

    SHOWN: ClassVar[int] = 16
    """Lines that are shown while the block is folded."""

    def close(self, code: int | None, seconds: float) -> None:
        """It has ended."""
        self.code, self.seconds, self.ended = code, seconds, True

    @property
    def moving(self) -> bool:
        return not self.ended

    @property
    def copied(self) -> str:
        return "\n".join([f"$ {self.command}", *self.printed.lines(_COPIED)])
