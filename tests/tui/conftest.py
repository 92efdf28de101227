"""The screen as a person drives it: the real engine, a real folder, a scripted model."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from agent.mode import Mode
from agent.wanted import Wanted
from tui.app import ParityApp

PATIENCE = 20.0
"""Seconds after which what should happen is missed."""

Behave = Callable[[Pilot[None]], Awaitable[None]]


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await pilot.pause(0.02)


@dataclass(frozen=True, slots=True)
class Drive:
    """Starts the application in a repository of its own, as often as wanted."""

    folder: Path
    state: Path

    def __call__(
        self,
        behave: Behave,
        script: str = 'steering = "free"\n[[step]]\ntext = "Well."\n',
        size: tuple[int, int] = (80, 24),
        *,
        talk: bool = False,
    ) -> None:
        """
        Args:
            behave: What the person does.
            script: What the model answers.
            talk: Whether a turn may end with an answer alone.
        """
        place = self.folder.parent / "script.toml"
        place.write_text(script, encoding="utf-8")

        async def run() -> None:
            wanted = Wanted(self.folder, {"model": f"scripted:{place}"}, mode=Mode.AUTO, talk=talk)
            async with ParityApp(wanted).run_test(size=size) as pilot:
                await behave(pilot)

        asyncio.run(run())


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drive:
    """In a small repository under git, with a state folder of its own."""
    folder, state = tmp_path / "repository", tmp_path / "state"
    folder.mkdir()
    (folder / "shop.py").write_text("def total(prices):\n    return sum(prices)\n")
    subprocess.run(["git", "init", "-q", folder], check=True)
    monkeypatch.setenv("PARITY_STATE", str(state))
    return Drive(folder, state)
