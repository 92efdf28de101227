from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agent.errors import (
    AccessRefused,
    ConnectionLost,
    ContextOverflow,
    CreditSpent,
    ModelError,
    NoSuchModel,
    RateLimited,
    RequestRefused,
    ServerError,
    ServerFailed,
    ServerSilent,
    Unreachable,
)
from agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import (
    Answer,
    CallForm,
    Form,
    ReasoningDelta,
    Request,
    StopReason,
    TextDelta,
    Usage,
)
from agent.models.server.model import ServerModel
from agent.models.server.stream import joined
from agent.models.server.wire import Timeouts
from tests.agent.models.server.asking import READ, START, ask, opened
from tests.agent.models.server.servers import (
    DONE,
    Reply,
    Server,
    call,
    called,
    delta,
    error,
    event,
    in_turn,
    models,
    said,
    serving,
    usage,
)

CHAT = "/v1/chat/completions"
QUICK = Timeouts(5, 5)
Opening = Callable[..., tuple[ServerModel, Server]]


@pytest.fixture
def answering() -> Iterator[Opening]:
    """Opens a model whose server gives these answers."""
    with ExitStack() as stack:

        def start(*replies: Reply, timeouts: Timeouts = QUICK) -> tuple[ServerModel, Server]:
            routes = {"/v1/models": models("tiny"), CHAT: in_turn(*replies)}
            server = stack.enter_context(serving(routes))
            return opened(server.url, timeouts=timeouts), server

        yield start


@pytest.mark.parametrize("told", [True, False])
def test_what_a_broken_answer_took_is_told_with_the_error(answering: Opening, told: bool) -> None:
    model, _ = answering(Reply([*([usage(120, cached=20)] if told else []), delta(content="Half")]))
    with pytest.raises(ServerError, match="broke off") as caught:
        ask(model)
    taken = caught.value.usage
    assert (taken.prompt, taken.reused) == (120, 20) if taken is not None else not told


def test_text_reasoning_and_figures_come_as_they_are_streamed(answering: Opening) -> None:
    model, _ = answering(
        Reply(
            [
                b": ping\n\n",
                delta(role="assistant", content=None),
                delta(reasoning_content="Hm."),
                delta(content="The divisor "),
                delta(content="is missing."),
                delta("stop"),
                usage(120, 9, cached=100),
                DONE,
            ]
        )
    )
    answer, events = ask(model)
    assert list(joined(events)) == [ReasoningDelta("Hm."), TextDelta("The divisor is missing.")]
    assert answer.message.text == "The divisor is missing."
    assert answer.message.reasoning == "Hm."
    assert answer.message.model == model.spec.name
    assert answer.stop is StopReason.END
    figures = answer.usage
    assert (figures.prompt, figures.reused, figures.evaluated, figures.output) == (120, 100, 20, 9)


def test_what_came_before_an_error_is_told(answering: Opening) -> None:
    broken = [b"".join((delta(content="The "), delta(content="divisor"), b"data: {]\n\n"))]
    model, _ = answering(Reply(broken))
    events = iter(model.stream(Request(START), threading.Event()))
    assert next(events) == TextDelta("The divisor")
    with pytest.raises(ConnectionLost, match="not JSON"):
        next(events)


def test_calls_are_put_together_from_their_pieces(answering: Opening) -> None:
    model, server = answering(
        called(
            call("read_file", '{"path": "a.py"}', "x1"), call("read_file", '{"path": "b.py"}', "x2")
        )
    )
    answer, _ = ask(model)
    assert [(c.id, c.name, dict(c.arguments)) for c in answer.message.calls] == [
        ("x1", "read_file", {"path": "a.py"}),
        ("x2", "read_file", {"path": "b.py"}),
    ]
    (body,) = server.bodies(CHAT)
    parameters = body["tools"][0]["function"]["parameters"]
    assert "title" not in parameters
    assert parameters["properties"] == {"path": {"type": "string"}}


