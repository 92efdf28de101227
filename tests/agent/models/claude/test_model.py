"""Claude over the real SDK against a server that is as strict as the API."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime

import pytest

from agent.errors import AnswerRefused, ContextOverflow, InputError, NoSuchModel
from agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import (
    CallDelta,
    ModelEvent,
    ReasoningDelta,
    Request,
    StopReason,
    TextDelta,
)
from agent.models.claude.access import Access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from tests.agent.models.claude.asking import OPENING, TOOLS, ask, results
from tests.agent.models.claude.messages_server import (
    KEY,
    MessagesServer,
    Reply,
    call,
    text,
    thinking,
)

READ = Reply(
    [thinking("Where is it?"), text("I read it."), call("read_file", path="a.py")], "tool_use"
)
SONNET = "claude-sonnet-5-5"


def converse(claude: ClaudeModel, server: MessagesServer, replies: list[Reply]) -> list[Message]:
    """Let it answer all of these, each call with a result."""
    server.replies = replies
    history = list(OPENING)
    for _ in range(len(replies)):
        message = ask(claude, history).message
        history.append(message)
        history.append(results(message) if message.calls else UserMessage("Go on."))
    return history[:-1]


def test_text_thinking_and_calls_are_told_as_they_come(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.replies = [READ]
    seen: list[ModelEvent] = []
    answer = ask(claude, watch=seen.append)
    assert "".join(e.text for e in seen if isinstance(e, TextDelta)) == "I read it."
    assert "".join(e.text for e in seen if isinstance(e, ReasoningDelta)) == "Where is it?"
    pieces = [e for e in seen if isinstance(e, CallDelta)]
    assert json.loads("".join(e.text for e in pieces)) == {"path": "a.py"}
    assert {e.tool for e in pieces} == {"read_file"}
    message = answer.message
    assert (message.text, message.reasoning) == ("I read it.", "Where is it?")
    assert [(c.name, c.arguments) for c in message.calls] == [("read_file", {"path": "a.py"})]
    assert (answer.stop, message.model) == (StopReason.END, SONNET)


def test_the_request_holds_what_the_settings_say(server: MessagesServer) -> None:
    model = ClaudeModel(SONNET, Wire(Access(KEY), server.address), effort="low", thinking=False)
    ask(model)
    model.close()
    body = server.bodies[0]
    assert body["output_config"] == {"effort": "low"}
    assert body["thinking"] == {"type": "between_tools"}
    assert body["max_tokens"] == 9000
    assert not {"temperature", "top_p", "top_k", "tool_choice"} & set(body)
    assert server.refused == []


def test_thinking_comes_back_unchanged_and_nothing_before_it_moves(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    parallel = Reply(
        [thinking("Two at once."), call("read_file", path="a.py"), call("search", pattern="x")],
        "tool_use",
    )
    converse(claude, server, [READ, parallel, READ, Reply([thinking("So."), text("Done.")])])
    assert server.refused == []
    kept = [b for m in server.bodies[-1]["messages"] for b in m["content"]]
    assert sum(block["type"] == "thinking" for block in kept) == 3


def test_each_request_begins_with_the_bytes_of_the_one_before(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    converse(claude, server, [READ] * 5)
    for before, after in zip(server.bodies, server.bodies[1:], strict=False):
        assert json.dumps(after["tools"]) == json.dumps(before["tools"])
        assert json.dumps(after["system"]) == json.dumps(before["system"])
        earlier, later = json.dumps(before["messages"]), json.dumps(after["messages"])
        assert later.startswith(earlier.removesuffix("]"))


def test_a_record_read_again_gives_the_same_bytes(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    history = converse(claude, server, [READ, READ])
    server.replies = [READ, READ]
    ask(claude, history)
    again = [_stored(message) for message in history]
    other = ClaudeModel(SONNET, Wire(Access(KEY), server.address))
    ask(other, again)
    other.close()
    assert server.raw[-1] == server.raw[-2]


def _stored(message: Message) -> Message:
    """As a session's record has it."""
    if not isinstance(message, AssistantMessage):
        return message
    return AssistantMessage(
        message.text,
        message.reasoning,
        message.calls,
        model=message.model,
        provider=json.loads(json.dumps(message.provider)),
    )


