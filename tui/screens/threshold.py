"""What is seen first: a prompt that takes keys, while the session's screen is being loaded.

Owns the loading, and what is sent meanwhile. Must not know what a session is. Must stay quick to
import: a person waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from tui.widgets.prompt import Prompt
from tui.widgets.prompt.sending import CommandGiven, ShellGiven, Submitted

_LOADED = ("tui.screens.session", "agent.conversation")
"""300 ms: the session's screen, and what its thread needs first."""

_BREATH = 0.05
"""Seconds from the first frame to the loading: what was typed before it is shown first."""


@dataclass
class Crossed(Message):
    """All is loaded."""

    prompt: Prompt
    """With what is written in it, and what waits to be sent."""
    given: tuple[Message, ...]
    """What the user sent, oldest first."""


class Threshold(Screen[None]):
    """Looks as the session's screen does before anything was said."""

    def __init__(self) -> None:
        super().__init__()
        self._prompt = Prompt(None)
        self._given: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Static(id="nothing")
        yield self._prompt
        yield Static(id="ground")

    def on_mount(self) -> None:
        self._prompt.focus()
        self.call_after_refresh(self.set_timer, _BREATH, self._begin)

    def _begin(self) -> None:
        self.run_worker(self._load())

    async def _load(self) -> None:
        # In a thread: keys are answered meanwhile.
        await asyncio.to_thread(lambda: [importlib.import_module(name) for name in _LOADED])
        self.app.post_message(Crossed(self._prompt, tuple(self._given)))

    @on(Submitted)
    @on(CommandGiven)
    @on(ShellGiven)
    def _keep(self, message: Message) -> None:
        self._given.append(message)
