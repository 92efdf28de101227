"""Messages: every call gets a result; their JSON leads back to them."""

from __future__ import annotations

import json

import pytest

from agent.events import Said, to_json
from agent.messages import (
    LOST,
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
    answered,
    closing,
    from_json,
)

CALLS = (ToolCall("a", "edit", {"path": "x.py", "n": [1, 2.5, None]}), ToolCall("b", "run", {}))
ANSWER = AssistantMessage(
    "I see.",
    "thought",
    CALLS,
    ("one was cut short",),
    "raw \udce9\u2028\x85",
    (1, 2, 3),
    "m",
    mended=("cut, then whole",),
)


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage("s"),
        UserMessage("ünïcode \ud800"),
        ANSWER,
        ToolMessage((ToolOutput("a", "edit", "done"), ToolOutput("b", "run", "no", ok=False))),
    ],
)
def test_json_leads_back_to_the_message(message: Message) -> None:
    assert from_json(json.loads(json.dumps(to_json(Said(message))))["message"]) == message


def test_calls_without_results_are_told_so() -> None:
    known = {"a": ToolOutput("a", "edit", "done")}
    assert closing(ANSWER, known).results == (known["a"], ToolOutput("b", "run", LOST, ok=False))


def test_every_call_is_answered_and_a_longer_history_begins_alike() -> None:
    half = ToolMessage((ToolOutput("b", "run", "ok"),))
    whole: list[Message] = [UserMessage("q"), ANSWER, UserMessage("It failed."), ANSWER, half]
    seen = answered(whole)
    assert [type(message).__name__ for message in seen] == [
        "UserMessage", "AssistantMessage", "ToolMessage", "UserMessage", "AssistantMessage",
        "ToolMessage",
    ]  # fmt: skip
    for at in (2, 5):
        results = seen[at]
        assert isinstance(results, ToolMessage)
        assert {result.call_id for result in results.results} == {"a", "b"}
    for length in range(1, 5):
        if not isinstance(whole[length - 1], AssistantMessage):  # no request ends with one
            shorter = answered(whole[:length])
            assert seen[: len(shorter)] == shorter