def test_the_cache_hits_all_that_was_read_before(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.replies = [READ] * 3
    first = ask(claude)
    history = [*OPENING, first.message, results(first.message)]
    second = ask(claude, history)
    assert first.usage.reused == 0
    assert first.usage.cache_written == first.usage.prompt == first.usage.evaluated
    assert second.usage.reused == first.usage.prompt
    assert second.usage.prompt == second.usage.reused + second.usage.evaluated
    assert second.usage.new <= second.usage.evaluated


def test_the_cache_hits_after_another_models_steps(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.replies = [READ, READ]
    first = ask(claude)
    history: list[Message] = [*OPENING, first.message, results(first.message)]
    for number in range(15):
        calls = (ToolCall(f"c{number}", "read_file", {"path": "a.py"}),)
        looks = AssistantMessage("I look.", calls=calls, model="another")
        history += [looks, results(looks)]
    again = ask(claude, history)
    assert again.usage.reused == first.usage.prompt
    assert server.refused == []


def test_the_cache_hits_across_more_blocks_than_it_looks_back(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    many = Reply([call("read_file", path=f"{n}.py") for n in range(15)], "tool_use")
    server.replies = [READ, many, READ]
    history: list[Message] = list(OPENING)
    before = 0
    for _ in range(3):
        answer = ask(claude, history)
        assert answer.usage.reused == before
        before = answer.usage.prompt
        history += [answer.message, results(answer.message)]


def test_a_call_cut_by_the_limit_is_told_and_not_repaired(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    cut = Reply(
        [thinking("Big."), call("read_file", path="a.py"), call("write_file", path="b.py")],
        "max_tokens",
        cut_input=9,
    )
    server.replies = [cut]
    answer = ask(claude)
    assert answer.stop is StopReason.LENGTH
    assert [c.name for c in answer.message.calls] == ["read_file"]
    assert answer.message.malformed == ("A call of write_file was cut short; it was not run.",)
    told = ToolOutput("", "error", answer.message.malformed[0], ok=False)
    done = results(answer.message)
    ask(claude, [*OPENING, answer.message, ToolMessage((told, *done.results))])
    assert server.refused == []


def test_thinking_that_was_cut_is_not_sent_back(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.replies = [Reply([thinking("And then")], "max_tokens", unsigned=True)]
    answer = ask(claude)
    assert (answer.message.reasoning, answer.stop) == ("And then", StopReason.LENGTH)
    ask(claude, [*OPENING, answer.message, UserMessage("Go on.")])
    assert server.refused == []


def test_a_call_without_arguments_counts_unless_it_was_cut(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.replies = [
        Reply([call("run_tests")], "tool_use", cut_input=0),
        Reply([call("run_tests")], "max_tokens", cut_input=0),
    ]
    whole, cut = ask(claude).message, ask(claude).message
    assert (len(whole.calls), whole.malformed) == (1, ())
    assert (len(cut.calls), len(cut.malformed)) == (0, 1)


def test_a_paused_turn_goes_on(claude: ClaudeModel, server: MessagesServer) -> None:
    server.replies = [
        Reply([thinking("Long."), text("One, ")], "pause_turn"),
        Reply([text("two.")]),
    ]
    answer = ask(claude)
    assert answer.message.text == "One, two."
    assert answer.usage.output > 0
    ask(claude, [*OPENING, answer.message, UserMessage("And?")])
    assert server.refused == []


def test_a_refusal_names_its_category(claude: ClaudeModel, server: MessagesServer) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "It may harm."}
    server.replies = [Reply([text("I")], "refusal", details)]
    with pytest.raises(AnswerRefused, match=r"\(cyber\): It may harm\. Say the task differently"):
        ask(claude)


def test_a_full_window_is_an_overflow(claude: ClaudeModel, server: MessagesServer) -> None:
    server.replies = [Reply([text("and")], "model_context_window_exceeded")]
    with pytest.raises(ContextOverflow):
        ask(claude)


def test_a_stop_sequence_is_an_end(claude: ClaudeModel, server: MessagesServer) -> None:
    server.replies = [Reply([text("a")], "stop_sequence")]
    assert ask(claude).stop is StopReason.END


def test_cancelling_ends_the_stream_at_once_and_tells_the_server(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    stall, cancel = threading.Event(), threading.Event()
    server.replies = [Reply([text("half of it")], stall=stall)]
    asked: list[float] = []

    def watch(event: ModelEvent) -> None:
        if isinstance(event, TextDelta):
            asked.append(time.monotonic())
            cancel.set()

    answer = ask(claude, watch=watch, cancel=cancel)
    assert time.monotonic() - asked[0] < 0.2
    assert answer.stop is StopReason.CANCELLED
    assert answer.message.text == "half "
    assert answer.message.calls == ()
    assert answer.usage.prompt > 0
    stall.set()
    while not server.left:
        time.sleep(0.01)
    assert server.left == [True]
    server.replies = [Reply([text("Again.")])]
    history = [*OPENING, answer.message, UserMessage("Again?")]
    assert ask(claude, history).message.text == "Again."


def test_cancelling_while_nothing_has_come(claude: ClaudeModel, server: MessagesServer) -> None:
    cancel = threading.Event()
    cancel.set()
    assert ask(claude, cancel=cancel).stop is StopReason.CANCELLED
    nothing = AssistantMessage("", model=SONNET)
    assert ask(claude, [*OPENING, nothing, UserMessage("Now?")]).stop is StopReason.END
    assert server.refused == []


def test_the_count_learns_from_what_was_counted(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    long = UserMessage("word " * 4000)
    before = claude.count(long.text)
    ask(claude, [*OPENING[:1], long])
    exact = claude.count_request(Request([*OPENING[:1], long], TOOLS))
    assert exact is not None
    assert abs(claude.count(long.text) - exact) < abs(before - exact)
    assert claude.count(long.text) == pytest.approx(exact, rel=0.2)


def test_a_model_that_nobody_has_names_its_successor(server: MessagesServer) -> None:
    server.models = [
        _info("claude-sonnet-3-9", "retired", 2024),
        _info("claude-sonnet-7", "active", 2027),
        _info("claude-opus-9", "active", 2028),
        _info("claude-sonnet-6", "active", 2026),
    ]
    retired = ClaudeModel("claude-sonnet-3-9", Wire(Access(KEY), server.address))
    with pytest.raises(NoSuchModel, match=r"was retired: take --model claude-sonnet-7\."):
        retired.learn()
    server.models = []
    unknown = ClaudeModel("claude-haiku-99", Wire(Access(KEY), server.address))
    with pytest.raises(NoSuchModel, match=r"no model claude-haiku-99: .*claude-haiku-5-5\."):
        unknown.learn()
    for model in (retired, unknown):
        model.close()


def test_an_unknown_model_is_asked_about_once_a_known_one_never(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    server.models = [_info("claude-nova-1", "active", 2027)]
    model = ClaudeModel("claude-nova-1", Wire(Access(KEY), server.address))
    model.learn()
    ask(model)
    model.learn()
    ask(model)
    assert (model.spec.context, model.spec.max_output) == (500_000, 20_000)
    model.close()
    assert server.paths == ["/v1/models/claude-nova-1", *["/v1/messages"] * 2]
    claude.learn()
    ask(claude)
    assert server.paths[3:] == ["/v1/messages"]


def test_a_model_that_was_not_asked_about_is_before_its_first_answer(
    server: MessagesServer,
) -> None:
    server.models = [_info("claude-nova-1", "active", 2027)]
    model = ClaudeModel("claude-nova-1", Wire(Access(KEY), server.address))
    ask(model)
    assert model.spec.context == 500_000
    model.close()


def _info(name: str, lifecycle: str, year: int) -> dict[str, object]:
    return {
        "id": name,
        "type": "model",
        "display_name": name,
        "lifecycle": lifecycle,
        "line": name.split("-")[1],
        "created_at": datetime(year, 1, 1, tzinfo=UTC).isoformat(),
        "max_input_tokens": 500_000,
        "max_tokens": 20_000,
    }


@pytest.mark.parametrize(
    ("name", "effort", "thinks", "says"),
    [
        ("claude-opus-5-5", None, False, "always thinks"),
        ("claude-haiku-4-5", "high", True, "has no such setting"),
        ("claude-opus-4-5-20251101", "max", True, "it takes low, medium, high"),
        (SONNET, "max", False, "needs thinking"),
    ],
)
def test_settings_that_a_model_does_not_take(
    name: str, effort: str | None, thinks: bool, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        ClaudeModel(name, Wire(Access(KEY)), effort=effort, thinking=thinks)
