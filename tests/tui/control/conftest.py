"""A session on the screen, driven by keys: the real engine, a real folder, a scripted model."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from agent.conversation import Conversation
from agent.mode import Mode
from agent.wanted import Wanted
from tui.app import ParityApp
from tui.screens.session import SessionScreen
from tui.widgets.approval import Approval
from tui.widgets.panel import QUIET, Panel
from tui.widgets.prompt import Prompt

PATIENCE = 30.0
"""Seconds after which what should happen is missed."""
WRITE = """
[[step]]
[[step.call]]
tool = "write_file"
path = "made.txt"
content = "hello"
"""
DONE = """
[[step]]
text = "Done."
"""


@dataclass
class Person:
    """Who sits before the screen."""

    pilot: Pilot[None]
    root: Path

    @property
    def screen(self) -> SessionScreen:
        for screen in self.pilot.app.screen_stack:
            if isinstance(screen, SessionScreen):
                return screen
        raise AssertionError("no session")

    @property
    def prompt(self) -> str:
        return self.screen.query_one(Prompt).text

    @property
    def approval(self) -> Approval:
        return self.screen.query_one(Approval)

    @property
    def conversation(self) -> Conversation:
        found = self.screen.engine._conversation
        assert found is not None
        return found

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def send(self, text: str) -> None:
        self.screen.query_one(Prompt).write(text)
        await self.pilot.press("enter")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            await self.pilot.pause(0.02)

    async def rest(self) -> None:
        """Wait until the turn has ended."""
        await self.pilot.pause(0.05)
        await self.until(lambda: self.conversation._at_work is False and not self.screen.at_work)

    async def asked(self, panel: type[Panel] = Approval) -> Panel:
        """Wait for a question, until it may be answered."""
        found = self.screen.query_one(panel)
        await self.until(lambda: found.display and self.screen.focused is found)
        await self.pilot.pause(QUIET)
        await self.until(lambda: found.armed)
        return found

    def told(self) -> str:
        """All that the model was told and said."""
        return "\n".join(map(repr, self.conversation.agent.history))


@dataclass(frozen=True, slots=True)
class Drive:
    """Opens the app in a repository, as often as wanted."""

    root: Path

    def __call__(
        self,
        behave: Callable[[Person], Awaitable[None]],
        script: str,
        mode: Mode = Mode.ASK,
        size: tuple[int, int] = (80, 24),
    ) -> None:
        """
        Args:
            behave: What the person does once the session is open.
            script: What the model answers.
        """
        place = self.root.parent / "script.toml"
        place.write_text('edit_format = "search_replace"\n' + script, encoding="utf-8")

        async def run() -> None:
            wanted = Wanted(self.root, {"model": f"scripted:{place}"}, mode=mode, talk=True)
            app = ParityApp(wanted)
            async with app.run_test(size=size) as pilot:
                person = Person(pilot, self.root)
                await person.until(lambda: person.screen.mode is not None)
                await behave(person)

        asyncio.run(run())


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drive:
    """In a small repository without tests, with a state folder of its own."""
    root = tmp_path / "root"
    root.mkdir()
    lines = "".join(f"line {number}\n" for number in range(30))
    (root / "long.txt").write_text(lines)
    subprocess.run(["git", "init", "-q", "-b", "trunk", root], check=True)
    monkeypatch.setenv("PARITY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PARITY_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PARITY_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    return Drive(root)
