"""Another model goes on: between steps, between turns, and when one gives up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from agent import events
from agent.equipment import Equipment
from agent.errors import ModelError, WorkerDied
from agent.events import Event, Status, StepFinished, Switched, TurnFinished
from agent.limits import Limits
from agent.loop import Agent
from agent.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from agent.models.base import Device, EditFormat, Model, ModelSpec, Tariff
from agent.switching import Models
from tests.agent.garage import INVOICE, ISSUE, Garage
from tests.agent.talking import Talker, read, says

LOCAL = ModelSpec("local", 60_000, edit_format=EditFormat.SYMBOL, device=Device.PROCESSOR)
REMOTE = ModelSpec(
    "remote",
    400_000,
    edit_format=EditFormat.SEARCH_REPLACE,
    tariff=Tariff("claude-sonnet-5-5", "anthropic"),
)
WRITTEN = 2.5
"""Dollars per million prompt tokens that are read and written to its cache."""


def replacing(body: str) -> ToolCall:
    code = f"    def tax(self) -> int:\n        return {body}\n"
    arguments = {"path": INVOICE, "symbol": "Invoice.tax", "code": code}
    return ToolCall("replace", "replace_symbol", arguments)


def editing(old: str, new: str) -> ToolCall:
    return ToolCall("edit", "edit", {"path": INVOICE, "old": old, "new": new})


WRONG = "percent(self.subtotal() - 1, self.tax_rate)"
RIGHT = "percent(self.subtotal() - self.discount(), self.tax_rate)"
TESTS = ToolCall("tests", "run_tests", {})


def ended(seen: Sequence[Event]) -> TurnFinished:
    last = seen[-1]
    assert isinstance(last, TurnFinished)
    return last


def conduct(agent: Agent, after: dict[int, Equipment], task: str = ISSUE) -> Iterator[Event]:
    """A turn in which another model takes over after some of the steps' first tool."""
    step = 0
    for event in agent.run(task, threading.Event()):
        yield event
        if isinstance(event, StepFinished):
            step = event.number
        if isinstance(event, events.ToolFinished) and event.origin is events.Origin.MODEL:
            to = after.pop(step, None)
            if to is not None:
                agent.switch(to)


def test_ten_steps_by_two_models_lose_nothing(garage: Garage) -> None:
    local = Talker(
        LOCAL,
        [
            says("I look.", read(INVOICE, 1)),
            says("And the money.", read("billing/money.py", 2)),
            says("I try.", replacing(WRONG), read(INVOICE, 3)),  # two calls, switched after one
            says("What do they say?", TESTS),
            says("Look.", read(INVOICE, 4)),
            says("Now right.", replacing("percent(self.subtotal() - 2, self.tax_rate)")),
            says("The end.", read(INVOICE, 5)),
        ],
        native=False,
    )
    remote = Talker(
        REMOTE,
        [
            says("What did it do?", read(INVOICE, 6)),
            says("Not so.", editing("self.subtotal() - 1", "self.subtotal() - 3")),
            says("The last.", editing("self.subtotal() - 2", "self.subtotal() - self.discount()")),
            says("The tax is on what is paid."),
        ],
    )
    one, two = garage.free(local), garage.free(remote)
    agent = garage.agent(one)
    seen = list(conduct(agent, {3: two, 5: one, 9: two}))
    steps = [event for event in seen if isinstance(event, StepFinished)]
    assert ended(seen).status is Status.VERIFIED, ended(seen).summary
    assert len(steps) >= 10
    wrote = [message.model for message in agent.history if isinstance(message, AssistantMessage)]
    assert wrote == ["local"] * 3 + ["remote"] * 2 + ["local"] * 4 + ["remote"] * 2
    # Every call has its result, also those that were made just before a switch.
    for message, following in zip(agent.history, agent.history[1:], strict=False):
        if isinstance(message, AssistantMessage) and message.calls:
            assert isinstance(following, ToolMessage)
            told = [result.call_id for result in following.results]
            assert told == [call.id for call in message.calls]
    for model in (local, remote):
        assert model.closed == 0
        for before, after in zip(model.requests, model.requests[1:], strict=False):
            asked = model.texts(before.messages)
            assert model.texts(after.messages)[: len(asked)] == asked
            assert after.tools == before.tools
    assert {tool.name for tool in remote.requests[0].tools} > {"edit"}
    assert {tool.name for tool in local.requests[0].tools} > {"replace_symbol"}


def test_what_a_switch_costs_is_told_before_it_happens(garage: Garage) -> None:
    looks = [says("", read(path, n)) for n, path in enumerate([INVOICE, "billing/money.py"])]
    local = Talker(LOCAL, [*looks, *[says("Done.")] * 3], native=False)
    remote = Talker(REMOTE, [says("", read(INVOICE, 9))])
    one, two = garage.free(local), garage.free(remote)
    agent = garage.agent(one)
    seen = list(conduct(agent, {2: two, 3: one}))
    there, back = [event for event in seen if isinstance(event, Switched)]
    assert (there.model, back.model) == ("remote", "local")
    assert there.seconds is None  # it has not been asked yet
    assert there.dollars == pytest.approx(there.tokens * WRITTEN / 1e6)
    assert back.dollars == 0
    assert back.seconds is not None
    at = seen.index(there)
    asked = [event for event in seen[at:] if isinstance(event, StepFinished)]
    assert there.tokens == pytest.approx(asked[0].usage.evaluated, rel=0.35)
    # What the local model read before is still in its cache.
    assert back.tokens < there.tokens
    assert back.tokens == pytest.approx(asked[1].usage.evaluated, rel=0.35)
    price = agent.switch(two)
    assert price.tokens > there.tokens


