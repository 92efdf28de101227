"""Memory bandwidth of known cards, from `cards.toml`.

Owns the look-up. Must not know models or the machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Cards:
    """What is known of cards by their names."""

    bandwidths: Mapping[str, float]
    """Bytes a second by name."""
    typical: Mapping[int, str]
    """A common card's name by GiB of memory."""

    @classmethod
    def load(cls) -> Cards:
        data = tomllib.loads(files("agent.models").joinpath("cards.toml").read_text("utf-8"))
        return cls(
            {name: rate * 1e9 for name, rate in data["bandwidth"].items()},
            {int(size): name for size, name in data["typical"].items()},
        )

    def bandwidth(self, name: str) -> float | None:
        """Bytes a second of the card a driver calls `name`; None for an unknown one."""
        known = [
            card
            for card in self.bandwidths
            if re.search(rf"(?<!\w){re.escape(card)}(?!\w)", name, re.IGNORECASE)
        ]
        return self.bandwidths[max(known, key=len)] if known else None
