"""Ollama's own API, as its documentation has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from agent.errors import ConnectionLost, ContextOverflow, ModelMissing, Unreachable
from agent.messages import ToolMessage, ToolOutput
from agent.models.base import (
    Answer,
    Device,
    EditFormat,
    ReasoningDelta,
    Request,
    Steering,
    StopReason,
    TextDelta,
)
from agent.models.server.address import parse_address
from agent.models.server.opening import open_server
from agent.models.server.wire import Timeouts
from tests.agent.models.server.asking import READ, START, ask, opened
from tests.agent.models.server.servers import (
    Answering,
    Json,
    Reply,
    Server,
    data,
    error,
    in_turn,
    models,
    serving,
)

NDJSON = "application/x-ndjson"
INFO = {"general.parameter_count": 14_700_000_000, "qwen2.context_length": 40_960}


def lines(*rows: Json) -> Reply:
    return Reply([json.dumps(row).encode() + b"\n" for row in rows], kind=NDJSON)


def said(**message: object) -> Json:
    return {"model": "big:14b", "message": {"role": "assistant", **message}, "done": False}


def done(prompt: int = 0, reason: str = "stop") -> Json:
    counted = {"prompt_eval_count": prompt, "eval_count": 7, "eval_duration": 2_000_000_000}
    return {**said(content=""), "done": True, "done_reason": reason, **counted}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def ollama(stack: ExitStack, *replies: Reply, **routes: Answering) -> Server:
    """A server with one model of 14 billion parameters that takes tools."""
    shown = {"model_info": INFO, "capabilities": ["completion", "tools"]}
    return stack.enter_context(
        serving(
            {
                "/v1/models": models("big:14b", owned_by="library"),
                "/api/tags": lambda body: data({"models": [{"name": "big:14b"}]}),
                "/api/show": lambda body: (
                    data(shown) if body["model"] == "big:14b" else error(404, "not found")
                ),
                "/api/ps": lambda body: data({"models": []}),
                "/api/chat": in_turn(*replies or (lines(said(content="Yes."), done()),)),
                **{f"/api/{name}": answering for name, answering in routes.items()},
            }
        )
    )


def test_it_is_known_by_its_list_and_asked_through_its_own_api(stack: ExitStack) -> None:
    server = ollama(
        stack,
        lines(
            said(content="", thinking="Hm."),
            said(content="Reading."),
            said(
                content="",
                tool_calls=[{"function": {"name": "read_file", "arguments": {"path": "é"}}}],
            ),
            done(60),
        ),
        lines(said(content="Done."), done(90)),
    )
    model = opened(server.url)
    assert model.spec.name == f"big:14b@{server.url.removeprefix('http://')}"
    assert (model.spec.steering, model.spec.edit_format) == (
        Steering.FREE,
        EditFormat.SEARCH_REPLACE,
    )
    answer, events = ask(model)
    assert events == [ReasoningDelta("Hm."), TextDelta("Reading.")]
    (call,) = answer.message.calls
    assert dict(call.arguments) == {"path": "é"}
    assert (answer.usage.prompt, answer.usage.output, answer.usage.output_seconds) == (60, 7, 2.0)
    ask(model, (*START, answer.message, ToolMessage((ToolOutput(call.id, "read_file", "pass"),))))
    first, second = server.bodies("/api/chat")
    assert first["options"]["num_ctx"] == model.spec.context == 32_768
    assert first["truncate"] is False
    assert [tool["function"]["name"] for tool in first["tools"]] == ["read_file"]
    assert second["messages"][: len(START)] == first["messages"]
    assert second["messages"][len(START) :] == [
        {
            "role": "assistant",
            "content": "Reading.",
            "tool_calls": [{"function": {"name": "read_file", "arguments": {"path": "é"}}}],
            "thinking": "Hm.",
        },
        {"role": "tool", "tool_name": "read_file", "content": "pass"},
    ]


@pytest.mark.parametrize(
    ("loaded", "wanted", "window"),
    [(0, None, 32_768), (40_960, None, 40_960), (4096, None, 32_768), (4096, 8192, 8192),
     (0, 90_000, 40_960)],
)  # fmt: skip
def test_the_window_is_the_loaded_one_or_the_one_that_is_asked_for(
    stack: ExitStack, loaded: int, wanted: int | None, window: int
) -> None:
    rows = [{"name": "big:14b", "context_length": loaded}] if loaded else []
    server = ollama(stack, ps=lambda body: data({"models": rows}))
    model = opened(f"{server.url}#big:14b", context=wanted)
    ask(model)
    (body,) = server.bodies("/api/chat")
    assert body["options"]["num_ctx"] == model.spec.context == window


@pytest.mark.parametrize(("vram", "device"), [(0, Device.PROCESSOR), (9 << 30, Device.CARDS)])
def test_what_draws_the_power_is_told_by_the_memory_it_is_in(
    stack: ExitStack, vram: int, device: Device
) -> None:
    rows = [{"name": "big:14b", "size_vram": vram}]
    server = ollama(stack, ps=lambda body: data({"models": rows}))
    spec = opened(f"{server.url}#big:14b").spec
    assert (spec.device, spec.tariff) == (device, None)


def test_a_model_without_tools_is_never_offered_any(stack: ExitStack) -> None:
    shown = data({"model_info": INFO, "capabilities": ["completion"]})
    text = '<call tool="read_file" path="a.py">\n</call>'
    server = ollama(stack, lines(said(content=text), done(80)), show=lambda body: shown)
    answer, _ = ask(opened(server.url))
    assert [call.name for call in answer.message.calls] == ["read_file"]
    (body,) = server.bodies("/api/chat")
    assert "tools" not in body
    assert body["options"]["stop"] == ["<result tool="]


def test_a_call_that_ollama_cannot_read_is_asked_for_with_a_schema(stack: ExitStack) -> None:
    wanted = '{"tool": "read_file", "arguments": {"path": "a.py"}}'
    server = ollama(
        stack,
        error(500, "error parsing tool call: raw='{\"name\": ', err=unexpected end"),
        lines(said(content=wanted), done(60)),
    )
    answer, _ = ask(opened(server.url))
    assert [dict(call.arguments) for call in answer.message.calls] == [{"path": "a.py"}]
    assert len(answer.message.mended) == 1
    first, second = server.bodies("/api/chat")
    assert "format" not in first
    assert second["format"]["properties"]["tool"] == {"const": "read_file"}


def test_an_answer_without_its_end_is_no_message(stack: ExitStack) -> None:
    cut = Reply([json.dumps(said(content="The")).encode() + b"\n", b'{"model": "big'], kind=NDJSON)
    with pytest.raises(ConnectionLost):
        ask(opened(ollama(stack, cut).url))


def test_an_overflow_is_told(stack: ExitStack) -> None:
    refusal = error(400, "the prompt is longer than the context length currently available")
    with pytest.raises(ContextOverflow):
        ask(opened(ollama(stack, refusal).url))


def test_an_answer_at_its_limit_says_so(stack: ExitStack) -> None:
    answer, _ = ask(opened(ollama(stack, lines(said(content="The"), done(60, "length"))).url))
    assert answer.stop is StopReason.LENGTH


def test_ollama_by_name_is_found_where_its_variable_says(stack: ExitStack) -> None:
    server = ollama(stack)
    address = parse_address("ollama:big:14b", {"OLLAMA_HOST": server.url.removeprefix("http://")})
    model = open_server(address)
    *_, answer = model.stream(Request(START, (READ,)), threading.Event())
    assert isinstance(answer, Answer)
    assert answer.message.text == "Yes."
    assert [path for path, _ in server.asked] == ["/api/show", "/api/ps", "/api/chat"]


def test_a_model_it_lacks_is_one_line_with_what_to_type(stack: ExitStack) -> None:
    server = ollama(stack)
    address = parse_address("ollama:bigger:14b", {"OLLAMA_HOST": server.url})
    with pytest.raises(
        ModelMissing, match="it has big:14b: fetch it with `ollama pull bigger:14b`"
    ):
        open_server(address)


def test_without_a_server_it_says_how_to_start_it() -> None:
    with serving({}) as server:
        url = server.url
    with pytest.raises(Unreachable, match="start it with `ollama serve`"):
        open_server(parse_address("ollama:big:14b", {"OLLAMA_HOST": url}), timeouts=Timeouts(2, 2))
