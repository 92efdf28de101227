"""Pictures of the screen, compared with those that were taken when somebody looked at them.

A scripted model works through the real loop, with real git and tests. What differs from run to
run, times and counted tokens, is drawn as one figure. After a wanted change of the looks:

    pytest tests/tui/test_looks.py --snapshot-update

and look at what `git diff --stat` names: a browser shows it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import ClassVar

import pytest
from rich.segment import Segment
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.color import Color
from textual.filter import LineFilter
from textual.pilot import Pilot
from textual.widgets import TextArea

from agent.mode import Mode
from agent.wanted import Wanted
from tests.e2e.repositories import example, git
from tests.tui.launching import until
from tools.sandbox import Tier
from tui.app import ParityApp
from tui.screens.session import SessionScreen
from tui.screens.sessions import Sessions
from tui.widgets.approval import Approval
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine

ROOT = Path(__file__).parents[2]
TUI = ROOT / "tui"
TASK = "Tax is too high on invoices with a discount."
DEMO = ROOT / "docs" / "demo.toml"
A_TURN = 60.0
"""Seconds after which a turn with two runs of the tests has failed."""
SIZES = (((80, 24), "dark"), ((120, 40), "light"))
"""Each with the theme of the pictures that are taken in one alone."""
_VARYING = (
    (r"\d+(\.\d)? s\b", "0 s"),
    (r"prompt \d+ read / \d+ reused", "prompt 0 read / 0 reused"),
    (r"[\d.]+k?(?=/32\.8k)", "0"),
    (r"\d+% cached", "0% cached"),
    (r"just now|\d+ \w+ ago", "just now"),
    ("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠋"),
)
_GAP = " " * 3
"""What is no space between two words."""


class Steady(LineFilter):
    """Draws what differs from run to run as if it did not, each line as long as it was."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        drawn, gained = [], 0
        for text, style, control in segments:
            steady = text
            for pattern, told in _VARYING:
                steady = re.sub(pattern, told, steady)
            gained += len(text) - len(steady)
            if gained < 0 and steady.endswith(" " * -gained):
                steady, gained = steady[:gained], 0
            elif gained > 0 and steady.endswith(_GAP):  # not at the line's end: a bar is there
                steady, gained = steady + " " * gained, 0
            drawn.append(Segment(steady, style, control))
        if gained > 0:
            drawn.append(Segment(" " * gained, drawn[-1].style))
        return drawn


class SteadyApp(ParityApp):
    """The application, drawn the same whenever it is drawn."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [TUI / name for name in ParityApp.CSS_PATH]

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), Steady()]


class Picture(SingleFileSnapshotExtension):
    """One picture, one file that a browser shows."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def pictures(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Picture)


@dataclass(frozen=True, slots=True)
class Sitter:
    """The screen, and whoever takes its pictures."""

    pilot: Pilot[None]
    pictures: SnapshotAssertion

    @classmethod
    async def begin(cls, pilot: Pilot[None], pictures: SnapshotAssertion) -> Sitter:
        """Open the session and ask for the repair."""
        screen = pilot.app.screen
        assert isinstance(screen, SessionScreen)
        await until(pilot, lambda: screen.conversation is not None and screen.mode is not None)
        assert screen.conversation is not None
        if screen.conversation.sandbox.tier is not Tier.BUBBLEWRAP:
            pytest.skip("needs bubblewrap: a weaker sandbox is announced on the screen")
        screen.query_one(StatusLine)._tier = None  # its name is the longest part of the line
        screen.query_one(Prompt).write(TASK)
        await pilot.press("enter")
        return cls(pilot, pictures)

    async def take(self, name: str, *themes: str) -> None:
        """Compare the screen with its pictures, one for each theme."""
        for area in self.pilot.app.screen_stack[-1].query(TextArea):
            area.cursor_blink = False
        for theme in themes:
            self.pilot.app.theme = theme
            seen, before = await self._drawn(), ""
            while seen != before:
                before, seen = seen, await self._drawn()
            assert seen == self.pictures(name=f"{name}-{theme}")

    async def _drawn(self) -> str:
        await self.pilot.pause(0.3)
        return self.pilot.app.export_screenshot(title="Parity")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example under git, with folders of its own for what is kept."""
    made = example("wrong_formula", tmp_path / "shop")
    git(made, "init", "-q", "-b", "main")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "one")
    for name in ("STATE", "CONFIG", "MODELS"):
        monkeypatch.setenv(f"PARITY_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    return made


def app(repository: Path, mode: Mode) -> SteadyApp:
    return SteadyApp(Wanted(repository, {"model": f"scripted:{DEMO}"}, mode=mode), {})


@pytest.mark.parametrize(("size", "theme"), SIZES, ids=["80x24", "120x40"])
def test_a_turn_that_is_verified(
    repository: Path, pictures: SnapshotAssertion, size: tuple[int, int], theme: str
) -> None:
    async def sit() -> None:
        shown = app(repository, Mode.AUTO)
        async with shown.run_test(size=size) as pilot:
            screen = shown.screen
            assert isinstance(screen, SessionScreen)
            sitter = await Sitter.begin(pilot, pictures)
            await until(pilot, lambda: screen.at_work)
            await until(pilot, lambda: not screen.at_work, A_TURN)
            await sitter.take("verified", "dark", "light")
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(shown.screen, Sessions) and shown.screen._hits)
            await sitter.take("sessions", theme)

    asyncio.run(sit())


@pytest.mark.parametrize(("size", "theme"), SIZES, ids=["80x24", "120x40"])
def test_a_question_about_a_change(
    repository: Path, pictures: SnapshotAssertion, size: tuple[int, int], theme: str
) -> None:
    async def sit() -> None:
        shown = app(repository, Mode.ASK)
        async with shown.run_test(size=size) as pilot:
            sitter = await Sitter.begin(pilot, pictures)
            question = shown.screen.query_one(Approval)
            await until(pilot, lambda: question.armed and "command" in _title(question), A_TURN)
            await pilot.press("y")
            await until(pilot, lambda: question.armed and "invoice.py" in _title(question), A_TURN)
            await sitter.take("question", theme)

    asyncio.run(sit())


def _title(question: Approval) -> str:
    return "".join(str(found.render()) for found in question.query(".title"))
