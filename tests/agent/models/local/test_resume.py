"""A conversation from a record is, to a model's cache, the conversation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.events import Said
from agent.messages import Message, SystemMessage, ToolMessage, ToolOutput, UserMessage
from agent.models.base import Request
from agent.models.local.model import LocalModel
from agent.recorded import load
from agent.session import Session
from tests.agent.models.local.asking import ask
from tools.files import ReadFile
from tools.workspace import Workspace


def test_a_resumed_conversation_is_the_same_tokens(
    model: LocalModel, tmp_path: Path, open_model: Callable[..., LocalModel]
) -> None:
    tools = (ReadFile(Workspace(tmp_path)).spec,)
    history: list[Message] = [SystemMessage("You mend code."), UserMessage("What is 2 + 2?")]
    results = ToolMessage((ToolOutput("c1", "read_file", "1 x = 1\n"),))
    for following in (results, UserMessage("Go on.")):
        answer = ask(model, Request(history, tools, max_tokens=16))
        history += [answer.message, following]
    session = Session.create(tmp_path, tmp_path / "state", "Mend it.")
    for message in history:
        session.record(Said(message))
    session.close()
    resumed = Request(load(session.info).messages, tools, max_tokens=8)
    # The process that held it compares the tokens themselves: only the last message is new to it.
    held = answer.usage.prompt + answer.usage.output
    warm = ask(model, resumed)
    assert warm.usage.reused >= held - 1
    assert warm.usage.evaluated < 20
    cold = ask(open_model(), resumed)
    assert cold.usage.prompt == warm.usage.prompt
    assert cold.message.tokens == warm.message.tokens
