"""A panel of measured figures: speed, prompt read and reused, cost here and on the other model.

Owns their look. Must not know how they are measured.
"""

from __future__ import annotations

from textual.widgets import Static

from agent.conversation import Conversation
from agent.events import Event


class Figures(Static):
    """Sparklines and sums of this session."""

    def opened(self, conversation: Conversation) -> None:
        """A session is ready: with whose models it may be compared."""

    def show(self, event: Event) -> None:
        """Take what an event tells."""
