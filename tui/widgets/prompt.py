"""Where the user writes.

Owns the text until it is sent. Must not know what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class Prompt(TextArea):
    """A text of several lines; Enter sends it."""

    @dataclass
    class Submitted(Message):
        """The user sent a text."""

        text: str

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            if text := self.text.strip():
                self.text = ""
                self.post_message(self.Submitted(text))
            return
        await super()._on_key(event)
