"""What a running agent reports: one union, read alike by the screen, the printer and the record.

Owns the events and their JSON form. Must not know who reads them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from agent.approval import Choice
from agent.costs import Cost
from agent.errors import ExitCode
from agent.messages import Message, ToolCall
from agent.models.base import Usage
from tools.action import Action, FileChange
from tools.base import ToolResult
from tools.testing.reports import gist


class Status(StrEnum):
    """How a turn ended."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    STEP_LIMIT = "step limit"
    TOKEN_LIMIT = "token limit"
    TIME_LIMIT = "time limit"
    DOLLAR_LIMIT = "dollar limit"
    LOOPING = "looping"
    MODEL_FAILED = "model failed"
    NO_MODEL = "no model"
    """Who was asked has no model of that name, or no longer."""
    CONTEXT_LIMIT = "context limit"
    """The conversation does not fit the model's window, and cannot be shortened."""
    NOT_APPROVED = "not approved"
    """What the turn cannot do without needs approval, and there was nobody to ask."""
    PLANNED = "planned"
    """In plan mode: nothing was to be changed, and the model described what it would do."""
    ANSWERED = "answered"
    """Nothing was changed, nor had to be: the model said what it had to say."""
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> ExitCode:
        match self:
            case Status.VERIFIED | Status.PLANNED | Status.ANSWERED:
                return ExitCode.VERIFIED
            case Status.UNVERIFIED:
                return ExitCode.UNVERIFIED
            case Status.STEP_LIMIT | Status.TOKEN_LIMIT | Status.TIME_LIMIT | Status.DOLLAR_LIMIT:
                return ExitCode.LIMIT
            case Status.NOT_APPROVED:
                return ExitCode.BAD_INPUT
            case Status.NO_MODEL:
                return ExitCode.MODEL_MISSING
            case Status.MODEL_FAILED | Status.CONTEXT_LIMIT:
                return ExitCode.MODEL_FAILED
            case Status.INTERRUPTED:
                return ExitCode.INTERRUPTED
            case Status.FAILED | Status.LOOPING:
                return ExitCode.FAILED


class Origin(StrEnum):
    """Who wanted a tool to be used."""

    MODEL = "model"
    HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class TurnStarted:
    task: str
    model: str
    steering: str
    root: str
    test_command: str
    """Empty when there is none."""
    test_origin: str
    """Where the command comes from: `--test-command`, `found: pytest.ini`."""
    sandbox: str = ""
    """The tier that commands run in: `bubblewrap`, `landlock`, `seatbelt`, `none`."""
    turn: int = 0
    """The turn's number in its session, from 1; none is given twice. 0: not known."""
    asked: str = ""
    """The name that the model was asked for by, as in the settings; empty: by none."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message became part of the history."""

    message: Message


@dataclass(frozen=True, slots=True)
class StepStarted:
    number: int
    """1 for the first step of the turn."""


@dataclass(frozen=True, slots=True)
class PromptReading:
    done: int
    """Tokens."""
    total: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """A piece of the answer, as it is written."""

    text: str
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class WroteCall:
    """A piece of a native tool call's arguments, as they are written."""

    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The countdown to a request that is made again, told each second."""

    seconds: float
    """That are left."""


@dataclass(frozen=True, slots=True)
class ContextMeter:
    """How full a model's context window is after a step, in tokens."""

    used: int = 0
    """By the conversation, the last answer included."""
    reserved: int = 0
    """Kept free for the next answer; what exceeds the rest is compacted first."""
    window: int = 0
    """What the model holds in all; 0: not known."""
    reused: float = 0.0
    """Part of the last prompt, from 0 to 1, that the model's cache already held."""


@dataclass(frozen=True, slots=True)
class StepFinished:
    number: int
    usage: Usage
    seconds: float
    calls: int
    malformed: tuple[str, ...]
    cost: Cost = dataclasses.field(default_factory=Cost)
    """Of the answer, and of the tries before it that failed."""
    context: ContextMeter = ContextMeter()


@dataclass(frozen=True, slots=True)
class ToolStarted:
    call: ToolCall
    origin: Origin