@pytest.mark.parametrize(
    "reply",
    [
        Reply([delta(content="The div")]),
        Reply([delta(content="The div"), DONE]),
        Reply([delta(content="The div"), b'data: {"choices": [{"index": 0, "del']),
        Reply([delta(tool_calls=[call("read_file", '{"path": "a.py"}', "x1")])]),
        Reply([b"data: {broken\n\n", delta("stop"), DONE]),
        Reply([delta(content="x"), event({"error": {"message": "CUDA error", "code": 500}})]),
        Reply(drop=True),
    ],
    ids=["cut", "no reason", "half an event", "call without end", "no json", "error", "dropped"],
)
def test_a_stream_without_its_end_is_no_message(answering: Opening, reply: Reply) -> None:
    model, _ = answering(reply)
    with pytest.raises(ServerError) as raised:
        ask(model)
    assert raised.value.transient
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "finish"),
    [('{"path": "a.py', "tool_calls"), ('["a.py"]', "tool_calls"), ('{"path": "a.py"}', "length")],
)
def test_a_call_that_cannot_be_read_is_never_run(
    answering: Opening, arguments: str, finish: str
) -> None:
    broken = called(call("read_file", arguments, "x1"), finish=finish)
    model, _ = answering(broken, broken)
    answer, _ = ask(model)
    assert not answer.message.calls
    (line,) = answer.message.malformed
    assert "read_file" in line
    assert arguments in line


def test_a_malformed_call_is_asked_for_again_with_its_form_held(answering: Opening) -> None:
    model, server = answering(
        called(call("read_file", '{"path": ', "x1"), prompt=50),
        called(call("read_file", '{"path": "a.py"}', "x2"), prompt=50),
    )
    answer, _ = ask(model)
    assert [dict(c.arguments) for c in answer.message.calls] == [{"path": "a.py"}]
    assert len(answer.message.mended) == 1
    assert answer.usage.prompt == 100
    first, second = server.bodies(CHAT)
    assert second["messages"] == first["messages"]
    assert "tool_choice" not in first
    assert second["tool_choice"] == "required"


def test_a_model_without_tools_is_told_of_them_in_the_text(answering: Opening) -> None:
    model, server = answering(
        error(400, "registry/tiny does not support tools"),
        said('I read it.\n<call tool="read_file" path="a.py">\n</call>'),
        said("Done."),
    )
    answer, _ = ask(model)
    assert [dict(c.arguments) for c in answer.message.calls] == [{"path": "a.py"}]
    result = ToolOutput(answer.message.calls[0].id, "read_file", "pass")
    ask(model, (*START, answer.message, ToolMessage((result,))))
    refused, first, second = server.bodies(CHAT)
    assert "tools" in refused
    assert "tools" not in first
    assert "read_file(path)" in first["messages"][0]["content"]
    assert first["stop"] == ["<result tool="]
    assert second["messages"][-2]["content"] == answer.message.raw
    assert second["messages"][-1]["content"] == '<result tool="read_file">\npass\n</result>'


def test_tools_that_a_server_drops_without_a_word_are_told_of_in_the_text(
    answering: Opening,
) -> None:
    tools = tuple(
        READ.__class__(f"tool_{n}", "Looks at one more part of the repository. " * 3, READ.schema)
        for n in "abcdef"
    )
    model, server = answering(said("Well?", prompt=40), said("Ah.", prompt=400))
    answer, _ = ask(model, tools=tools)
    assert answer.message.text == "Ah."
    assert ["tools" in body for body in server.bodies(CHAT)] == [True, False]


def test_calls_in_a_models_own_format_are_read_and_given_back_as_written(
    answering: Opening,
) -> None:
    text = '<tool_call>\n{"name": "read_file", "arguments": {"path": "a.py"}}\n</tool_call>'
    model, server = answering(said(text), said("Done."))
    answer, _ = ask(model)
    (made,) = answer.message.calls
    assert dict(made.arguments) == {"path": "a.py"}
    ask(model, (*START, answer.message, ToolMessage((ToolOutput(made.id, made.name, "pass"),))))
    assistant, result = server.bodies(CHAT)[1]["messages"][-2:]
    assert assistant == {"role": "assistant", "content": text}
    assert result["role"] == "user"