def test_a_model_that_gives_up_is_followed_by_another(garage: Garage) -> None:
    local = Talker(LOCAL, [says("I try.", replacing(WRONG)), *[says("Done.")] * 3], native=False)
    fix = editing("self.subtotal() - 1", "self.subtotal() - self.discount()")
    remote = Talker(REMOTE, [says("", read(INVOICE)), says("", fix), says("It was the tax.")])
    agent = garage.agent(garage.free(local))
    agent.successors.append(garage.free(remote))
    seen = list(agent.run(ISSUE, threading.Event()))
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 7
    assert len([event for event in seen if isinstance(event, TurnFinished)]) == 1
    told = remote.requests[0].messages[-1]
    assert isinstance(told, UserMessage)
    assert "It ended so: 4 tests still fail." in told.text
    assert ISSUE not in told.text  # it was told once
    assert remote.requests[0].messages[1] == UserMessage(ISSUE)


def test_the_step_limit_is_each_model_s_own(garage: Garage) -> None:
    local = Talker(LOCAL, [says("", read(INVOICE, n)) for n in range(9)])
    remote = Talker(REMOTE, [says("", read("billing/money.py", n)) for n in range(9)])
    agent = garage.agent(garage.free(local), Limits(steps=3))
    agent.successors.append(garage.free(remote))
    seen = list(agent.run(ISSUE, threading.Event()))
    assert ended(seen).status is Status.STEP_LIMIT
    assert (len(local.requests), len(remote.requests)) == (3, 3)
    assert ended(seen).totals.steps == 6


@pytest.mark.parametrize("limits", [Limits(tokens=6_000), Limits(seconds=0.0)])
def test_what_the_user_limits_is_not_gone_on_with(garage: Garage, limits: Limits) -> None:
    local = Talker(LOCAL, [says("", read(INVOICE, n)) for n in range(9)])
    remote = Talker(REMOTE, [])
    agent = garage.agent(garage.free(local), limits)
    agent.successors.append(garage.free(remote))
    list(agent.run(ISSUE, threading.Event()))
    assert remote.requests == []


def test_a_model_that_fails_is_followed_too(garage: Garage) -> None:
    died: list[AssistantMessage | ModelError] = [WorkerDied("It died.")] * (ModelError.retries + 1)
    remote = Talker(REMOTE, [says("Nothing."), says("Nothing."), says("Nothing.")])
    agent = garage.agent(garage.free(Talker(LOCAL, died)))
    agent.successors.append(garage.free(remote))
    list(agent.run(ISSUE, threading.Event()))
    assert "It ended so: It died." in str(remote.requests[0].messages[-1])


def test_after_a_guided_model_the_other_is_told_all_that_it_needs(garage: Garage) -> None:
    weak = Talker(replace(LOCAL, context=400_000), [says("It is tax.", replacing(WRONG))] * 90)
    remote = Talker(REMOTE, [says("", replacing(RIGHT)), says("Done.")])
    to = garage.free(replace_format(remote, EditFormat.SYMBOL))
    agent = garage.agent(garage.guided(weak), Limits(steps=4))
    agent.successors.append(to)
    seen = list(agent.run(ISSUE, threading.Event()))
    assert ended(seen).status is Status.VERIFIED, ended(seen).summary
    first = remote.requests[0].messages
    told = "\n".join(message.text for message in first if isinstance(message, UserMessage))
    assert ISSUE in told
    assert to.steering.system in told
    # The change that was being tried was taken back: only the other's is there.
    assert WRONG not in garage.workspace.peek(INVOICE).decode()


def test_a_guided_model_takes_over_in_its_own_way(garage: Garage) -> None:
    remote = Talker(REMOTE, [says("", read(INVOICE)), *[says("I give up.")] * 3])
    weak = Talker(LOCAL, [says("The tax.", replacing(WRONG)), says("Now.", replacing(RIGHT))])
    agent = garage.agent(garage.free(remote))
    agent.successors.append(garage.guided(weak))
    before: list[Message] = []
    for event in agent.run(ISSUE, threading.Event()):
        if isinstance(event, Switched):
            before = list(agent.history)
    assert isinstance(event, TurnFinished)
    assert event.status is Status.VERIFIED, event.summary
    # What it rewinds is its own; the conversation before it stays.
    assert agent.history[: len(before)] == before
    assert all(request.messages[: len(before)] == tuple(before) for request in weak.requests)


def test_of_two_local_models_one_rests(garage: Garage) -> None:
    small = Talker(LOCAL, [says("", read(INVOICE))])
    large = Talker(replace(LOCAL, name="large"), [says("Done.")] * 3)
    agent = garage.agent(garage.free(small))
    list(conduct(agent, {1: garage.free(large)}))
    assert small.closed == 1
    assert agent.switch(garage.free(small)).tokens > 1000  # its cache is gone


def replace_format(model: Talker, edits: EditFormat) -> Talker:
    model.spec = replace(model.spec, edit_format=edits)
    return model


def test_models_are_opened_once_and_closed_at_the_end() -> None:
    opened: list[tuple[str, bool]] = []
    made: dict[str, Talker] = {}

    def opening(name: str, start: bool) -> Model:
        opened.append((name, start))
        made[name] = Talker(replace(LOCAL, name=name), [])
        return made[name]

    models = Models(opening)
    first: Callable[[], Model] = lambda: models.get("a")  # noqa: E731  asked for twice
    assert first() is first()
    models.get("b", start=False)
    assert opened == [("a", True), ("b", False)]
    models.close()
    models.close()
    assert [model.closed for model in made.values()] == [1, 1]