@dataclass(frozen=True, slots=True)
class ToolPrinted:
    """What a call that runs a program printed since it was last told, some ten times a second.

    Between its `ToolStarted` and its `ToolFinished`, whose result has head and tail of it all: no
    session keeps it.
    """

    call_id: str
    text: str
    """Whole lines, each with its end; the last of them where there were many."""
    line: str = ""
    """The line that has no end yet, as it is now: it takes the place of the one told before."""
    left_out: int = 0
    """Bytes before `text` that are told nowhere."""


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A call waits for an answer; between its `ToolStarted` and its `ToolFinished`."""

    call: ToolCall
    origin: Origin
    action: Action | None
    """What would be done; None for a tool that cannot say."""
    reason: str
    """Why it is asked, as the end of a sentence."""
    rule: str
    """What would be allowed for longer than once, in words; empty where that is not offered."""
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ApprovalAnswered:
    call: ToolCall
    choice: Choice
    word: str = ""
    """What the user told the model besides."""
    unattended: bool = False
    """Whether nobody could be asked."""
    hunks: tuple[int, ...] | None = None
    """Of a change: which of its parts were allowed, counted from 0; None: all."""


@dataclass(frozen=True, slots=True)
class ToolFinished:
    call: ToolCall
    origin: Origin
    result: ToolResult
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it was done, and no test that it ran fails."""
        tests = gist(self.result.details)
        return self.result.ok and (tests is None or tests.ok)


@dataclass(frozen=True, slots=True)
class Rewound:
    """The conversation returned to an earlier length; edits made since then were taken back."""

    messages: int
    """How many messages are left."""
    reason: str
    turn: int = 0
    """The first of the turns that were taken back, to the last; 0: a point within the turn."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """The conversation was shortened to fit the window; the next step reads it anew."""

    reason: str
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int
    kept_first: int
    """Messages at the beginning that stay as they were."""
    inserted: tuple[Message, ...]
    """What stands in the place of those left out; the last messages follow as they were."""

    def applied(self, history: Sequence[Message]) -> list[Message]:
        """The history after it."""
        last = self.messages_after - self.kept_first - len(self.inserted)
        kept = history[len(history) - last :]
        return [*history[: self.kept_first], *self.inserted, *kept]


@dataclass(frozen=True, slots=True)
class Switched:
    """Another model goes on with the conversation; what that costs, before it is asked."""

    model: str
    tokens: int
    """That it must read anew, counted or estimated."""
    seconds: float | None
    """For reading them; None: its speed is not known yet."""
    dollars: float | None
    """For reading them; None: the price is unknown."""
    asked: str = ""
    """The name that the model was asked for by, as in `TurnStarted`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is no step: a retry, a warning."""

    text: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of a whole turn."""

    steps: int = 0
    usage: Usage = dataclasses.field(default_factory=Usage)
    seconds: float = 0.0
    cost: Cost = dataclasses.field(default_factory=Cost)
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class TurnFinished:
    status: Status
    summary: str
    """What was verified, or why the turn ended: one line."""
    totals: Totals
    patch: str
    """The turn's changes, as `git apply` takes them."""
    changed: tuple[str, ...] = ()
    answer: str = ""
    """What was asked for, where that is a text: the plan of plan mode, in Markdown."""


Event = (
    TurnStarted
    | Said
    | StepStarted
    | PromptReading
    | Wrote
    | WroteCall
    | Waiting
    | StepFinished
    | ToolStarted
    | ToolPrinted
    | ApprovalAsked
    | ApprovalAnswered
    | ToolFinished
    | Rewound
    | Compacted
    | Switched
    | Notice
    | TurnFinished
)


def to_json(event: Event) -> dict[str, Any]:
    """One JSON object: the event's name in snake case, and its fields."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **_plain(event)}


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    if isinstance(value, ToolResult):  # other `details` belong to this process
        told = {"ok": value.ok, "display": value.display, "output": value.output}
        if isinstance(value.details, FileChange):
            told["change"] = _plain(value.details)
        elif tests := gist(value.details):
            told["tests"] = _plain(tests)
        return told
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, Message):
            plain["role"] = type(value).__name__.removesuffix("Message").lower()
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
