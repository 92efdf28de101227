"""What was sent while a turn is at work, and waits for its end.

Owns the order and the look. Must not know when the turn ends.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.prompt_history import Draft
from tui.widgets.prompt.offers import one_line


class Queued(Static):
    """Drafts, the first to be sent first."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.drafts: tuple[Draft, ...] = ()
        self.display = False

    def put(self, draft: Draft, *, first: bool = False) -> None:
        """Let a draft wait, behind the others or before them."""
        self._set((draft, *self.drafts) if first else (*self.drafts, draft))

    def take(self, at: int) -> Draft:
        """A draft that waits no longer."""
        draft, left = self.drafts[at], list(self.drafts)
        del left[at]
        self._set(tuple(left))
        return draft

    def take_all(self) -> tuple[Draft, ...]:
        """All of them; nothing waits any longer."""
        drafts = self.drafts
        self._set(())
        return drafts

    def _set(self, drafts: tuple[Draft, ...]) -> None:
        self.drafts = drafts
        lines = (f"queued: {one_line(draft)}" for draft in drafts)
        self.update(Content("\n".join(lines)))
        self.display = bool(drafts)
