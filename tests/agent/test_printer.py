"""A run as lines of text."""

from __future__ import annotations

import io
import json

from agent import events
from agent.events import Origin, Status, Totals
from agent.messages import ToolCall
from agent.models.base import Usage
from agent.printer import JsonPrinter, TextPrinter
from tools.base import ToolResult

CALL = ToolCall("c", "run_tests", {})
END = events.TurnFinished(
    Status.VERIFIED,
    "1 test failed and pass now.",
    Totals(2, Usage(300, 200, 100, 100, 40, 40, 1.0, 4.0), 9.0),
    patch="diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n-old\n+new\n+and\n",
)


def shown(*happened: events.Event, colour: bool = False, live: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    printer = TextPrinter(out, err, colour=colour, live=live)
    for event in happened:
        printer.show(event)
    return out.getvalue(), err.getvalue()


def test_the_answer_is_on_stdout_and_progress_on_stderr() -> None:
    tool = events.ToolFinished(CALL, Origin.HARNESS, ToolResult("", "tests: 1 failed"), 0.1)
    out, err = shown(events.StepStarted(1), events.Wrote("The sign is wrong."), tool, END)
    assert "The sign is wrong." in err
    assert "✓ tests: 1 failed (harness)" in err
    assert "+new" in out
    assert "verified: 1 test failed and pass now." in out
    assert "1 file changed, +2 -1" in out
    assert "2 steps · prompt 100 read / 200 reused · output 40 tokens · 10.0 tok/s · 9.0 s" in out
    assert "The sign" not in out


def test_reasoning_and_text_stand_on_lines_of_their_own() -> None:
    pieces = (("Hm", True), (".", True), ("It is", False), (" the sign.", False))
    _, err = shown(*(events.Wrote(text, reasoning) for text, reasoning in pieces), END)
    assert err.startswith("Hm.\nIt is the sign.\n")


def test_waiting_and_calls_are_shown_where_a_line_can_be_rewritten() -> None:
    seen = (events.Waiting(2.0), events.WroteCall("edit", '{"path'), END)
    assert "asking again in 2 s" in shown(*seen, live=True)[1]
    assert "writing edit …" in shown(*seen, live=True)[1]
    assert "asking" not in shown(*seen)[1]


def test_without_colour_there_is_no_escape() -> None:
    tool = events.ToolFinished(CALL, Origin.MODEL, ToolResult("", "x"), 0.1)
    assert "\x1b" not in "".join(shown(events.PromptReading(1, 2), tool, END))


def test_hostile_text_cannot_steer_the_terminal() -> None:
    hostile = "\x1b]52;c;aGk=\x07\x9b2J"
    tool = events.ToolFinished(CALL, Origin.MODEL, ToolResult("", hostile), 0.1)
    end = events.TurnFinished(
        Status.FAILED, hostile, Totals(), patch=END.patch.replace("new", hostile)
    )
    text = "".join(shown(events.Wrote(hostile), tool, events.Notice(hostile), end))
    assert "\x1b" not in text
    assert "\x9b" not in text


def test_a_live_line_is_overwritten() -> None:
    _, err = shown(events.PromptReading(1, 9), events.PromptReading(9, 9), END, live=True)
    assert "reading 1 of 9 tokens" in err
    assert "\r\x1b[K" in err


def test_json_is_one_event_a_line() -> None:
    out = io.StringIO()
    printer = JsonPrinter(out)
    printer.show(events.ToolStarted(CALL, Origin.HARNESS))
    printer.show(END)
    first, last = (json.loads(line) for line in out.getvalue().splitlines())
    assert first["event"] == "tool_started"
    assert first["origin"] == "harness"
    assert last["status"] == "verified"
    assert last["totals"]["usage"]["reused"] == 200