def test_what_a_server_does_not_take_is_left_out(answering: Opening) -> None:
    model, server = answering(
        error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        error(400, "Unrecognized request argument supplied: stream_options"),
        said("Yes."),
        said("Yes."),
    )
    ask(model)
    ask(model)
    *_, third, fourth = server.bodies(CHAT)
    assert third["max_completion_tokens"] == 200
    assert not {"max_tokens", "stream_options"} & third.keys()
    assert len(server.bodies(CHAT)) == 4
    assert fourth.keys() == third.keys()


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (error(401, "bad key"), AccessRefused, "key"),
        (error(403, "no"), AccessRefused, "key"),
        (error(402, "pay"), CreditSpent, "credit"),
        (error(404, "model gone"), NoSuchModel, "name"),
        (error(429, "slow down", Retry_After="7"), RateLimited, "too many requests"),
        (error(503, "Loading model"), ServerFailed, "loading"),
        (error(529, "busy"), ServerFailed, "overloaded"),
        (error(500, "boom"), ServerFailed, "boom"),
        (error(413, "big"), ContextOverflow, "longer than the window"),
        (error(400, "prompt is too long: 9 > 8"), ContextOverflow, "longer than the window"),
        (error(418, "tea"), RequestRefused, "tea"),
        (error(307, "", Location="http://elsewhere.test/"), RequestRefused, "elsewhere"),
    ],
)
def test_each_refusal_has_its_error(
    answering: Opening, reply: Reply, kind: type[ModelError], words: str
) -> None:
    model, server = answering(reply)
    with pytest.raises(kind) as raised:
        ask(model)
    assert type(raised.value) is kind
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    wait = raised.value.retry_after if isinstance(raised.value, ServerError) else None
    assert wait == (7.0 if reply.status == 429 else None)
    assert len(server.bodies(CHAT)) == 1


def test_a_server_that_falls_silent_is_left(answering: Opening) -> None:
    model, server = answering(Reply([delta(content="The")], hang=5), timeouts=Timeouts(5, 0.3))
    started = time.monotonic()
    with pytest.raises(ServerSilent):
        ask(model)
    assert time.monotonic() - started < 2
    assert server.left.wait(2)


def test_a_server_that_is_gone_is_named() -> None:
    with serving({"/v1/models": models("tiny")}) as server:
        model = opened(server.url)
    with pytest.raises(Unreachable, match="There is no server at http://") as raised:
        ask(model)
    assert raised.value.transient


@pytest.mark.parametrize(
    "reply", [Reply(before=4), Reply([delta(content="The div")], hang=4)], ids=["first", "midway"]
)
def test_cancelling_ends_the_answer_at_once(answering: Opening, reply: Reply) -> None:
    model, server = answering(reply)
    cancel = threading.Event()
    set_at: list[float] = []

    def interrupt() -> None:
        set_at.append(time.monotonic())
        cancel.set()

    timer = threading.Timer(0.4, interrupt)
    timer.start()
    *_, answer = model.stream(Request(START, (READ,)), cancel)
    assert time.monotonic() - set_at[0] < 0.2
    assert isinstance(answer, Answer)
    assert answer.stop is StopReason.CANCELLED
    assert answer.message.text == ("The div" if reply.lines else "")
    if reply.lines:
        assert server.left.wait(2)  # so that it need not write on


def test_a_key_goes_to_its_server_and_is_not_sent_where_it_redirects() -> None:
    with serving({}) as other, serving({"/v1/models": models("tiny")}) as server:
        model = opened(server.url, key="secret")
        redirect = error(307, "", Location=f"{other.url}{CHAT}")
        server.routes[CHAT] = lambda body: redirect
        with pytest.raises(ModelError):
            ask(model)
        assert {head.get("Authorization") for head in server.heads} == {"Bearer secret"}
        assert other.asked == []


def grown(history: tuple[Message, ...], answer: Answer, output: str) -> tuple[Message, ...]:
    results = tuple(ToolOutput(call.id, call.name, output) for call in answer.message.calls)
    return (*history, answer.message, ToolMessage(results))


def test_each_request_begins_with_the_one_before(answering: Opening) -> None:
    """Calls of another model, of the text, unreadable ones and reasoning are among it."""
    call_of_another = ToolCall("toolu_1", "read_file", {"path": "é"})
    other = AssistantMessage(
        "Elsewhere.", "secret thought", (call_of_another,), raw="<x>", tokens=(1, 2), model="other"
    )
    model, server = answering(
        called(call("read_file", '{"path":  "a.py"}', "x1")),
        called(call("read_file", '{"path": "b.py"}', "x1")),
        said('```json\n{"name": "read_file", "arguments": {"path": "c.py"}}\n```'),
        said("Done."),
    )
    history: tuple[Message, ...] = (*START, other, UserMessage("Go on."))
    for _ in range(4):
        answer, _events = ask(model, history)
        history = grown(history, answer, "line\n" * 20)
    bodies = server.bodies(CHAT)
    for before, after in itertools.pairwise(bodies):
        kept = json.dumps(before["messages"])[:-1]
        assert json.dumps(after["messages"]).startswith(kept)
        assert before["tools"] == after["tools"]
    assert "secret thought" not in json.dumps(bodies)


