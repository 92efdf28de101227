"""How often what has changed is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from textual.app import App
from textual.widgets import Static

from tui.blocks.entries import Entry, Remark
from tui.blocks.pace import Pace


def test_what_is_touched_together_is_drawn_once() -> None:
    async def run() -> list[list[Entry]]:
        drawn: list[list[Entry]] = []

        async def draw(touched: Iterable[Entry]) -> None:
            drawn.append(list(touched))

        app, widget = App[None](), Static()
        async with app.run_test() as pilot:
            await app.mount(widget)
            pace = Pace(widget, draw)
            for entry in entries:
                pace.touch([entry])
            pace.hurry()
            await pilot.pause(0.1)
        return drawn

    entries = [Remark("one"), Remark("two")]
    assert asyncio.run(run()) == [entries]


def test_what_is_touched_while_it_is_drawn_is_drawn_next() -> None:
    async def run() -> list[list[Entry]]:
        drawn: list[list[Entry]] = []

        async def draw(touched: Iterable[Entry]) -> None:
            drawn.append(list(touched))
            if len(drawn) == 1:
                pace.touch([late])
                pace.hurry()

        app, widget = App[None](), Static()
        async with app.run_test() as pilot:
            await app.mount(widget)
            pace = Pace(widget, draw)
            pace.touch([first])
            await pilot.pause(0.2)
        return drawn

    first, late = Remark("first"), Remark("late")
    assert asyncio.run(run()) == [[first], [late]]
