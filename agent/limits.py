"""What a turn may cost, and what of it is left for the next request.

Owns the limits and the rule of what is still asked. Must not know how a model is asked, nor how a
request's tokens are forecast.

The rule: a request is made only if its prompt and a useful answer fit into what is left; the
answer may then be as long as the rest affords, so no answer can pass the limit. The prompt is what
`context` forecasts: a cache that is lost early, and an estimate that falls short, are the ways in
which a limit can be passed, by that one request's difference. Electricity is known only
afterwards: it counts, and cannot be forecast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.events import Status, Totals
from agent.models import prices
from agent.models.base import ModelSpec, Usage
from agent.steering.moves import Verdict

USEFUL = 256
"""Output tokens below which an answer is not worth asking for, unless less is wanted."""


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

    def answer(
        self,
        totals: Totals,
        spec: ModelSpec,
        forecast: Callable[[Callable[[Usage], bool]], Usage],
        wanted: int,
    ) -> int:
        """The same, of a request that is forecast only where a limit asks for it.

        Args:
            forecast: Tells the request's prompt, given what is decided by it.

        Raises:
            LimitReached: The request is not to be made.
        """

        def allows(expected: Usage) -> bool:
            try:
                self.allowance(totals, spec, expected, wanted)
            except LimitReached:
                return False
            return True

        free = self.tokens is None and self.dollars is None
        return self.allowance(totals, spec, Usage() if free else forecast(allows), wanted)

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
