"""What a program at work prints, as the conversation shows it."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from agent import events
from agent.events import Origin, Status, ToolPrinted, Totals
from agent.messages import ToolCall
from tests.tui.test_transcript import (
    FORBIDDEN,
    HOSTILE,
    call,
    long,
    read,
    see,
    settled,
    shown,
    started,
)
from tools.base import ToolResult
from tools.live import Piece
from tui.blocks.entries import Call
from tui.blocks.printed import Printed
from tui.widgets.transcript import Transcript

RUN = call("run", argv=["make", "all"])
ENDED = events.ToolFinished(RUN, Origin.MODEL, ToolResult("exit code 0\nall", "run: make"), 0.2)


def begin(view: Transcript, made: ToolCall = RUN) -> None:
    started(view)
    view.show(events.ToolStarted(made, Origin.MODEL))


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number} {'x' * 200}\n" for number in range(first, last))


def test_the_last_lines_stand_under_the_call_until_it_ends() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begin(view)
        await settled(pilot)
        assert "run make all" in shown(pilot)
        view.show(ToolPrinted(RUN.id, "\n", "begun"))
        await settled(pilot)
        assert "begun" in shown(pilot)
        view.show(ToolPrinted(RUN.id, numbered(0, 9), "  9 %"))
        await settled(pilot)
        lines = [line.strip() for line in read(pilot)]
        at = next(number for number, line in enumerate(lines) if "run make all" in line)
        assert [line[:7] for line in lines[at + 1 : at + 7]] == [
            "line 5 ", "line 6 ", "line 7 ", "line 8 ", "9 %", "",
        ]  # fmt: skip
        view.show(ToolPrinted(RUN.id, "", " 10 %"))
        await settled(pilot)
        assert " 10 %" in shown(pilot)
        assert " 9 %" not in shown(pilot)
        view.show(ENDED)
        await settled(pilot)
        assert "line 8" not in shown(pilot)
        assert "run: make" in shown(pilot)

    see(behave)


def test_opened_it_shows_all_and_goes_on() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begin(view)
        view.show(ToolPrinted(RUN.id, numbered(0, 3)))
        await settled(pilot)
        view.focus()
        await pilot.press("up", "enter")
        await settled(pilot)
        assert "line 0" in shown(pilot)
        view.show(ToolPrinted(RUN.id, "more\n", "and"))
        await settled(pilot)
        await pilot.press("end")
        await settled(pilot)
        assert "more" in shown(pilot)
        assert "and" in shown(pilot)
        await pilot.press("c")
        assert "line 0" in pilot.app.clipboard
        assert pilot.app.clipboard.endswith("more\nand")
        view.show(ENDED)
        await settled(pilot)
        assert "exit code 0" in shown(pilot)  # open still, with its result
        assert "line 0" not in shown(pilot)

    see(behave)


def test_opened_before_it_has_said_anything() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begin(view)
        await settled(pilot)
        view.focus()
        await pilot.press("up", "enter")
        await settled(pilot)
        view.show(ToolPrinted(RUN.id, "the first word\n"))
        await settled(pilot)
        assert "the first word" in shown(pilot)

    see(behave)


def test_interrupted_it_keeps_the_last_words() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begin(view)
        view.show(ToolPrinted(RUN.id, "goodbye\n"))
        view.show(events.TurnFinished(Status.INTERRUPTED, "Interrupted.", Totals(), ""))
        await settled(pilot)
        assert "interrupted" in shown(pilot)
        assert "goodbye" in shown(pilot)

    see(behave)


def test_what_one_reads_further_up_stays() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        view.load(long(60))
        begin(view)
        await settled(pilot)
        view.focus()
        await pilot.press("pageup", "pageup")
        await settled(pilot)
        before = read(pilot)
        for number in range(8):
            view.show(ToolPrinted(RUN.id, f"line {number}\n"))
            await settled(pilot)
            assert read(pilot) == before
        view.show(ENDED)
        await settled(pilot)
        assert read(pilot) == before

    see(behave)


@pytest.mark.parametrize("text", [HOSTILE, "x" * 1_000_000, "a\r" * 10_000 + "b"])
def test_hostile_output_neither_leaks_nor_stops_anything(text: str) -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        for opened in (False, True):
            made = call("run", int(opened), argv=["x"])
            begin(view, made)
            for _ in range(3):
                view.show(ToolPrinted(made.id, f"{text}\n" * 3, text, 12))
                await settled(pilot)
                assert not [part for part in FORBIDDEN if part in shown(pilot)]
            entry = view.story.entries[-1]
            assert isinstance(entry, Call)
            entry.open = opened
            view.touch([entry])
            await settled(pilot)
            assert not [part for part in FORBIDDEN if part in shown(pilot)]
            assert not [part for part in FORBIDDEN if part in entry.copied]

    see(behave)


def test_a_flood_keeps_head_and_tail() -> None:
    printed = Printed()
    printed.write(Piece("first\n"))
    for number in range(2_000):
        printed.write(Piece("y\n" * 4_000, "half", number))
    assert printed.last(2) == ["y", "half"]
    assert sum(map(len, (printed.head, *printed.tail))) < 130_000
    lines = printed.lines(400)
    assert len(lines) <= 401
    assert (lines[0], lines[-1]) == ("first", "half")
    assert printed.whole == ""


def test_an_unfinished_line_gives_way_to_the_next() -> None:
    printed = Printed()
    for piece in (Piece("", "tw"), Piece("two\n", "thr"), Piece("", "three")):
        printed.write(piece)
    assert printed.lines(9) == ["two", "three"]
    assert printed.last(5) == ["two", "three"]
    assert printed.whole == "two\nthree"


def test_of_a_run_that_was_not_told_whole_nothing_is_counted() -> None:
    printed = Printed()
    printed.write(Piece("test_a.py ..\n", left_out=12))
    assert printed.lines(9) == ["… 12 bytes left out …", "test_a.py .."]
    assert printed.whole == ""
