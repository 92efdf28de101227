"""What was said and done in the session, as a person reads it.

Owns the look of messages, calls, results and diffs. Must not know where events come from.
"""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widgets import Static

from agent import events
from agent.events import Event
from agent.messages import AssistantMessage, UserMessage


class Transcript(VerticalScroll):
    """The conversation, the newest at its end."""

    def on_mount(self) -> None:
        self.anchor()

    def show(self, event: Event) -> None:
        """Add what an event tells."""
        match event:
            case events.Said(UserMessage() as message):
                self.tell(message.text)
            case events.Said(AssistantMessage() as message):
                self.tell(message.text)
            case events.ToolFinished():
                self.tell(event.result.display)
            case events.TurnFinished():
                self.tell(f"{event.status.value}: {event.summary}")
            case _:
                pass

    def tell(self, text: str) -> None:
        """Add a line of ours."""
        self.mount(Static(text, markup=False))
