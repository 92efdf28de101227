"""Whether a server read all that it was sent.

Owns the comparison of the prompt tokens that a server counts with the text it was sent. Must not
know requests or answers.

No tokenizer makes one token of two words, so the words of a text are a lower bound of its tokens;
code and prose have 1.3 to 3 tokens a word. A server that drops what does not fit counts fewer, or
the same again when the conversation has grown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[A-Za-z]{2,}")
SLACK = 0.9
"""What a template may leave out: a line it moves, a space it trims."""
LEAST = 100
"""Words below which no verdict is given."""
LEAST_GROWTH = 60
"""Words a conversation must have grown by before its growth is judged."""


def words(value: object) -> int:
    """The words in all texts of a value; keys are not counted."""
    match value:
        case str():
            return sum(1 for _ in _WORD.finditer(value))
        case Mapping():
            return sum(words(item) for item in value.values())
        case Sequence():
            return sum(words(item) for item in value)
    return 0


@dataclass(slots=True)
class Witness:
    """What the last request came to."""

    words: int = 0
    tokens: int = 0

    def dropped(self, words: int, tokens: int) -> int:
        """About how many tokens of a request the server has not read; 0 for none.

        Args:
            words: What was sent, at the least, in tokens.
            tokens: What the server counted; 0 where it does not tell.
        """
        if not tokens or words < LEAST:
            return 0
        ratio = max(1.3, self.tokens / self.words if self.words else 0.0)
        grown = words - self.words
        least = words * SLACK
        if self.tokens and grown >= LEAST_GROWTH:
            least = max(least, self.tokens + grown / 2)
        if tokens < least:
            return max(1, round(words * ratio) - tokens)
        self.words, self.tokens = words, tokens
        return 0
