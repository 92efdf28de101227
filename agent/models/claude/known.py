"""What is known of Claude models without asking for it, from `known.toml`.

Owns names, windows and the settings a model takes. Must not know prices, nor ask any server.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from agent.errors import InputError

ALIAS = "claude"
"""The name that stands for the default model."""
_DATE = re.compile(r"[-@]\d{8}$")
_TOO_HARD = ("xhigh", "max")
"""Levels of effort that no model takes without thinking ahead."""


@dataclass(frozen=True, slots=True)
class Card:
    """The properties of one model that a request depends on."""

    name: str
    context: int
    """Tokens of its window."""
    max_output: int
    """Tokens that an answer may have, thinking included."""
    thinking: tuple[str, ...]
    """Accepted values of `thinking.type`."""
    effort: tuple[str, ...]
    """Accepted values of `output_config.effort`; empty: the model has no such setting."""

    def thinking_type(self, wanted: bool, effort: str | None) -> str | None:
        """The `thinking.type` to send; None to send none.

        Raises:
            InputError: The model cannot do what is wanted.
        """
        if wanted:
            return "adaptive" if "adaptive" in self.thinking else None
        least = next((kind for kind in self.thinking if kind != "adaptive"), None)
        if least is None:
            raise InputError(f"{self.name} always thinks: leave out thinking = false.")
        if effort in _TOO_HARD:
            raise InputError(f"The effort {effort} needs thinking: leave out thinking = false.")
        return least

    def check_effort(self, effort: str | None) -> None:
        """Raise InputError unless the model takes this level."""
        if effort is not None and effort not in self.effort:
            takes = (
                f"it takes {', '.join(self.effort)}" if self.effort else "it has no such setting"
            )
            raise InputError(f"{self.name} does not take the effort {effort}: {takes}.")


@dataclass(frozen=True, slots=True)
class Known:
    """The models that are known."""

    default: str
    cards: Mapping[str, Card]

    @classmethod
    def load(cls) -> Known:
        text = files("agent.models.claude").joinpath("known.toml").read_text("utf-8")
        data = tomllib.loads(text)
        cards = (
            Card(
                entry["name"],
                entry["context"],
                entry["max_output"],
                tuple(entry["thinking"]),
                tuple(entry.get("effort", ())),
            )
            for entry in data["model"]
        )
        return cls(data["default"], {card.name: card for card in cards})

    def find(self, name: str) -> Card | None:
        """The card of a model by its name, with or without a date; None for an unknown one."""
        return self.cards.get(_DATE.sub("", name))

    def successor(self, name: str) -> str:
        """The newest model of the same line as `name`, or the default."""
        words = set(name.split("-"))
        same = (known for known in self.cards if known.split("-")[1] in words)
        return next(same, self.default)


def assumed(name: str) -> Card:
    """What is taken to hold of an unknown model until the server has told: the least."""
    return Card(name, 200_000, 32_000, ("adaptive",), ("low", "medium", "high", "xhigh", "max"))
