"""Claude, as the loop knows a model.

Owns the course of one answer: asked, heard, continued when paused, put into words of ours. Must
not know the loop, nor make a failed request again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from agent.errors import ModelError, NoSuchModel, RequestRefused, Unreachable
from agent.messages import AssistantMessage, ToolCall
from agent.models.base import (
    Answer,
    EditFormat,
    ModelEvent,
    ModelSpec,
    Request,
    Steering,
    StopReason,
    Tariff,
    Usage,
)
from agent.models.claude import errors
from agent.models.claude.known import Card, Known, assumed
from agent.models.claude.request import Block, Body, build, continued, encode, kept
from agent.models.claude.stream import Heard
from agent.models.claude.wire import Wire
from agent.models.fenced_calls import fenced_calls
from tools.base import Cancel

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types import ModelInfo

T = TypeVar("T")
_NOTHING = Usage()

LETTERS_PER_TOKEN = 2.7
"""Of code and prose with the tokenizer of the current models; replaced by what an answer's usage
tells, which leaves a few per cent of error."""
ANSWER_TOKENS = 32_000
"""What one answer may have, thinking included, where the model allows it."""
HARD_ANSWER_TOKENS = 64_000
"""The same for the levels of effort above `high`."""
CONTINUATIONS = 8
"""How often a paused answer is let go on."""


class ClaudeModel:
    """Implements `agent.models.base.Model`."""

    def __init__(
        self,
        name: str,
        wire: Wire,
        *,
        effort: str | None = None,
        thinking: bool = True,
        known: Known | None = None,
    ) -> None:
        """
        Args:
            name: As the API has it.
            wire: The way to the server.
            effort: low, medium, high, xhigh or max; None: the model's own.
            thinking: Whether it may think before it answers.

        Raises:
            InputError: The model does not take these settings.
        """
        self._name, self._wire = name, wire
        self._effort, self._wants_thinking = effort, thinking
        self._known = known or Known.load()
        card = self._known.find(name)
        self._is_known = card is not None
        self._counts = True
        """Whether the server counts requests, as far as is known."""
        self._take(card or assumed(name))
        self._letters_per_token = LETTERS_PER_TOKEN
        self._tokens_before = 0
        """Of the last request and its answer."""

    def _take(self, card: Card) -> None:
        card.check_effort(self._effort)
        self._thinking = card.thinking_type(self._wants_thinking, self._effort)
        self._card = card
        hard = self._effort in ("xhigh", "max")
        self._spec = ModelSpec(
            name=self._name,
            context=card.context,
            steering=Steering.FREE,
            edit_format=EditFormat.SEARCH_REPLACE,
            max_output=min(HARD_ANSWER_TOKENS if hard else ANSWER_TOKENS, card.max_output),
            tariff=Tariff(self._name, "anthropic"),
        )

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def count(self, text: str) -> int:
        """An estimate: Claude's tokenizer is not public."""
        return int(len(text) / self._letters_per_token) + 1

    def count_request(self, request: Request) -> int | None:
        """The prompt tokens of a request, from the endpoint that counts them for nothing."""
        if not self._counts:
            return None
        from anthropic import omit  # 1 s; only needed to call the API

        params = self._build(request).params
        try:
            return self._wire.aside(
                lambda client: client.messages.count_tokens(
                    messages=params["messages"],
                    model=self._name,
                    system=params.get("system", omit),
                    thinking=params.get("thinking", omit),
                    tools=params.get("tools", omit),
                )
            ).input_tokens
        except Exception as error:  # as in `stream`
            explained = errors.explain(error, self._name, self._wire.host)
            if explained is None:
                raise
            # An estimate has to do; if something is wrong, the request tells.
            self._counts = not isinstance(explained, NoSuchModel | RequestRefused)
            return None

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        """Ask.

        Raises:
            InputError: What was learnt of the model only now forbids these settings.
            ModelError: See `agent.errors.ServerError`; nothing of a failed answer counts.
        """
        self.learn()
        body = self._build(request)
        digest = body.digest
        total, text, reasoning = Usage(), "", ""
        blocks: list[Block] = []
        heard = Heard()
        for _ in range(CONTINUATIONS):
            heard, asked, first = Heard(), time.monotonic(), 0.0
            try:
                for event in self._wire.events(body, cancel):
                    for told in heard.hear(event):
                        first = first or time.monotonic()
                        yield told
            except Exception as error:  # the SDK's many; what is none of them is raised as it is
                spent = total + self._timed(heard.usage, asked, first)
                raise self._explained(error, spent) from error
            total += self._timed(heard.usage, asked, first)
            text, reasoning = text + heard.text, reasoning + heard.reasoning
            if not heard.finished:
                break
            blocks += heard.blocks
            if heard.stop != "pause_turn":
                break
            body = continued(body, heard.blocks)
        if not heard.finished and not cancel.is_set():
            raise errors.cut(self._wire.host).having_taken(total)
        if not heard.finished:
            partial = AssistantMessage(text, reasoning, model=self._name)
            yield Answer(partial, total, StopReason.CANCELLED)
            return
        if heard.stop == "refusal":
            raise errors.refused(self._name, heard.refusal).having_taken(total)
        if heard.stop == "model_context_window_exceeded":
            raise errors.overflow(self._name).having_taken(total)
        message = AssistantMessage(
            text,
            reasoning,
            tuple(heard.calls) or _formed(text, request),
            tuple(heard.malformed),
            model=self._name,
            provider=kept(digest, blocks) if blocks else "",
        )
        self._calibrate(body, heard.usage)
        total = replace(total, new=max(0, total.prompt - self._tokens_before))
        self._tokens_before = heard.usage.prompt + heard.usage.output
        stop = StopReason.LENGTH if heard.stop == "max_tokens" else StopReason.END
        yield Answer(message, total, stop)

    def close(self) -> None:
        self._wire.close()

    def _build(self, request: Request) -> Body:
        return build(request, self._card, self._name, self._thinking, self._effort)

    def _timed(self, usage: Usage, asked: float, first: float) -> Usage:
        now = time.monotonic()
        first = first or now
        return replace(usage, prompt_seconds=first - asked, output_seconds=now - first)

    def _calibrate(self, body: Body, usage: Usage) -> None:
        """Learn from a real count how long a token is; short prompts tell little."""
        if usage.prompt > 500:
            letters = len(encode(body.params).decode())
            self._letters_per_token = min(6.0, max(1.5, letters / usage.prompt))

    def learn(self) -> None:
        """Ask the server for the properties of the model, if it is not known here.

        Raises:
            InputError: It does not take these settings.
            NoSuchModel: The server does not have it, or no longer.
            Unreachable: There is no server.
        """
        if self._is_known:
            return
        try:
            info = self._aside(lambda client: client.models.retrieve(self._name))
        except (NoSuchModel, Unreachable):
            raise
        except ModelError:
            self._is_known = True  # the request itself will tell what is wrong
            return
        if info.lifecycle == "retired":
            raise self._missing()
        self._take(_card(info))
        self._is_known = True

    def _aside(self, question: Callable[[Anthropic], T]) -> T:
        try:
            return self._wire.aside(question)
        except Exception as error:  # as in `stream`
            raise self._explained(error) from error

    def _explained(self, error: Exception, taken: Usage = _NOTHING) -> Exception:
        """What to raise instead of what the SDK raised, of a request that took something."""
        explained = errors.explain(error, self._name, self._wire.host)
        if isinstance(explained, NoSuchModel):
            explained = self._missing()
        return explained.having_taken(taken) if explained else error

    def _missing(self) -> NoSuchModel:
        """There is no such model, or no longer; the newest of the same line is named."""
        name, retired = self._known.successor(self._name), False
        try:
            listed = self._wire.aside(
                lambda client: client.models.list(limit=1000, lifecycle=["active", "retired"])
            ).data
        except Exception as error:  # as in `stream`
            if errors.explain(error, self._name, self._wire.host) is None:
                raise
            listed = []  # a server that lists no models, and a guess will do
        own = next((info for info in listed if info.id == self._name), None)
        if own is not None:
            retired = own.lifecycle == "retired"
            same = [i for i in listed if i.lifecycle == "active" and i.line == own.line]
            name = max(same, key=lambda info: info.created_at).id if same else name
        what = f"{self._name} was retired" if retired else f"There is no model {self._name}"
        return NoSuchModel(f"{what}: take --model {name}.")


def _card(info: ModelInfo) -> Card:
    """What the server tells of a model."""
    least = assumed(info.id)
    capabilities = info.capabilities
    if capabilities is None:
        thinking, effort = least.thinking, least.effort
    else:
        types = capabilities.thinking.types
        thinking = tuple(
            name
            for name in ("adaptive", "between_tools", "disabled")
            if getattr(types, name).supported
        )
        levels = capabilities.effort
        effort = tuple(
            name
            for name in least.effort
            if levels.supported and (level := getattr(levels, name)) and level.supported
        )
    return Card(
        info.id,
        info.max_input_tokens or least.context,
        info.max_tokens or least.max_output,
        thinking,
        effort,
    )


def _formed(text: str, request: Request) -> tuple[ToolCall, ...]:
    """Where a form is asked for, as a guiding steering does, its calls are read out of the text."""
    return fenced_calls(text, request.form) if request.form is not None else ()
