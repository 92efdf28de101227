"""Against servers that were not written here: faults of llmock's, tool calls of fakellm's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConnectionLost, RateLimited, ServerFailed, ServerSilent
from agent.messages import Message, ToolMessage, ToolOutput
from agent.models.server.wire import Timeouts
from tests.agent.models.server.asking import READ, START, ask, opened

if TYPE_CHECKING:
    from llmock.pytest_plugin import LLMock

pytest.importorskip("llmock")
pytest.importorskip("fakellm")


def test_a_tool_loop_ends(llmock: LLMock) -> None:
    model = opened(f"{llmock.url}#gpt-4o")
    answer, _ = ask(model)
    (call,) = answer.message.calls
    assert dict(call.arguments) == {"path": "mock-path"}
    result = ToolMessage((ToolOutput(call.id, call.name, "It is empty."),))
    answer, _ = ask(model, (*START, answer.message, result))
    assert answer.message.text
    assert not answer.message.calls
    llmock.assert_resilient()


@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt"])
def test_a_broken_stream_is_no_message(llmock: LLMock, fault: str) -> None:
    getattr(llmock.reply("It divides by nothing at all, and so on."), fault)(after_chunks=3)
    with pytest.raises(ConnectionLost) as raised:
        ask(opened(f"{llmock.url}#gpt-4o"))
    assert raised.value.transient


def test_a_call_that_is_cut_off_is_not_made(llmock: LLMock) -> None:
    llmock.call_tool("read_file", {"path": "a.py"}).disconnect(after_chunks=2)
    with pytest.raises(ConnectionLost):
        ask(opened(f"{llmock.url}#gpt-4o"))


def test_a_stalled_stream_is_left(llmock: LLMock) -> None:
    llmock.stall(after_chunks=2, seconds=5)
    started = time.monotonic()
    with pytest.raises(ServerSilent):
        ask(opened(f"{llmock.url}#gpt-4o", timeouts=Timeouts(5, 0.4)))
    assert time.monotonic() - started < 3


def test_arguments_that_are_no_json_are_not_run(llmock: LLMock) -> None:
    llmock.break_tool_call("malformed_arguments", times=None)
    answer, _ = ask(opened(f"{llmock.url}#gpt-4o"))
    assert not answer.message.calls
    assert "no JSON" in answer.message.malformed[0]


def test_the_time_to_wait_is_passed_on(llmock: LLMock) -> None:
    model = opened(f"{llmock.url}#gpt-4o")
    llmock.rate_limit(retry_after=3)
    with pytest.raises(RateLimited) as raised:
        ask(model)
    assert raised.value.retry_after == 3
    llmock.fail(503)
    with pytest.raises(ServerFailed):
        ask(model)


RULES = """\
version: 1
rules:
  - name: first
    when: {turn: 1}
    respond:
      tool_calls:
        - {name: read_file, arguments: {path: a.py}}
        - {name: read_file, arguments: {path: b.py}}
  - name: then
    respond: {content: "Both are empty."}
"""


@pytest.fixture
def fakellm(tmp_path: Path) -> Iterator[str]:
    """The address of a server that plays RULES."""
    (tmp_path / "rules.yaml").write_text(RULES)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "fakellm.server:app", "--port", str(port)]
    environ = {**os.environ, "FAKELLM_CONFIG": str(tmp_path / "rules.yaml")}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(400):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_two_calls_in_one_answer(fakellm: str) -> None:
    model = opened(f"{fakellm}#any")
    answer, _ = ask(model)
    assert [dict(call.arguments)["path"] for call in answer.message.calls] == ["a.py", "b.py"]
    results = tuple(ToolOutput(call.id, READ.name, "") for call in answer.message.calls)
    history: tuple[Message, ...] = (*START, answer.message, ToolMessage(results))
    answer, _ = ask(model, history)
    assert answer.message.text == "Both are empty."
