"""Against servers that were not written here: llama.cpp's own, and one made of faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConnectionLost, ContextOverflow, ModelError, ServerSilent
from agent.messages import AssistantMessage, Message, SystemMessage, ToolCall, UserMessage
from agent.models.base import Request, StopReason, TextDelta
from agent.models.claude.access import Access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from tests.agent.models.claude.asking import TOOLS, ask, results
from tests.agent.models.llama_server import SMALLEST, llama

if TYPE_CHECKING:
    from llmock.pytest_plugin import LLMock

SONNET = "claude-sonnet-5-5"
WINDOW = 2048


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama(SMALLEST, WINDOW) as found:
        yield found


@pytest.fixture
def local(address: str) -> Iterator[ClaudeModel]:
    model = ClaudeModel(SONNET, Wire(Access("none"), address))
    yield model
    model.close()


HISTORY: list[Message] = [SystemMessage("Be short."), UserMessage("Say hello to the world. " * 8)]


def short(messages: list[Message]) -> Request:
    return Request(messages, TOOLS[:1], max_tokens=12)


def test_llama_streams_counts_and_keeps_its_cache(local: ClaudeModel) -> None:
    told: list[object] = []
    first = ask(local, HISTORY, told.append, request=short(HISTORY))
    pieces = [event.text for event in told if isinstance(event, TextDelta)]
    assert "".join(pieces) == first.message.text
    assert len(pieces) > 2
    assert first.usage.output > 2
    longer = [*HISTORY, first.message, UserMessage("And again.")]
    # Beside other tests the server may need longer than a count may take.
    counts = (local.count_request(short(longer)) for _ in range(6))
    counted = next(count for count in counts if count is not None)
    assert counted > first.usage.prompt
    second = ask(local, longer, request=short(longer))
    assert second.usage.prompt == counted
    assert second.usage.reused >= first.usage.prompt - 8
    assert second.usage.evaluated < second.usage.prompt / 2


def test_llama_takes_calls_and_their_results(local: ClaudeModel) -> None:
    calls = (
        ToolCall("odd id!", "read_file", {"path": "a.py"}),
        ToolCall("2", "read_file", {"path": "b.py"}),
    )
    wrote = AssistantMessage("I read them.", calls=calls, model="another")
    history = [*HISTORY, wrote, results(wrote, "1 x = 1"), UserMessage("So?")]
    answer = ask(local, history, request=short(history))
    assert answer.stop in (StopReason.END, StopReason.LENGTH)


def test_llama_says_when_its_window_is_too_small(local: ClaudeModel) -> None:
    with pytest.raises(ContextOverflow, match="begin a new one"):
        ask(local, [UserMessage("word " * 2 * WINDOW)])


@pytest.fixture
def faulty(llmock: LLMock) -> Iterator[ClaudeModel]:
    model = ClaudeModel(SONNET, Wire(Access("none"), llmock.base_url("anthropic"), silence=1))
    yield model
    model.close()


def test_a_call_that_is_no_json_is_told(llmock: LLMock, faulty: ClaudeModel) -> None:
    llmock.call_tool("read_file", {"path": "a.py"})
    assert ask(faulty).message.calls[0].arguments == {"path": "a.py"}
    llmock.call_tool("read_file", {"path": "a.py"}).break_tool_call("malformed_arguments")
    message = ask(faulty).message
    assert message.calls == ()
    assert message.malformed == ("A call of read_file was cut short; it was not run.",)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("disconnect", ConnectionLost),
        ("truncate", ConnectionLost),
        ("corrupt", ConnectionLost),
        ("stall", ServerSilent),
    ],
)
@pytest.mark.parametrize("after", [1, 4])
def test_no_broken_stream_counts(
    llmock: LLMock, faulty: ClaudeModel, fault: str, error: type[ModelError], after: int
) -> None:
    llmock.call_tool("write_file", {"path": "a.py", "content": "x = 1\n" * 40})
    getattr(llmock, fault)(after_chunks=after)
    with pytest.raises(error):
        ask(faulty)
    assert ask(faulty).stop is StopReason.END
    llmock.assert_resilient()
