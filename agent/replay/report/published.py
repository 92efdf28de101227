"""Scores that others have published, as data beside this module. Must not know measured ones."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Published:
    """One model's score on one set, as somebody has published it."""

    model: str
    set: str
    level: str
    """`function` or `repository`."""
    low: float
    high: float
    """Per cent; as `low` unless a range was published."""
    source: str
    date: str
    local: bool = False
    """Whether the weights can run on a card of one's own."""

    @property
    def score(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}–{self.high:g}"


def published() -> tuple[Published, ...]:
    """All that are known, in the order of the file."""
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    return tuple(Published(**each) for each in tomllib.loads(text)["score"])
