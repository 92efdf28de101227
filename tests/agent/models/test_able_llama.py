"""llama.cpp's server with a model that calls tools, through the `anthropic` SDK and through chat
completions; only where its weights are here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent.errors import ContextOverflow
from agent.messages import Message, SystemMessage, ToolCall, UserMessage
from agent.models.base import CallDelta, Request, TextDelta
from agent.models.claude.access import Access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from agent.models.server.model import ServerModel
from tests.agent.models.claude.asking import TOOLS, ask, results
from tests.agent.models.llama_server import ABLE, llama
from tests.agent.models.server.asking import opened

WINDOW = 1024
TEMPLATE = """\
{%- if tools %}<|im_start|>system
{{ messages[0].content if messages[0].role == 'system' else '' }}
You may call these functions:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
To call one, answer with {"name": ..., "arguments": {...}} and nothing else.<|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.role == 'assistant' and message.tool_calls %}<|im_start|>assistant
{%- if message.content %}
{{ message.content }}
{%- endif %}
{%- for call in message.tool_calls %}
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
{%- endfor %}<|im_end|>
{% elif message.role != 'system' %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""The model's own wants tags around a call, which this model never writes."""
TASK: tuple[Message, ...] = (
    SystemMessage("You repair code."),
    UserMessage("Read the file a.py with the tool."),
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama(ABLE, WINDOW, TEMPLATE) as found:
        yield found


@pytest.fixture(params=["messages", "chat completions"])
def model(request: pytest.FixtureRequest, address: str) -> Iterator[ClaudeModel | ServerModel]:
    made: ClaudeModel | ServerModel = opened(address)
    if request.param == "messages":
        made = through_the_sdk(address)
    yield made
    made.close()


def through_the_sdk(address: str) -> ClaudeModel:
    return ClaudeModel("claude-sonnet-5-5", Wire(Access("none"), address))


def asking(messages: tuple[Message, ...], tokens: int = 60) -> Request:
    return Request(messages, TOOLS[:1], max_tokens=tokens)


def test_it_streams_and_reads_from_its_cache(model: ClaudeModel | ServerModel) -> None:
    told: list[object] = []
    task = (SystemMessage("Be short."), UserMessage("What does a function without return give?"))
    first = ask(model, task, told.append, request=Request(task, max_tokens=12))
    pieces = [event.text for event in told if isinstance(event, TextDelta)]
    assert len(pieces) > 2
    assert "".join(pieces).strip() == first.message.text.strip() != ""
    longer = (*task, first.message, UserMessage("And one that raises?"))
    second = ask(model, longer, request=Request(longer, max_tokens=4))
    assert second.usage.reused >= first.usage.prompt
    assert second.usage.evaluated <= second.usage.new + 2


def test_it_counts_what_it_will_read(address: str) -> None:
    claude = through_the_sdk(address)
    counted = claude.count_request(asking(TASK))
    assert counted == ask(claude, request=asking(TASK, 2)).usage.prompt
    plain = Request(TASK, max_tokens=2)
    assert claude.count_request(plain) == ask(opened(address), request=plain).usage.prompt
    claude.close()


def test_it_calls_a_tool_and_reads_the_result(model: ClaudeModel | ServerModel) -> None:
    told: list[object] = []
    called = ask(model, TASK, told.append, request=asking(TASK)).message
    assert called.malformed == ()
    (call,) = called.calls
    assert (call.name, call.arguments["path"]) == ("read_file", "a.py")
    assert called.text == ""  # the server made a call of it
    if isinstance(model, ClaudeModel):
        assert len([event for event in told if isinstance(event, CallDelta)]) > 2
    both = ToolCall("odd id!", "read_file", {"path": "b.py"})
    said = replace(called, calls=(call, both), model="another")
    history = (*TASK, said, results(said, "1 x = 1"), UserMessage("Which name is set?"))
    answer = ask(model, history, request=asking(history, 24))
    assert answer.message.text or answer.message.calls
    assert answer.usage.reused > 0


def test_beyond_its_window_is_an_overflow(model: ClaudeModel | ServerModel) -> None:
    text = "&%$ " * WINDOW  # no words, so that only the server can tell
    with pytest.raises(ContextOverflow, match="window"):
        ask(model, request=Request((UserMessage(text),), max_tokens=8))
