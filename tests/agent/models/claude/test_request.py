"""Histories that other models wrote, and tool schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import Request
from agent.models.claude.known import Known
from agent.models.claude.model import LETTERS_PER_TOKEN, ClaudeModel
from agent.models.claude.request import build, encode, kept
from agent.models.claude.schema import strict
from agent.prompts import fill
from tests.agent.models.claude.asking import OPENING, TOOLS, ask, results
from tests.agent.models.claude.messages_server import MessagesServer, Reply, call, text, thinking
from tools.base import ToolSpec

SONNET = "claude-sonnet-5-5"
TASK = "\n".join(["# mean() returns the sum", *["It should divide by the number of values."] * 9])


def body(messages: Sequence[Message], model: str = SONNET) -> dict[str, Any]:
    card = Known.load().cards[SONNET]
    params: dict[str, Any] = json.loads(
        encode(build(Request(messages, TOOLS), card, model, "adaptive", None).params)
    )
    return params


def local(said: str, *calls: ToolCall) -> AssistantMessage:
    """As a local model with tool calls in its text leaves it."""
    return AssistantMessage(
        said, "hm", calls, raw=f"<think>hm</think>{said}", tokens=(1, 2), model="qwen"
    )


def test_what_a_local_model_did_survives(claude: ClaudeModel, server: MessagesServer) -> None:
    same = "call 1!"  # no id that the API takes, and it comes again
    history: list[Message] = list(OPENING)
    for path in ("a.py", "b.py"):
        calls = (
            ToolCall(same, "read_file", {"path": path}),
            ToolCall(same, "search", {"pattern": "x"}),
        )
        history.append(local("Look.", *calls))
        history.append(
            ToolMessage((ToolOutput(same, "read_file", path), ToolOutput(same, "search", "none")))
        )
    ask(claude, history)
    assert server.refused == []
    blocks = [b for m in server.bodies[0]["messages"] for b in m["content"]]
    assert [b["input"] for b in blocks if b["type"] == "tool_use"] == [
        {"path": "a.py"}, {"pattern": "x"}, {"path": "b.py"}, {"pattern": "x"},
    ]  # fmt: skip
    outputs = [b["content"] for b in blocks if b["type"] == "tool_result"]
    assert outputs == ["a.py", "none", "b.py", "none"]
    assert "hm" not in json.dumps(blocks)


def test_thinking_is_left_out_where_it_does_not_belong(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    reply = Reply([thinking("Secret."), text("I read."), call("read_file", path="a")], "tool_use")
    server.replies = [reply, reply]
    first = ask(claude).message
    history = [*OPENING, first, results(first)]
    assert "Secret" in json.dumps(body(history))
    assert "Secret" not in json.dumps(body(history, "claude-opus-5-5"))
    changed = [OPENING[0], UserMessage("Another task"), *history[2:]]
    assert "Secret" not in json.dumps(body(changed))
    server.replies = [reply]
    ask(claude, changed)
    assert server.refused == []


def test_a_conversation_that_went_to_another_model_and_back(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    reply = Reply([thinking("Hm."), call("read_file", path="a")], "tool_use")
    server.replies = [reply, reply]
    history: list[Message] = list(OPENING)
    for answer in (None, local("I think it is b.", ToolCall("1", "search", {})), None):
        message = answer or ask(claude, history).message
        history += [message, results(message)]
    ask(claude, history)
    assert server.refused == []
    assert json.dumps(server.bodies[-1]).count('"thinking": "Hm."') == 2


def test_calls_that_were_never_answered_get_a_result() -> None:
    broken = [*OPENING, local("", ToolCall("x", "read_file", {})), UserMessage("Go on")]
    last = body(broken)["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text"]
    assert last[0]["is_error"] is True


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    odd = b"caf\xe9".decode("utf-8", "surrogateescape") + "\ud83d"
    wrote = local("", ToolCall("1", "write_file", {"path": odd, "content": [odd, float("inf")]}))
    history: list[Message] = [SystemMessage(odd), UserMessage(odd), wrote, results(wrote, odd)]
    assert "caf\ufffd\ufffd" in encode(body(history)).decode("utf-8")


def test_our_blocks_are_kept_as_they_came() -> None:
    odd = {"type": "thinking", "thinking": "ä\n", "signature": "x", "new_field": None}
    state = json.loads(kept("d", [odd]))
    assert list(state["content"][0].items()) == list(odd.items())


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_the_sdk_finds_nothing_to_change_in_a_strict_schema(spec: ToolSpec) -> None:
    from anthropic import transform_schema

    schema = strict(spec.schema)
    assert transform_schema(schema) == schema
    assert list(schema.get("required", ())) == list(spec.required)


def test_nested_schemas_are_closed_too() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    schema = strict(
        {
            "type": "object",
            "properties": {
                "list": {"type": "array", "items": {"$ref": "#/$defs/inner"}, "maxItems": 3},
                "either": {"anyOf": [{"type": "string"}, {"type": "integer", "maximum": 9}]},
                "level": {"enum": ["a", "b"], "type": "string", "default": "a"},
            },
            "$defs": {"inner": inner},
        }
    )
    from anthropic import transform_schema

    assert transform_schema(schema) == schema
    assert schema["$defs"]["inner"]["additionalProperties"] is False
    assert schema["properties"]["level"]["description"] == "(default a)"


def test_the_opening_request_is_small() -> None:
    """At most 2,200 tokens by the estimate, with 500 of them for the API's own tool prompt."""
    opening = body([SystemMessage(fill("free_system")), UserMessage(TASK)])
    letters = sum(len(json.dumps(opening[part])) for part in ("system", "tools", "messages"))
    assert letters / LETTERS_PER_TOKEN + 500 <= 2200


def test_what_is_known_of_models_agrees_with_others() -> None:
    from typing import get_args

    from anthropic.types import Model
    from genai_prices.data import providers

    (anthropic,) = (provider for provider in providers if provider.id == "anthropic")
    windows = {model.id: model.context_window for model in anthropic.models}
    known = Known.load()
    for card in known.cards.values():
        assert card.context == windows[card.name], card.name
        assert card.name in get_args(get_args(Model)[0])
    assert known.default in known.cards
    assert known.find("claude-haiku-4-5-20251001") == known.cards["claude-haiku-4-5"]
    assert known.find("claude-unheard-of") is None