def long_history(turns: int) -> tuple[Message, ...]:
    text = "The quick brown fox jumps over the lazy dog near the river bank. " * 20
    return (*START, *(UserMessage(f"{text} {n}") for n in range(turns)))


def tokens_of(body: dict[str, object]) -> int:
    return int(len(json.dumps(body["messages"]).split()) * 1.3)


@pytest.mark.parametrize(
    ("counted", "turns"),
    [
        (lambda real: min(real, 1100), 4),  # capped at a window
        (lambda real: real if real < 1000 else 700 + real % 50, 3),  # the oldest dropped
    ],
)
def test_a_prompt_that_was_cut_is_an_overflow_not_a_loss(
    counted: Callable[[int], int], turns: int
) -> None:
    def answer(body: dict[str, object]) -> Reply:
        return said("Yes.", prompt=counted(tokens_of(body)))

    with serving({"/v1/models": models("tiny"), CHAT: answer}) as server:
        model = opened(server.url)
        for number in range(1, turns):
            ask(model, long_history(number), tools=())
        with pytest.raises(ContextOverflow, match="dropped about") as raised:
            ask(model, long_history(turns), tools=())
        assert not raised.value.transient


def test_a_prompt_that_was_read_whole_is_none() -> None:
    def answer(body: dict[str, object]) -> Reply:
        return said("Yes.", prompt=tokens_of(body))

    with serving({"/v1/models": models("tiny"), CHAT: answer}) as server:
        model = opened(server.url)
        for number in range(6):
            ask(model, long_history(number), tools=())


def test_a_request_longer_than_the_window_is_not_sent() -> None:
    with serving(
        {"/v1/models": models("tiny", max_model_len=512), CHAT: in_turn(said("x"))}
    ) as server:
        model = opened(server.url)
        assert model.spec.context == 512
        with pytest.raises(ContextOverflow, match="holds 512"):
            ask(model, long_history(4))
        assert server.bodies(CHAT) == []


def test_an_answer_is_asked_for_that_fits_the_window() -> None:
    with serving(
        {"/v1/models": models("tiny", max_model_len=2048), CHAT: in_turn(said("x"))}
    ) as server:
        ask(opened(server.url), long_history(2), max_tokens=2000)
        (body,) = server.bodies(CHAT)
        assert 256 <= body["max_tokens"] < 1500


def test_a_guided_models_fenced_code_is_what_the_form_asked_for(answering: Opening) -> None:
    model, _ = answering(said("It divides by nothing.\n```python\ndef mean(v):\n    return 1\n```"))
    form = Form(
        (
            CallForm(
                "replace_symbol",
                ((("path", "a.py"), ("symbol", "mean")), (("path", "a.py"), ("symbol", "total"))),
                ("code",),
                ("def mean", "def total"),
            ),
        ),
        required=True,
    )
    *_, answer = model.stream(Request(START, form=form), threading.Event())
    assert isinstance(answer, Answer)
    (made,) = answer.message.calls
    assert dict(made.arguments) == {
        "path": "a.py",
        "symbol": "mean",
        "code": "def mean(v):\n    return 1",
    }


def test_bytes_that_are_no_text_can_be_sent(answering: Opening) -> None:
    model, server = answering(said("Yes."))
    ask(model, (*START, UserMessage("caf\udce9 ☕")))
    assert server.bodies(CHAT)[0]["messages"][-1]["content"] == "caf? ☕"


def test_a_server_that_does_not_stream_is_understood(answering: Opening) -> None:
    whole = {
        "choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }
    model, _ = answering(Reply([json.dumps(whole).encode()], kind="application/json"))
    answer, _ = ask(model)
    assert answer.message.text == "Yes."
    assert answer.usage == Usage(
        9, 0, 9, 9, 2, 2, answer.usage.prompt_seconds, answer.usage.output_seconds
    )
