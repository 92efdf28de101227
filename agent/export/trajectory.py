"""A session's record as the values that every format is made of, in the order it happened.

Owns the way from events to turns and steps. Must not know any format.

What was taken back later is part of it, followed by a note that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from agent import events
from agent.costs import Cost
from agent.errors import InputError
from agent.events import Event, Origin, Status
from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from agent.models.base import Usage
from agent.overview import overview
from agent.playback import events_of
from agent.session import SessionInfo, session_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """A call and what came of it."""

    call: ToolCall
    output: str
    """As the model read it."""
    display: str
    """One line for people."""
    ok: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """A message of the user's or the harness's to the model."""

    at: float
    message: SystemMessage | UserMessage


@dataclass(frozen=True, slots=True)
class Step:
    """An answer with what came of its calls."""

    at: float
    message: AssistantMessage
    outcomes: tuple[Outcome, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)
    seconds: float = 0.0
    finished: bool = False
    """Whether its figures were recorded."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the harness ran of its own accord."""

    at: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user was told."""

    at: float
    text: str


Item = Told | Step | Checked | Note


@dataclass(slots=True)
class Turn:
    """A request, until the agent rested."""

    task: str
    at: float
    model: str
    root: str
    items: list[Item] = field(default_factory=list)
    finished: events.TurnFinished | None = None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A whole session."""

    info: SessionInfo
    title: str
    turns: tuple[Turn, ...]
    events: tuple[tuple[float, Event], ...]
    """All that was recorded, each with its time in seconds since the epoch."""

    @property
    def items(self) -> Iterable[Item]:
        return (item for turn in self.turns for item in turn.items)

    @property
    def steps(self) -> list[Step]:
        return [item for item in self.items if isinstance(item, Step)]

    @property
    def model(self) -> str:
        """That began; empty: none did."""
        return self.turns[0].model if self.turns else ""

    @property
    def usage(self) -> Usage:
        return sum((step.usage for step in self.steps), Usage())

    @property
    def cost(self) -> Cost:
        return sum((step.cost for step in self.steps), Cost())

    @property
    def patch(self) -> str:
        """The changes of all turns, one after the other, as `git apply` takes them."""
        return "".join(turn.finished.patch for turn in self.turns if turn.finished)

    @property
    def status(self) -> Status | None:
        """How the last turn ended; None: it did not."""
        last = self.turns[-1].finished if self.turns else None
        return last.status if last else None


def read(source: SessionInfo | Path) -> Trajectory:
    """The trajectory of a session.

    Raises:
        InputError: The record cannot be read.
    """
    info = source if isinstance(source, SessionInfo) else session_of(source.parent)
    try:
        title = overview(info).heading
    except OSError as error:
        raise InputError(f"The record {info.record} cannot be read: {error.strerror}.") from error
    recorded = tuple(events_of(info.record))
    turns: list[Turn] = []
    for at, event in recorded:
        if isinstance(event, events.TurnStarted):
            turns.append(Turn(event.task, at, event.model, event.root))
        elif turns:
            _take(turns[-1], at, event)
    return Trajectory(info, title, tuple(turns), recorded)


def clock(seconds: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _take(turn: Turn, at: float, event: Event) -> None:
    items = turn.items
    match event:
        case events.Said(message):
            _say(items, at, message)
        case events.StepFinished():
            if (last := _last_step(items)) is not None:
                where, step = last
                items[where] = replace(
                    step,
                    usage=event.usage,
                    cost=event.cost,
                    seconds=event.seconds,
                    finished=True,
                )
        case events.ToolFinished(call, origin, result, seconds):
            outcome = Outcome(call, result.output, result.display, result.ok, seconds)
            last = _last_step(items)
            if origin is Origin.HARNESS or last is None:
                items.append(Checked(at, outcome))
            else:
                where, step = last
                items[where] = replace(step, outcomes=(*step.outcomes, outcome))
        case events.Notice(text) | events.Rewound(_, text):
            items.append(Note(at, text))
        case events.Compacted():
            items.append(
                Note(
                    at,
                    f"{event.reason}: the conversation was shortened from {event.messages_before} "
                    f"to {event.messages_after} messages",
                )
            )
        case events.Switched():
            items.append(Note(at, f"{event.model} goes on"))
        case events.TurnFinished():
            turn.finished = event


def _say(items: list[Item], at: float, message: Message) -> None:
    match message:
        case SystemMessage() | UserMessage():
            items.append(Told(at, message))
        case AssistantMessage():
            items.append(Step(at, message))
        case ToolMessage():
            last = _last_step(items)
            if last is None:
                return
            where, step = last
            # What the model read may be more than what the tool said.
            known = {outcome.call.id: outcome for outcome in step.outcomes}
            told = {result.call_id: result for result in message.results}
            outcomes = []
            for call in step.message.calls:
                outcome, result = known.get(call.id), told.get(call.id)
                if result is not None and outcome is None:
                    line = result.output.partition("\n")[0]
                    outcome = Outcome(call, result.output, line, result.ok)
                elif result is not None and outcome is not None:
                    outcome = replace(outcome, output=result.output)
                if outcome is not None:
                    outcomes.append(outcome)
            items[where] = replace(step, outcomes=tuple(outcomes))


def _last_step(items: list[Item]) -> tuple[int, Step] | None:
    """The turn's last answer, and where it stands."""
    for where in range(len(items) - 1, -1, -1):
        item = items[where]
        if isinstance(item, Step):
            return where, item
    return None
