"""Changing the model in the middle of a conversation: when, what it costs, what stays open.

Must not know any backend; how a model is opened is told by whoever puts the parts together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.context import Context
from agent.equipment import Equipment
from agent.events import Status, Switched
from agent.messages import Message
from agent.models import prices
from agent.models.base import Device, Model, Usage

GIVEN_UP = (
    *(Status.FAILED, Status.STEP_LIMIT, Status.LOOPING),
    *(Status.MODEL_FAILED, Status.NO_MODEL, Status.CONTEXT_LIMIT),
)
"""Endings of a turn after which another model may go on; what the user limited is no such end."""


class Models:
    """The models of one session: each is opened when it is first wanted and kept until the end,
    so that one that is switched back to still holds what it read."""

    def __init__(self, opening: Callable[[str, bool], Model]) -> None:
        """Args:
        opening: Opens a model by its name; whether a local one begins to load at once.
        """
        self._opening = opening
        self._open: dict[str, Model] = {}

    def get(self, name: str, *, start: bool = True) -> Model:
        """The model of a name.

        Raises:
            AgentError: It cannot be opened.
        """
        if name not in self._open:
            self._open[name] = self._opening(name, start)
        return self._open[name]

    def name_of(self, model: Model) -> str:
        """What one of them was asked for by; empty: by none."""
        return next((name for name, known in self._open.items() if known is model), "")

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def cost(context: Context, history: Sequence[Message], to: Equipment) -> Switched:
    """What it costs to let another model go on: it must read what its cache does not hold.

    Dollars are those of a cold cache; where the provider still holds a part it is less.
    """
    model = to.model
    tokens = max(0, context.used(history, to) - context.held(history, to))
    speed = context.speed(model)
    tariff = model.spec.tariff
    unread = Usage(tokens, 0, tokens, tokens, cache_written=tokens)
    dollars = prices.price(unread, tariff) if tariff is not None else 0.0
    return Switched(model.spec.name, tokens, tokens / speed if speed else None, dollars)


def crowded(before: Model, after: Model) -> bool:
    """Whether both models would fill this machine's memory at a time."""
    devices = (before.spec.device, after.spec.device)
    return before is not after and Device.ELSEWHERE not in devices
