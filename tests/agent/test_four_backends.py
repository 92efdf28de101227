"""One conversation through all kinds of model, each as it is asked in earnest: a local one in its
process, Claude through the SDK, a server by the other protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agent.events import Event, Status, StepFinished, Switched, TurnFinished
from agent.limits import Limits
from agent.messages import AssistantMessage, ToolMessage
from agent.models.base import Device, ModelSpec
from agent.models.catalogue import Catalogue
from agent.models.claude.access import Access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from agent.models.local.model import LocalModel
from agent.recorded import load
from agent.session import Session
from tests.agent.garage import INVOICE, ISSUE, Garage
from tests.agent.models.claude import messages_server as claude
from tests.agent.models.claude.messages_server import KEY, MessagesServer, serve
from tests.agent.models.server import servers
from tests.agent.models.server.asking import opened
from tests.agent.models.server.servers import Server, called, in_turn, models, said, serving

SMALLEST = "smollm2-135m"
WRONG = "self.subtotal(), self.tax_rate"
HIDDEN = "self.subtotal() - 1, self.tax_rate"
RIGHT = "self.subtotal() - self.discount(), self.tax_rate"


def of_the_server(name: str, **arguments: str) -> servers.Reply:
    return called(servers.call(name, json.dumps(arguments), "c1"))


@pytest.fixture
def other() -> Iterator[Server]:
    """Speaks chat completions; it finds what Claude has left wrong."""
    replies = in_turn(
        of_the_server("read_file", path=INVOICE),
        of_the_server("edit", path=INVOICE, old=HIDDEN, new=RIGHT),
        said("The tax is on what is paid."),
    )
    routes = {"/v1/models": models("mender", max_model_len=32_768), "/v1/chat/completions": replies}
    with serving(routes) as server:
        yield server


@pytest.fixture
def claude_server() -> Iterator[MessagesServer]:
    replies = [
        claude.Reply([claude.thinking("Who reads?"), claude.call("read_file", path=INVOICE)]),
        claude.Reply([claude.call("edit", path=INVOICE, old=WRONG, new=HIDDEN)]),
        claude.Reply([claude.text("Is it?"), claude.call("run_tests")]),
    ]
    with serve(MessagesServer(replies)) as server:
        yield server


@pytest.fixture
def local() -> Iterator[LocalModel]:
    """It says little, for what it says does not matter here."""
    pytest.importorskip("llama_cpp")
    catalogue = Catalogue.load()
    weights = catalogue.on_disk(catalogue.find(SMALLEST))
    if weights is None:
        pytest.skip(f"needs `agent models pull {SMALLEST}`")
    spec = ModelSpec(SMALLEST, 8192, max_output=24, forms=True, device=Device.PROCESSOR)
    with LocalModel(weights, spec, context=8192) as model:
        yield model


def test_ten_steps_by_four_backends(
    garage: Garage, local: LocalModel, claude_server: MessagesServer, other: Server, tmp_path: Path
) -> None:
    """Local, Claude, local, another server; each change in the middle of the work."""
    wire = Wire(Access(KEY), claude_server.address)
    sonnet, third = ClaudeModel("claude-sonnet-5-5", wire), opened(other.url)
    one = garage.free(local)
    after = {2: garage.free(sonnet), 5: one, 7: garage.free(third)}
    agent = garage.agent(one, Limits(steps=30))
    session = Session.create(garage.workspace.root, tmp_path / "state", ISSUE)
    seen: list[Event] = []
    for event in agent.run(ISSUE, threading.Event()):
        seen.append(event)
        session.record(event)
        if isinstance(event, StepFinished) and event.number in after:
            agent.switch(after[event.number])
    session.close()
    sonnet.close()
    third.close()
    ended = seen[-1]
    assert isinstance(ended, TurnFinished)
    assert ended.status is Status.VERIFIED, ended.summary
    history = agent.history
    wrote = [message.model for message in history if isinstance(message, AssistantMessage)]
    names = [model.spec.name for model in (local, sonnet, local, third)]
    assert wrote == [names[0]] * 2 + [names[1]] * 3 + [names[2]] * 2 + [names[3]] * 3
    assert len([event for event in seen if isinstance(event, Switched)]) == 3
    assert claude_server.refused == []
    # What Claude was told at last is what it was told before, and more; so is the other server.
    for bodies in (claude_server.bodies, other.bodies("/v1/chat/completions")):
        for before, following in pairwise(bodies):
            said_before = [strip(message) for message in before["messages"]]
            assert [strip(message) for message in following["messages"]][: len(said_before)] == (
                said_before
            )
    # Switched back to, the local model still held what it had read.
    steps = [event.usage for event in seen if isinstance(event, StepFinished)]
    assert steps[5].reused >= steps[1].prompt
    # Every call has its result, and a new process reads the same conversation.
    for message, answer in pairwise(history):
        if isinstance(message, AssistantMessage) and message.calls:
            assert isinstance(answer, ToolMessage)
            assert [result.call_id for result in answer.results] == [
                call.id for call in message.calls
            ]
    assert load(session.info).messages == history


def strip(message: dict[str, object]) -> str:
    """A message without the marks of the cache, which move."""
    return json.dumps(message).replace(', "cache_control": {"type": "ephemeral"}', "")
