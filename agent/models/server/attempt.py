"""One request under way: what was sent, what has come, how long it took, what was dropped.

Owns the figures. Must not know how anything is asked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from agent.models.base import Usage
from agent.models.server.stream import Written
from agent.models.server.truncation import Witness

CHARACTERS_PER_TOKEN = 3.5
"""Of code, until a server has counted."""


@dataclass(slots=True)
class Attempt:
    """One request under way."""

    words: int = 0
    """Of its messages: at least so many tokens."""
    characters: int = 0
    """Of its messages and tools."""
    written: Written = field(default_factory=Written)
    started: float = field(default_factory=time.monotonic)
    first: float = 0.0
    """When the first of the answer came; 0 before."""


@dataclass(slots=True)
class Meter:
    """What is known of a conversation's tokens."""

    per_token: float = CHARACTERS_PER_TOKEN
    """Characters, by what the server counted last."""
    known: int = 0
    """Tokens of the last request and its answer; 0 before the first."""
    _witness: Witness = field(default_factory=Witness)

    def estimate(self, characters: int) -> int:
        return -int(-characters // self.per_token)

    def dropped(self, attempt: Attempt) -> int:
        """About how many tokens the server has not read; 0 for none."""
        prompt = attempt.written.prompt
        dropped = self._witness.dropped(attempt.words, prompt)
        if prompt and not dropped:
            self.per_token = max(1.0, attempt.characters / prompt)
        return dropped

    def usage(self, attempt: Attempt) -> Usage:
        """The step's figures; what the server does not tell is estimated."""
        written, ended = attempt.written, time.monotonic()
        first = attempt.first or ended
        calls = "".join(call.name + call.arguments for call in written.calls)
        prompt = written.prompt or self.estimate(attempt.characters)
        output = written.output or self.estimate(
            len(written.text) + len(written.reasoning) + len(calls)
        )
        reused = min(written.cached, prompt)
        return Usage(
            prompt=prompt,
            reused=reused,
            evaluated=prompt - reused,
            new=max(0, prompt - self.known),
            output=output,
            sampled=output,
            prompt_seconds=written.prompt_seconds or first - attempt.started,
            output_seconds=written.output_seconds or ended - first,
        )
