"""What the loop knows of a model: its properties, how to ask it, what it answers.

Owns the Model protocol. Must not know any provider, file format or tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agent.messages import AssistantMessage, Message
from tools.base import Cancel, ToolSpec


class Steering(StrEnum):
    """Who takes the next step."""

    FREE = "free"
    GUIDED = "guided"


class EditFormat(StrEnum):
    """How a model is asked to write its changes; it decides which edit tools it is offered."""

    SYMBOL = "symbol"
    """Whole functions, methods, classes: `replace_symbol` and `write_file`."""
    SEARCH_REPLACE = "search_replace"
    """Exact text and its replacement: `edit` and `write_file`."""
    WHOLE_FILE = "whole_file"
    """Whole files: `write_file` alone."""


class StopReason(StrEnum):
    END = "end"
    """The model finished its answer."""
    LENGTH = "length"
    """The answer was cut at `max_tokens`; an unfinished tool call is in `malformed`."""
    CANCELLED = "cancelled"


class Device(StrEnum):
    """What of this machine does a model's work, and draws power for it."""

    ELSEWHERE = "elsewhere"
    """Nothing: the model runs on another machine, or is a script."""
    PROCESSOR = "processor"
    CARDS = "cards"
    """Graphics cards, for all of its layers or some."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """Where the price of a model's tokens is looked up."""

    model: str
    """The name under which they are sold: `claude-sonnet-5-5`."""
    provider: str = ""
    """Who sells them: `anthropic`, or the URL of the API; empty: whoever the name belongs to."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 takes the likeliest."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The properties of a model that the harness acts on."""

    name: str
    context: int
    """Tokens that the window holds, prompt and answer together."""
    steering: Steering = Steering.FREE
    edit_format: EditFormat = EditFormat.SEARCH_REPLACE
    max_output: int = 4096
    """The most tokens one answer may have."""
    sampling: Sampling = Sampling()
    """The vendor's advice for the first attempt."""
    forms: bool = False
    """Whether it can be held to a form; one that cannot is not sent any."""
    infills: bool = False
    """Whether it was trained to write what belongs between two texts."""
    device: Device = Device.ELSEWHERE
    tariff: Tariff | None = None
    """None: nobody is paid for its tokens."""


@dataclass(frozen=True, slots=True)
class CallForm:
    """One shape that a tool call may take.

    Attributes are written in the call's header in the order given. An argument with choices is
    constrained to them; one without is free text up to the closing quote.
    """

    tool: str
    headers: tuple[tuple[tuple[str, str | None], ...], ...]
    """The headers allowed: each a sequence of (argument, value), value None for free text."""
    bodies: tuple[str, ...] = ()
    """The arguments that follow the header as fenced blocks, in this order."""
    openings: tuple[str, ...] = ()
    """For each header, the text its first block must begin with; empty for none."""
    original: str = ""
    """Code that is there now. When given, the body is this code with one place changed."""
    editable: tuple[int, ...] = ()
    """The lines of `original`, counted from 0, in which that place may be."""
    variant: int = 0
    """Which place: 0 where the model doubts the code most, 1 where it doubts it second, …"""
    language: str = ""
    """What the fence of a single block is labelled; several are labelled by their arguments."""
    one_line: bool = False
    """Whether the first block ends with the line that its opening begins, or where the brackets
    that are open in it close."""


@dataclass(frozen=True, slots=True)
class Form:
    """The shape an answer is held to: free text first, then tool calls of these forms."""

    calls: tuple[CallForm, ...]
    required: bool = False
    """Whether the answer must hold at least one call."""
    max_calls: int = 8
    max_thought: int = 400
    """The most tokens of free text before the first call; past that the call is forced."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A piece of a text, and what is around it."""

    before: str
    piece: str
    after: str


INFILL = "infill"
"""The calls of an answer to `Infill`: the number of a `gap`, another `text` for it, and how
likely the model finds the place (`probability`) where that parts from what is there. Where none are
wanted, the gap's own text and the natural logarithm of how likely that is (`likelihood`)."""


@dataclass(frozen=True, slots=True)
class Infill:
    """What else might be in the gaps of a text, asked of a model that was trained to fill them."""

    gaps: tuple[Gap, ...]
    each: int = 3
    """How many other texts for a gap are wanted at most; none: how likely its own is."""
    least: float = 0.03
    """How likely the model must find the place where such a text parts from what is there."""
    stop: tuple[str, ...] = ()
    """Where a text ends, besides a blank line and where it goes on as what is behind the gap."""

    @property
    def text(self) -> str:
        """About what is read: of what is before the gaps the longest, and all of the rest."""
        longest = max((gap.before for gap in self.gaps), key=len, default="")
        return longest + "".join(f"{gap.piece}{gap.after}" for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model: the whole history, which only ever grows."""

    messages: Sequence[Message]
    tools: tuple[ToolSpec, ...] = ()
    form: Form | None = None
    """None lets the model write what it likes."""
    max_tokens: int = 2048
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    """Texts at which the answer ends, themselves not part of it."""
    infill: Infill | None = None
    """Asked instead of the messages, which are not read then."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one step. `prompt` = `reused` + `evaluated`."""

    prompt: int = 0
    reused: int = 0
    """Prompt tokens that the model's cache already held."""
    evaluated: int = 0
    """Prompt tokens that had to be read."""
    new: int = 0
    """Prompt tokens that no earlier request of this conversation held; ideal `evaluated`."""
    output: int = 0
    sampled: int = 0
    """Output tokens that were sampled; the others were forced by the form."""
    prompt_seconds: float = 0.0
    output_seconds: float = 0.0
    cache_written: int = 0
    """Prompt tokens that were written to the provider's cache; part of `evaluated`."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.reused + other.reused,
            self.evaluated + other.evaluated,
            self.new + other.new,
            self.output + other.output,
            self.sampled + other.sampled,
            self.prompt_seconds + other.prompt_seconds,
            self.output_seconds + other.output_seconds,
            self.cache_written + other.cache_written,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """The prompt is being read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of a tool call as it is written; for those who watch, never to be run."""

    tool: str
    text: str
    """Of the arguments, as JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of an answer; nothing counts as said before it has come."""

    message: AssistantMessage
    usage: Usage
    stop: StopReason


ModelEvent = Reading | TextDelta | ReasoningDelta | CallDelta | Answer


class Model(Protocol):
    """Something that answers requests.

    Opening a model may take seconds (weights are loaded); it is done by the factory that makes
    it, or lazily by the first `stream`.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def count(self, text: str) -> int:
        """Tokens that `text` takes, exact where the tokenizer is at hand, else an estimate."""
        ...

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        """Ask. The last event is an `Answer`, also when `cancel` was set meanwhile.

        Raises:
            ModelError: See the tree in `agent.errors`; a transient one may be asked again.
        """
        ...

    def close(self) -> None:
        """Free what the model holds. May be called twice."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A model whose provider counts a request's tokens without answering it, for nothing."""

    def count_request(self, request: Request) -> int | None:
        """The prompt tokens of a request; None where that cannot be had."""
        ...
