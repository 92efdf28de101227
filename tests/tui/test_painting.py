"""What is painted is what the library would have painted."""

from __future__ import annotations

import asyncio
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from tui.painting import Painter


class Over(ModalScreen[None]):
    """Lies over it, and lets it be seen."""

    CSS = "Over { align: center middle; } Over Static { width: 20; height: 3; background: red; }"

    def compose(self) -> ComposeResult:
        yield Static("over")


class View(App[None]):
    """Widgets beside, in and over each other."""

    CSS = """
    #left { width: 13; border: round blue; }
    #long { height: 40; background: green 30%; }
    #hint { dock: bottom; height: 1; layer: top; background: red; }
    Screen { layers: base top; }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("left of it", id="left")
            with VerticalScroll():
                yield Static("\n".join(f"line {n} 語 {'x' * n}" for n in range(40)), id="long")
        yield Static("over the last line", id="hint")
        yield Footer()


REGIONS = [
    Region(0, 0, 60, 20),
    Region(5, 2, 30, 4),
    Region(20, 0, 1, 20),
    Region(0, 19, 60, 1),
]


Shown = dict[tuple[int, int], tuple[str, str]]
"""By row and column: what stands there, in which colours."""


def shown(written: str) -> Shown:
    """What a terminal makes of it."""
    found: Shown = {}
    y, x, style = 0, 0, ""
    for row, column, colours, text in re.findall(
        r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x1b])", written
    ):
        if row:
            y, x = int(row) - 1, int(column) - 1
        elif text == "\n":
            y += 1
        elif text:
            found[y, x] = text, style
            x += cell_len(text)
        else:
            style = colours
    return found


def painted(compositor: Compositor, region: Region) -> tuple[Shown, list[str]]:
    """What is sent for a region, and the whole of the screen."""
    compositor._dirty_regions.add(region)
    update = compositor.render_partial_update()
    assert isinstance(update, ChopsUpdate)
    console = Console(color_system="truecolor")
    strips = compositor.render_strips()
    there = shown(update.render_segments(console))
    inside = {(y, x): told for (y, x), told in there.items() if region.contains(x, y)}
    return inside, [strip.render(console) for strip in strips]


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("region", REGIONS)
def test_it_paints_what_the_library_paints(region: Region, over: bool) -> None:
    async def run() -> None:
        async with View().run_test(size=(60, 20)) as pilot:
            pilot.app.query_one(VerticalScroll).scroll_to(y=7, animate=False)
            if over:
                await pilot.app.push_screen(Over())
            await pilot.pause()
            screen = pilot.app.screen
            theirs, ours = Compositor(), Painter()
            for compositor in (theirs, ours):
                compositor.reflow(screen, screen.size)
                compositor._dirty_regions.clear()
            assert painted(ours, region) == painted(theirs, region)

    asyncio.run(run())
