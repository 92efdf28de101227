"""llama.cpp's own server, out of the xllamacpp wheel, with the smallest model."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from agent.errors import ContextOverflow
from agent.messages import Message, SystemMessage, UserMessage
from agent.models.base import Answer, Reading, Request, StopReason, TextDelta
from agent.models.server.model import ServerModel
from tests.agent.models.llama_server import SMALLEST, llama
from tests.agent.models.server.asking import READ, ask, opened
from tests.agent.models.server.servers import Json, Reply, data, models, said, serving

CHAT = "/v1/chat/completions"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As the model's own, which adds a system message where there is none."""


@pytest.fixture(scope="module")
def model() -> Iterator[ServerModel]:
    with llama(SMALLEST, 2048, CHATML) as address:
        made = opened(address)
        yield made
        made.close()


SAID: tuple[Message, ...] = (
    SystemMessage("You are a helpful programmer who answers in short sentences."),
    UserMessage("What does a function return that has no return statement?"),
)


def test_it_is_known_for_what_it_is(model: ServerModel) -> None:
    assert model.spec.context == 2048
    assert model.found.trained == 8192
    assert model.found.tools is False  # its template drops them


def test_it_streams_and_reuses_what_it_has_read(model: ServerModel) -> None:
    answer, events = ask(model, SAID, tools=(), max_tokens=12)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text.strip() == answer.message.text
    assert any(isinstance(event, Reading) for event in events)
    assert answer.usage.prompt == answer.usage.evaluated + answer.usage.reused
    longer = (*SAID, answer.message, UserMessage("And one that raises?"))
    again, _ = ask(model, longer, tools=(), max_tokens=4)
    assert again.stop is StopReason.LENGTH
    assert again.usage.reused >= answer.usage.prompt
    assert again.usage.evaluated <= again.usage.new + 2


def test_a_call_is_forced_where_none_could_be_read(model: ServerModel) -> None:
    """The first answer is a broken call; the second is this server's, held to the schema."""
    asked: list[Json] = []

    def pass_on(body: Json) -> Reply:
        asked.append(body)
        if len(asked) == 1:
            return said('<tool_call>{"name": "read_file", </tool_call>')
        sent = urllib.request.Request(
            f"{model.found.address}{CHAT}", json.dumps({**body, "temperature": 0}).encode()
        )
        with urllib.request.urlopen(sent) as answer:
            return Reply([answer.read()])

    listed = models(SMALLEST, owned_by="llamacpp")
    props = {"chat_template_caps": {"supports_tools": False}}
    routes = {"/v1/models": listed, "/props": lambda body: data(props), CHAT: pass_on}
    with serving(routes) as front:
        answer, _ = ask(opened(front.url), max_tokens=40)
    assert len(asked) == 2
    assert len(answer.message.mended) == 1
    (call,) = answer.message.calls
    assert call.name == READ.name
    assert isinstance(call.arguments["path"], str)


def test_a_prompt_beyond_the_window_is_an_overflow(model: ServerModel) -> None:
    text = "&%$ " * 2000  # no words, so that only the server can tell
    with pytest.raises(ContextOverflow, match="window"):
        ask(model, (*SAID[:1], UserMessage(text)), tools=())


def test_cancelling_frees_the_server(model: ServerModel) -> None:
    cancel = threading.Event()
    answer = None
    request = Request(SAID, max_tokens=1500)
    for event in model.stream(request, cancel):
        if isinstance(event, TextDelta):
            cancel.set()
        answer = event
    assert isinstance(answer, Answer)
    assert answer.stop is StopReason.CANCELLED
    again, _ = ask(model, SAID, tools=(), max_tokens=4)  # one slot: it would wait for the other
    assert again.usage.reused > 0
