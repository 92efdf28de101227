"""Markdown that grows: what of it is drawn anew, and that it looks as if it had been there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.strip import Strip

from tui.base import BaseApp
from tui.blocks.markdown import Document
from tui.blocks.text import MarkdownText
from tui.themes import DARK

CODE = "".join(f"    line_{number} = {number}\n" for number in range(30))
TEXT = f"# Title\n\nSome *text*.\n\n```python\n{CODE}```\n\nThe **end**.\n\n- one\n- two\n"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A theme that is chosen is kept in the settings, and these are not the user's."""
    monkeypatch.setenv("PARITY_CONFIG", str(tmp_path / "config.toml"))


class Counting(MarkdownText):
    """Counts the lines that it draws."""

    DEFAULT_CSS = "Counting { height: auto; border-left: blank; padding: 0 1; }"
    drawn = 0

    def render_line(self, y: int) -> Strip:
        self.drawn += 1
        return super().render_line(y)


class View(BaseApp):
    """A text alone."""

    CSS_PATH = []  # noqa: RUF012  as the library has it

    def __init__(self, text: str) -> None:
        super().__init__(Path(), {"theme": DARK.name}, {})
        self.widget = Counting(text)

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.widget


Behave = Callable[[Pilot[None], Counting], Awaitable[None]]


def see(text: str, behave: Behave) -> list[str]:
    """What is seen, with its colours, once something was done."""

    async def run() -> list[str]:
        app = View(text)
        async with app.run_test(size=(60, 50)) as pilot:
            await settled(pilot)
            await behave(pilot, app.widget)
            await settled(pilot)
            strips = app.screen._compositor.render_strips()
            return [strip.render(app.console) for strip in strips]

    return asyncio.run(run())


async def settled(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    for _ in range(3):
        await pilot.pause(0.05)


def strips_of(pilot: Pilot[None]) -> list[Strip]:
    """What is seen."""
    return pilot.app.screen._compositor.render_strips()


async def nothing(pilot: Pilot[None], widget: Counting) -> None:
    """It stays as it is."""


async def grow(pilot: Pilot[None], widget: Counting) -> None:
    for at in range(0, len(TEXT), 37):
        widget.write(TEXT[at : at + 37])
        await pilot.pause(0.02)


def test_what_has_grown_looks_as_if_it_had_been_there() -> None:
    assert see("", grow) == see(TEXT, nothing)


def test_what_was_drawn_follows_the_theme_and_the_width() -> None:
    async def change(pilot: Pilot[None], widget: Counting) -> None:
        pilot.app.theme = "textual-light"
        await settled(pilot)
        await pilot.resize_terminal(44, 50)

    async def first(pilot: Pilot[None], widget: Counting) -> None:
        widget.replace("")
        await change(pilot, widget)
        widget.write(TEXT)

    dark = see(TEXT, nothing)
    light = see(TEXT, change)
    assert light == see(TEXT, first)
    assert light != dark


def test_a_selection_is_seen_and_goes() -> None:
    async def select(pilot: Pilot[None], widget: Counting) -> None:
        widget.text_select_all()

    async def leave(pilot: Pilot[None], widget: Counting) -> None:
        await select(pilot, widget)
        await settled(pilot)
        pilot.app.screen.clear_selection()

    plain = see(TEXT, nothing)
    assert see(TEXT, select) != plain
    assert see(TEXT, leave) == plain


def test_what_is_drawn_ahead_of_its_place_looks_as_if_it_were_in_it() -> None:
    def grown(*, lay_out: bool) -> list[str]:
        async def behave(pilot: Pilot[None], widget: Counting) -> None:
            view = pilot.app.query_one(VerticalScroll)
            view.anchor()
            await settled(pilot)
            for number in range(10):
                widget.write(f"    more_{number} = {number}\n", lay_out=lay_out)
                await settled(pilot)
            assert widget.ahead == (0 if lay_out else 10)
            # The scrollbar is told the height by the layout.
            seen.extend(strip.crop(0, 56).text for strip in strips_of(pilot))
            widget.lay_out()
            await settled(pilot)
            assert widget.ahead == 0
            assert [strip.crop(0, 56).text for strip in strips_of(pilot)] == seen

        seen: list[str] = []
        see(f"```python\n{CODE * 2}", behave)
        return seen

    assert grown(lay_out=False) == grown(lay_out=True)


@pytest.mark.parametrize("lay_out", [False, True])
def test_what_is_as_high_again_as_it_was_laid_out_is_in_its_place(lay_out: bool) -> None:
    async def behave(pilot: Pilot[None], widget: Counting) -> None:
        widget.write("\n*", lay_out=False)
        assert widget.ahead == 1
        widget.write("*", lay_out=lay_out)  # no item any more: the line above goes on
        assert widget.ahead == 0

    assert see("* a", behave) == see("* a\n**", nothing)


def test_code_that_is_coloured_stays_so_when_more_follows() -> None:
    document = Document()
    document.lines(40)
    document.write(f"```python\n{CODE * 3}```\n")
    (code,) = document.plain_code()
    code.coloured = True
    for piece in ("\n", "The ", "end.\n\n", "Really."):
        document.write(piece)
        assert not document.plain_code()


def test_lines_that_stay_are_not_drawn_again() -> None:
    async def behave(pilot: Pilot[None], widget: Counting) -> None:
        widget.drawn = 0
        for number in range(10):
            widget.write(f"    more_{number} = {number}\n")
            await settled(pilot)
        assert 10 <= widget.drawn <= 30

    see(f"```python\n{CODE}", behave)


def test_figures_of_a_table_stand_at_the_right_where_it_says_so() -> None:
    table = "| field | due |\n|---|---:|\n| subtotal | 100.00 |\n| tax | 9.00 |\n"
    rows = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(see(table, nothing)))
    assert "│    due" in rows
    assert "│   9.00" in rows
