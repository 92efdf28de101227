"""One line that always says where things stand.

Owns its look. Must not know how the figures are measured.
"""

from __future__ import annotations

from textual.widgets import Static

from agent.conversation import Conversation
from agent.events import Event


class StatusLine(Static):
    """Model, branch, mode, sandbox, context, speed, cost."""

    def opened(self, conversation: Conversation) -> None:
        """A session is ready: what it works with."""
        self.update(f"{conversation.agent.model.spec.name}  {conversation.gate.mode.value}")

    def show(self, event: Event) -> None:
        """Take what an event tells."""
