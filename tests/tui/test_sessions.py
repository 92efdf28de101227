"""Sessions on the screen: listed, searched, resumed, renamed, exported, deleted, played."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from agent.session import sessions
from tests.tui.launching import Place, seen, until
from tui.app import ParityApp
from tui.screens.play import Play
from tui.screens.session import SessionScreen
from tui.screens.sessions import Sessions
from tui.widgets.prompt import Prompt


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place.made(tmp_path, monkeypatch)
    for task in ("mend the roof", "paint the door"):
        asyncio.run(_talk(made.app(), task))
    return made


async def _talk(app: ParityApp, task: str) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await _say(pilot, task)


async def _say(pilot: Pilot[Any], text: str) -> None:
    before = seen(pilot).count("Hello, what can I do?")
    pilot.app.screen.query_one(Prompt).focus()
    await pilot.press(*text, "enter")
    await until(pilot, lambda: seen(pilot).count("Hello, what can I do?") > before)


async def _listed(pilot: Pilot[Any]) -> None:
    await pilot.press("ctrl+o")
    await until(pilot, lambda: "mend the roof" in seen(pilot))


def test_a_session_is_found_and_goes_on(place: Place) -> None:
    async def work() -> None:
        async with place.app().run_test(size=(100, 30)) as pilot:
            await _listed(pilot)
            await pilot.press("slash", *"roof")
            await until(pilot, lambda: "paint the door" not in seen(pilot))
            await pilot.press("enter", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))
            await until(pilot, lambda: "Hello, what can I do?" in seen(pilot))
            assert "mend the roof" in seen(pilot)  # what was said before is here
            await _say(pilot, "and the wall")

    asyncio.run(work())
    (roof,) = [info for info in sessions(place.state) if "roof" in info.task]
    assert roof.record.read_text().count('"event": "turn_started"') == 2


def test_a_session_is_renamed_exported_and_deleted(place: Place) -> None:
    async def work() -> None:
        async with place.app().run_test(size=(100, 40)) as pilot:
            await _listed(pilot)
            await pilot.press("n", *"red door", "enter")
            await until(pilot, lambda: "Renamed to red door" in seen(pilot))
            listed = pilot.app.screen
            assert isinstance(listed, Sessions)
            await until(pilot, lambda: listed._hits[0].overview.heading == "red door")
            await pilot.press("n", "end", *" in May", "enter")  # what it is called stands there
            await until(pilot, lambda: "Renamed to red door in May" in seen(pilot))
            await pilot.press("e", "enter")
            await until(pilot, lambda: list(place.home.glob("session-*.md")))
            await pilot.press("e", "enter")  # a file that is there stays
            await until(pilot, lambda: "is there already and stays" in seen(pilot))
            await pilot.press("d")
            await pilot.pause()
            assert len(list(sessions(place.state))) == 2
            await pilot.press("d")
            await until(pilot, lambda: len(list(sessions(place.state))) == 1)

    asyncio.run(work())
    (left,) = sessions(place.state)
    assert left.task == "mend the roof"
    (written,) = place.home.glob("session-*.md")
    assert "paint the door" in written.read_text()


def test_a_session_is_forked(place: Place) -> None:
    async def work() -> None:
        async with place.app().run_test(size=(100, 30)) as pilot:
            await _listed(pilot)
            await pilot.press("f")
            await until(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))
            await until(pilot, lambda: "Hello, what can I do?" in seen(pilot))
            await _say(pilot, "in green")

    asyncio.run(work())
    assert len(list(sessions(place.state))) == 3


def test_a_session_is_played(place: Place) -> None:
    async def work() -> None:
        async with place.app().run_test(size=(100, 30)) as pilot:
            await _listed(pilot)
            await pilot.press("p")
            await until(pilot, lambda: isinstance(pilot.app.screen, Play))
            await pilot.press("space")
            screen = pilot.app.screen
            assert isinstance(screen, Play)
            assert screen.paused
            was = screen.shown
            await pilot.press("right")
            await until(pilot, lambda: screen.shown == was + 1 or screen.ended)
            await pilot.press("4")
            await until(pilot, lambda: screen.ended)
            await until(pilot, lambda: "Hello, what can I do?" in seen(pilot))
            await pilot.press("escape")
            assert isinstance(pilot.app.screen, Sessions)
            await pilot.press("escape")
            assert isinstance(pilot.app.screen, SessionScreen)

    asyncio.run(work())
    assert len(list(sessions(place.state))) == 2  # to watch changes nothing
