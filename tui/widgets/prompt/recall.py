"""The way back through the prompts that were sent, and forth again.

Owns the place in the history and what the user was writing before. Must not know the widget that
shows them.
"""

from __future__ import annotations

from tui.prompt_history import Draft, PromptHistory


class Recall:
    """Steps from one earlier prompt to the next."""

    def __init__(self, history: PromptHistory | None) -> None:
        self._history = history
        self._sent: list[Draft] = []
        """Where there is no history yet."""
        self._back = 0
        """Steps from the user's own text; 0: it stands there."""
        self.own = Draft("")
        """What the user was writing before something earlier took its place."""

    @property
    def drafts(self) -> list[Draft]:
        """All of them, the oldest first."""
        return self._history.drafts if self._history is not None else self._sent

    @property
    def away(self) -> bool:
        """Whether an earlier prompt stands in the place of the user's own."""
        return self._back > 0

    def sent(self, draft: Draft) -> None:
        """A prompt was sent: the next step back is to it."""
        self._back, self.own = 0, Draft("")
        if self._history is None:
            self._sent.append(draft)
        else:
            self._history.add(draft)

    def earlier(self, now: Draft) -> Draft | None:
        """The prompt before; None where there is none.

        Args:
            now: What is written.
        """
        if self._back >= len(self.drafts):
            return None
        if not self.away:
            self.own = now
        self._back += 1
        return self.drafts[-self._back]

    def later(self) -> Draft | None:
        """The prompt after, at last the user's own; None where that stands there."""
        if not self.away:
            return None
        self._back -= 1
        return self.drafts[-self._back] if self.away else self.own
