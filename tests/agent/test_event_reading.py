"""Every kind of event comes back from its JSON as it was."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from agent import events
from agent.approval import Choice
from agent.costs import Cost
from agent.event_reading import from_json
from agent.events import Event, Origin, Status, to_json
from agent.messages import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import Usage
from tools.action import Command, FileChange
from tools.base import ToolResult
from tools.testing.reports import Gist

CALL = ToolCall("c1", "run", {"argv": ["a", "b\udcff"], "network": True, "deep": {"x": None}})
RESULT = ToolResult("text\n\x1b[31m", "line", ok=False)
COST = Cost(None, 1.5, None, ("cards",))
USAGE = Usage(9, 4, 5, 5, 3, 3, 0.5, 0.25, 2)
COMMAND = Command(("ls", "-l"), "/w", "/bin/ls", (("A", "b"),), True, ("t::x",))
EVENTS: list[Event] = [
    events.TurnStarted("Mend it.", "m", "free", "/w", "pytest", "found", "none", 3),
    events.Said(SystemMessage("s")),
    events.Said(UserMessage("héllo")),
    events.Said(
        AssistantMessage("t", "r", (CALL,), ("bad",), "raw", (1, 2), "m", '{"a": 1}', ("m",))
    ),
    events.Said(ToolMessage((ToolOutput("c1", "run", "out", False),))),
    events.StepStarted(2),
    events.PromptReading(3, 9),
    events.Wrote("text", True),
    events.WroteCall("run", '{"a'),
    events.Waiting(2.5),
    events.StepFinished(2, USAGE, 1.5, 1, ("bad",), COST, events.ContextMeter(1, 2, 3, 0.5)),
    events.ToolStarted(CALL, Origin.HARNESS),
    events.ToolPrinted("c1", "one\n", "tw", 7),
    events.ApprovalAsked(CALL, Origin.MODEL, COMMAND, "why", "rule", (Choice.ONCE, Choice.DENY)),
    events.ApprovalAsked(CALL, Origin.MODEL, FileChange("a", "patch", ""), "why", "", ()),
    events.ApprovalAsked(CALL, Origin.MODEL, None, "why", "", ()),
    events.ApprovalAnswered(CALL, Choice.DENY, "no", True),
    events.ToolFinished(CALL, Origin.MODEL, RESULT, 0.5),
    events.ToolFinished(
        CALL, Origin.MODEL, ToolResult("o", "d", details=FileChange("a", "patch", "b")), 0.5
    ),
    events.ToolFinished(
        CALL, Origin.MODEL, ToolResult("o", "d", details=Gist(False, "failed t", "E 1")), 0.5
    ),
    events.Rewound(3, "back", 2),
    events.Compacted("full", 9, 4, 900, 300, 1, (UserMessage("short"), SystemMessage("x"))),
    events.Switched("m", 5, None, 0.25, "scripted:m"),
    events.Notice("told"),
    events.TurnFinished(
        Status.STEP_LIMIT, "why", events.Totals(3, USAGE, 2.5, COST, 1), "patch\n", ("a",), "plan"
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_it_comes_back(event: Event) -> None:
    assert from_json({**json.loads(json.dumps(to_json(event))), "at": 1.5}) == event


def test_no_kind_is_left_out() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


def test_older_records_lack_what_was_added_since() -> None:
    assert from_json({"event": "rewound", "messages": 3, "reason": "x"}) == events.Rewound(3, "x")


@pytest.mark.parametrize(
    "plain", [{}, {"event": "session"}, {"event": "notice"}, {"event": "said", "message": 3}]
)
def test_what_is_no_event_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(plain)


@pytest.mark.parametrize(
    "details",
    [
        {"change": {"path": ["a"], "patch": 3, "basis": ""}},
        {"change": {"path": "a"}},
        {"change": "a"},
        {"tests": {"ok": True, "failure": ["a"]}},
        {"tests": None},
    ],
)
def test_details_of_another_form_are_refused(details: dict[str, object]) -> None:
    plain = to_json(events.ToolFinished(CALL, Origin.MODEL, RESULT, 0.5))
    with pytest.raises(ValueError, match="validation error"):
        from_json({**plain, "result": {**plain["result"], **details}})


def test_a_change_may_have_fields_that_are_not_known_yet() -> None:
    change = FileChange("a", "patch", "b")
    told = events.ToolFinished(CALL, Origin.MODEL, ToolResult("o", "d", details=change), 0.5)
    plain = to_json(told)
    plain["result"]["change"]["mode"] = 0o644
    assert from_json(plain) == told
