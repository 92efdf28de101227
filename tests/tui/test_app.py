"""What holds on every screen: themes, help, errors, letters that steer, calls, the way out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment
from textual.color import Color
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from agent.errors import ExitCode
from tests.e2e.command import wait_for
from tests.tui.launching import Place, seen, until
from tui.attention import call
from tui.engine import Engine, Failed, Rested
from tui.filters import Harmless
from tui.screens.help import Help
from tui.screens.session import SessionScreen
from tui.widgets.prompt import Prompt


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place.made(tmp_path, monkeypatch)


class Boom(Message):
    """Makes the handler below raise."""


class Fragile(Static):
    """A widget with a fault, among the others."""

    def on_boom(self) -> None:
        raise ZeroDivisionError("a fault [red]of[/] ours\x1b[2J sk-canary-0123456789abcdef")


def test_an_error_is_told_and_lived_with(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-canary-0123456789abcdef")

    async def work(pilot: Pilot[Any]) -> None:
        fragile = Fragile("here")
        await pilot.app.screen.mount(fragile)
        fragile.post_message(Boom())
        await until(pilot, lambda: "ZeroDivisionError" in seen(pilot))
        assert "[red]of[/]" in seen(pilot)
        assert fragile.is_running
        pilot.app.screen.query_one(Prompt).write("still here")
        await until(pilot, lambda: "still here" in seen(pilot))
        pilot.app.exit(return_code=7)

    assert play(place, work) == 7
    log = place.state / "errors.log"
    assert "in on_boom" in log.read_text()
    assert "canary" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_errors_without_end_end_it_in_order(place: Place) -> None:
    async def work(pilot: Pilot[Any]) -> None:
        fragile = Fragile("here")
        await pilot.app.screen.mount(fragile)
        for _ in range(40):
            fragile.post_message(Boom())

    assert play(place, work) == ExitCode.FAILED


def play(place: Place, work: Callable[[Pilot[Any]], Awaitable[None]]) -> int | None:
    """What the application ends with; `run_test` would raise the error that it lives with."""
    app = place.app()

    async def begin(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(app.screen, SessionScreen))
        await work(pilot)

    asyncio.run(asyncio.wait_for(app.run_async(headless=True, auto_pilot=begin), 30))
    return app.return_code


def test_an_error_in_the_sessions_thread_is_a_message(place: Place) -> None:
    posted: list[Message] = []
    engine = Engine(posted.append)
    engine.open(None)  # type: ignore[arg-type]  # a fault of ours
    engine.open(place.wanted())
    engine.run("hello")
    wait_for(lambda: sum(isinstance(message, Rested) for message in posted) == 2)
    engine.close(5)
    assert isinstance(posted[0], Failed)
    assert {"Opened", "Reported"} <= {type(message).__name__ for message in posted}


def test_help_has_the_keys_that_are_bound(place: Place) -> None:
    async def work() -> None:
        async with place.app().run_test(size=(80, 60)) as pilot:
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(pilot.app.screen, Help))
            await pilot.pause()
            shown = seen(pilot)
            for key, meaning in (("Esc", "Interrupt"), ("Ctrl+O", "The sessions"), ("?", "Help")):
                assert re.search(rf"{re.escape(key)} +{meaning}", shown), (key, shown)
            await pilot.press("escape")
            prompt = pilot.app.screen.query_one(Prompt)
            await pilot.press("a", "question_mark")  # in a text it is a letter
            assert prompt.text == "a?"

    asyncio.run(work())


def test_a_theme_is_kept_and_what_else_is_in_the_file_too(place: Place) -> None:
    place.config.write_text('# mine\nmax_steps = 7  # few\ntheme = "dark" # night\n')

    async def choose() -> None:
        async with place.app().run_test() as pilot:
            assert pilot.app.theme == "dark"
            pilot.app.theme = "contrast"
            await pilot.pause()

    async def look() -> None:
        async with place.app().run_test() as pilot:
            assert pilot.app.theme == "contrast"

    asyncio.run(choose())
    assert place.config.read_text() == '# mine\nmax_steps = 7  # few\ntheme = "contrast"\n'
    asyncio.run(look())


@pytest.mark.parametrize("theme", ["dark", "light", "contrast", "ansi", "nord", "no such"])
def test_every_theme_can_be_drawn(place: Place, theme: str) -> None:
    place.config.write_text(f'theme = "{theme}"\n')

    async def work() -> None:
        async with place.app().run_test() as pilot:
            await until(pilot, lambda: "Leave" in seen(pilot))
            assert pilot.app.theme == ("dark" if theme == "no such" else theme)

    asyncio.run(work())


def test_letters_that_steer_a_terminal_are_replaced() -> None:
    text = "a\x1b[2J\x07\x9b\u202eb"
    (segment,) = Harmless().apply([Segment(text)], Color(0, 0, 0))
    assert segment.text == "a\ufffd[2J\ufffd\ufffdb"
    plain = [Segment("plain"), Segment("\x1b[0m", None, [(1,)])]  # type: ignore[list-item]
    assert Harmless().apply(plain, Color(0, 0, 0)) is plain


def test_what_calls_the_user() -> None:
    assert call("x", {}) == "\a"
    assert call("x\x1b[2J\x07y", {"TERM_PROGRAM": "ghostty"}) == "\x1b]9;x\\x07y\x1b\\"
    assert call("x", {"KITTY_WINDOW_ID": "1", "TMUX": "s"}) == "\a"


def test_a_first_run_offers_what_there_is(place: Place) -> None:
    async def work() -> None:
        app = place.app()
        app._wanted = place.wanted("qwen2.5-coder-1.5b")
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: "Paste a key for Claude" in seen(pilot))
            shown = seen(pilot)
            assert "GiB free of" in shown
            assert "agent models pull" in shown
            await pilot.press("escape")
            await pilot.press(*"hi", "enter")  # it comes back: there is nothing to work with
            await until(pilot, lambda: "Paste a key for Claude" in seen(pilot))

    asyncio.run(work())
