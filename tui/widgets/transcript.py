"""What was said and done in the session, as a person reads it.

Owns the look of messages, calls, results and diffs. Must not know where events come from.
"""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from agent import events
from agent.events import Event
from agent.messages import AssistantMessage, UserMessage
from tools.text_filter import clip, printable


class ShellLine:
    """The user's command at work, to be told what becomes of it."""

    def __init__(self, block: Static, command: str) -> None:
        self._block = block
        self._text = f"$ {command}\n"

    def write(self, text: str) -> None:
        """Add output: pieces of any size, raw."""
        self._text = clip(self._text + text, 10_000)
        self._block.update(Content(printable(self._text)))

    def end(self, code: int | None, seconds: float) -> None:
        """It has ended.

        Args:
            code: Its exit code; None: it was stopped.
        """
        self.write(f"\n{'stopped' if code is None else f'exit code {code}'}, {seconds:.1f} s")


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

    def shell(self, command: str) -> ShellLine:
        """Add a command of the user's that begins now."""
        block = Static("", markup=False)
        self.mount(block)
        return ShellLine(block, command)
