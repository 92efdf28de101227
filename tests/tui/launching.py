"""The application as a person has it before them, with folders of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from agent.mode import Mode
from agent.wanted import Wanted
from tui.app import ParityApp

HELLO = 'steering = "free"\n[[step]]\ntext = "Hello, what can I do?"\n'
PATIENCE = 12.0
"""Seconds after which what should happen is missed."""


@dataclass(frozen=True, slots=True)
class Place:
    """A repository, and folders for what is kept."""

    folder: Path
    home: Path

    @classmethod
    def made(cls, within: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
        """A new one, for all that is started from now on; the current folder is its home."""
        place = cls(within / "repository", within / "home")
        place.folder.mkdir()
        place.home.mkdir()
        (place.folder / "shop.py").write_text("PRICE = 1\n")
        subprocess.run(["git", "init", "-q", place.folder], check=True)
        for name, value in (
            ("PARITY_STATE", place.state),
            ("PARITY_CONFIG", place.config),
            ("PARITY_MODELS", place.home / "models"),
            ("XDG_CACHE_HOME", place.home / "cache"),
        ):
            monkeypatch.setenv(name, str(value))
        monkeypatch.chdir(place.home)
        return place

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    @property
    def state(self) -> Path:
        return self.home / "state"

    def wanted(self, model: str | None = None) -> Wanted:
        """
        Args:
            model: As the option has it; None: one that plays a script.
        """
        script = self.home / "script.toml"
        script.write_text(HELLO, encoding="utf-8")
        return Wanted(self.folder, {"model": model or f"scripted:{script}"}, mode=Mode.ASK)

    def app(self, environ: Mapping[str, str] | None = None) -> ParityApp:
        return ParityApp(self.wanted(), environ or {})


async def until(
    pilot: Pilot[Any], condition: Callable[[], object], seconds: float = PATIENCE
) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, seen(pilot)
        await pilot.pause(0.02)


def seen(pilot: Pilot[Any]) -> str:
    """The text on the screen."""
    screen = pilot.app.screen
    return "\n".join(strip.text for strip in screen._compositor.render_strips())
