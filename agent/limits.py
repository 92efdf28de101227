"""What a turn may cost, and what of it is left for the next request.

Owns the limits, the forecast of a request's tokens and the rule of what is still asked. Must not
know how a model is asked.

The rule: a request is made only if its prompt and a useful answer fit into what is left; the
answer may then be as long as the rest affords, so no answer can pass the limit. A prompt's
dollars are forecast at the worst that is likely: what the last request sent is read from the
provider's cache if the provider cached then and has had no time to forget it; all else is read
anew and written to the cache. What is new since the last request is counted by the model's
`count`, which may be an estimate; a cache that is lost early, and an estimate that falls short,
are the ways in which a limit can be passed, by that one request's difference. Electricity is
known only afterwards: it counts, and cannot be forecast.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.events import Status, Totals
from agent.messages import AssistantMessage, Message, ToolMessage
from agent.models import prices
from agent.models.base import ModelSpec, Request, Usage
from agent.steering.moves import Verdict

USEFUL = 256
"""Output tokens below which an answer is not worth asking for, unless less is wanted."""
CACHE_SECONDS = 300.0
"""How long a provider surely keeps a prefix that was just used."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a turn may cost; None is no limit."""

    steps: int | None = 100
    tokens: int | None = None
    """Prompt tokens read and output tokens written, together."""
    seconds: float | None = None
    dollars: float | None = None
    """For tokens, and for electricity where its price is known."""

    def allowance(self, totals: Totals, spec: ModelSpec, expected: Usage, wanted: int) -> int:
        """Output tokens that the next answer may have, `wanted` at most.

        Args:
            totals: What the turn has cost so far.
            spec: The model that is to be asked.
            expected: The request's prompt, as it is forecast.
            wanted: Output tokens that the answer would be given without a limit.

        Raises:
            LimitReached: The request is not to be made.
        """
        if self.steps is not None and totals.steps >= self.steps:
            raise LimitReached(Status.STEP_LIMIT, f"The limit of {self.steps} steps was reached.")
        useful = min(wanted, USEFUL)
        if self.tokens is not None:
            left = self.tokens - totals.usage.evaluated - totals.usage.output
            wanted = min(wanted, left - expected.evaluated)
            if wanted < useful:
                raise LimitReached(
                    Status.TOKEN_LIMIT,
                    f"The limit of {self.tokens} tokens was reached: {max(0, left)} are left, and "
                    f"the next step would read about {expected.evaluated} and write {useful}.",
                )
        if self.dollars is not None:
            wanted = min(wanted, self._affordable(self.dollars, totals, spec, expected, useful))
        return wanted

    def _affordable(
        self, limit: float, totals: Totals, spec: ModelSpec, expected: Usage, useful: int
    ) -> int:
        """Output tokens that the dollars left pay for, besides the prompt."""
        name = f"The limit of ${limit:g}"
        spent = (totals.cost.api_usd or 0.0) + (totals.cost.electricity_usd or 0.0)
        left = limit - spent
        if spec.tariff is None:
            if left <= 0:
                raise LimitReached(Status.DOLLAR_LIMIT, f"{name} was reached.")
            return spec.max_output
        prompt = prices.price(expected, spec.tariff)
        answer = prices.price(replace(expected, output=useful), spec.tariff)
        if prompt is None or answer is None or totals.cost.api_usd is None:
            raise LimitReached(
                Status.DOLLAR_LIMIT,
                f"{name} cannot be kept, for the price of {spec.tariff.model} is not known: "
                "--max-tokens can.",
            )
        if answer > left:
            raise LimitReached(
                Status.DOLLAR_LIMIT,
                f"{name} was reached: ${max(0.0, left):.4f} is left, and the next step would cost "
                f"about ${answer:.4f}.",
            )
        each = (answer - prompt) / useful
        return max(useful, math.floor((left - prompt) / each)) if each else spec.max_output


class LimitReached(Exception):
    """A limit forbids the next request."""

    def __init__(self, status: Status, summary: str) -> None:
        super().__init__(summary)
        self.verdict = Verdict(status, summary)


class Forecast:
    """Tells what a request's prompt will take, from the usage of the one before it."""

    def __init__(self) -> None:
        self._model = ""
        self._request = Request(())
        self._answer = AssistantMessage("")
        self._last = Usage()
        self._at = -math.inf

    def learn(
        self, spec: ModelSpec, request: Request, answer: AssistantMessage, usage: Usage
    ) -> None:
        """Take in what a request took."""
        # Some servers tell no usage: then nothing was measured.
        self._model = spec.name if usage.prompt else ""
        self._request, self._answer = request, answer
        self._last = usage
        self._at = time.monotonic()

    def prompt(self, spec: ModelSpec, request: Request, count: Callable[[str], int]) -> Usage:
        """The usage that the request will have, without its answer.

        Args:
            spec: The model that is to be asked.
            request: What it is to be asked.
            count: Tells the tokens of a text.
        """
        text = _text(request)
        before = _text(self._request) + _said(self._answer)
        same = _common(text, before) if self._model == spec.name else 0
        # Text is counted where nothing was measured; the share of it where a part was.
        known = self._last.prompt + self._last.output
        kept = round(known * same / len(before))
        fresh = count(text[same:])
        if spec.tariff is None:
            return Usage(kept + fresh, kept, fresh, fresh)
        warm = (self._last.reused or self._last.cache_written) and (
            time.monotonic() - self._at < CACHE_SECONDS
        )
        reused = min(kept, self._last.prompt) if warm else 0
        evaluated = kept + fresh - reused
        return Usage(kept + fresh, reused, evaluated, evaluated, cache_written=evaluated)


def _text(request: Request) -> str:
    tools = [(tool.name, tool.description, tool.schema) for tool in request.tools]
    return json.dumps(tools) + "".join(map(_said, request.messages))


def _said(message: Message) -> str:
    match message:
        case AssistantMessage():
            calls = "".join(f"{call.name} {dict(call.arguments)}" for call in message.calls)
            return message.raw or message.reasoning + message.text + calls
        case ToolMessage():
            return "".join(result.output for result in message.results)
        case _:
            return message.text


def _common(one: str, other: str) -> int:
    """Characters that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
