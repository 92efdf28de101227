"""A run as lines of text."""

from __future__ import annotations

import io
import json
import time

import pytest

from agent import events
from agent.approval import Choice
from agent.costs import Cost
from agent.events import Origin, Status, Totals
from agent.messages import ToolCall
from agent.models.base import Usage
from agent.printer import JsonPrinter, TextPrinter, costs
from tools.base import ToolResult
from tools.testing.reports import Gist

CALL = ToolCall("c", "run_tests", {})
END = events.TurnFinished(
    Status.VERIFIED,
    "1 test failed and pass now.",
    Totals(2, Usage(300, 200, 100, 100, 40, 40, 1.0, 4.0), 9.0, Cost(None, 1.5, 0.25, ("cards",))),
    patch="diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n-old\n+new\n+and\n",
)


def shown(*happened: events.Event, colour: bool = False, live: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    printer = TextPrinter(out, err, colour=colour, live=live)
    for event in happened:
        printer.show(event)
    return out.getvalue(), err.getvalue()


def test_the_answer_is_on_stdout_and_progress_on_stderr() -> None:
    result = ToolResult("", "tests: 1 failed", details=Gist(ok=False))
    tool = events.ToolFinished(CALL, Origin.HARNESS, result, 0.1)
    out, err = shown(events.StepStarted(1), events.Wrote("The sign is wrong."), tool, END)
    assert "The sign is wrong." in err
    assert "✗ tests: 1 failed (harness)" in err
    assert "+new" in out
    assert "verified: 1 test failed and pass now." in out
    assert "1 file changed, +2 -1" in out
    assert "2 steps · prompt 100 read / 200 reused · output 40 tokens · 10.0 tok/s · " in out
    assert "The sign" not in out


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (Cost(), []),
        (Cost(api_usd=0.01234), ["$0.0123"]),
        (Cost(api_usd=0.00001), ["under $0.0001"]),
        (Cost(api_usd=None), ["price unknown"]),
        (Cost(0.0, 1.24, None, ("cards",)), ["1.2 Wh"]),
        (Cost(0.0, 1.24, 0.00041, ("cards",)), ["1.2 Wh ($0.0004)"]),
        (Cost(0.0, 0.0312, 0.0, ("declared",)), ["0.031 Wh"]),
        (Cost(0.0, None, None), []),
        (Cost(2.5, 130.0, 0.039, ("cards",)), ["$2.5000", "130.0 Wh ($0.0390)"]),
    ],
)
def test_what_was_paid(cost: Cost, told: list[str]) -> None:
    assert costs(cost) == told
    end = events.TurnFinished(Status.VERIFIED, "Done.", Totals(1, cost=cost), patch="")
    step = events.StepFinished(1, Usage(), 0.5, 0, (), cost)
    out, err = shown(step, end)
    assert " · ".join(["output 0 tokens", *told, "0.0 s"]) in out
    assert " · ".join(["output 0", *told, "0.5 s"]) in err


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


def test_what_a_call_prints_is_one_line_that_is_overwritten() -> None:
    started = events.ToolStarted(CALL, Origin.MODEL)
    told = events.ToolPrinted("c", "first\n\x1b[2Jlast\n\n")
    bar = events.ToolPrinted("c", "", f"50% {'日' * 400}")
    finished = events.ToolFinished(CALL, Origin.MODEL, ToolResult("", "tests: 1 passed"), 0.1)
    _, err = shown(started, told, bar, finished, END, live=True)
    assert "\r\x1b[Krun_tests … 0 s  last\r\x1b[Krun_tests … 0 s  50% 日" in err
    assert "first" not in err
    assert max(len(line) for line in err.replace("\r", "\n").split("\n")) < 100
    assert "\r\x1b[K✓ tests: 1 passed\n" in err
    assert "last" not in shown(started, told, finished, END)[1]


def test_the_time_of_a_call_does_not_count_the_question() -> None:
    err = io.StringIO()
    printer = TextPrinter(io.StringIO(), err, colour=False, live=True)
    printer.show(events.ToolStarted(CALL, Origin.MODEL))
    time.sleep(0.6)
    printer.show(events.ApprovalAnswered(CALL, Choice.ONCE))
    printer.show(events.ToolPrinted("c", "begun\n"))
    assert "run_tests … 0 s  begun" in err.getvalue()


def test_where_lines_are_read_aloud_few_are_told() -> None:
    err = io.StringIO()
    printer = TextPrinter(io.StringIO(), err, colour=False, live=False, pulse=0.2)
    begun = time.monotonic()
    printer.show(events.ToolStarted(CALL, Origin.MODEL))
    for number in range(30):
        printer.show(events.ToolPrinted("c", f"line {number}\n"))
        time.sleep(0.01)
    told = err.getvalue().splitlines()
    assert 1 <= len(told) <= (time.monotonic() - begun) / 0.2
    assert told[0].startswith("run_tests … 0 s: line ")


def test_the_window_a_compaction_and_a_switch_are_told() -> None:
    meter = events.ContextMeter(3_100, 4_096, 32_768, 0.9)
    step = events.StepFinished(1, Usage(3_000, 2_700, 300), 1.0, 0, (), context=meter)
    compacted = events.Compacted("the window is nearly full", 40, 9, 30_000, 12_000, 2, ())
    switched = events.Switched("claude", 5_200, 7.2, 0.0156)
    _, err = shown(step, compacted, switched)
    assert "context 3100/32768" in err
    assert "shortened from 40 to 9 messages, about 30000 to 12000 tokens" in err
    assert "claude goes on" in err
    assert "it reads about 5200 tokens anew, about 7 s, about $0.0156" in err


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
    assert last["totals"]["cost"] == {
        "api_usd": None,
        "watt_hours": 1.5,
        "electricity_usd": 0.25,
        "sources": ["cards"],
    }
