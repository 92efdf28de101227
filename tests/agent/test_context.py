"""The window of a model: how full it is, when it is made room in, through the loop itself."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from agent import events
from agent.compaction import HEADING
from agent.errors import ContextOverflow, ExitCode, ModelError
from agent.events import Compacted, Event, Status, StepFinished, TurnFinished
from agent.limits import Limits
from agent.loop import Agent
from agent.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from agent.models.base import ModelSpec
from agent.steering.free import Free
from tests.agent.talking import Talker, read, says
from tools.base import Toolbox
from tools.files import ReadFile, WriteFile
from tools.workspace import Workspace

TASK = "The answer must be 42."


def agent_for(
    root: Path, answers: list[AssistantMessage | ModelError], window: int = 12_000
) -> Agent:
    for number in range(20):
        (root / f"f{number}.txt").write_text(f"{number}\n" * 500)
    workspace = Workspace(root)
    toolbox = Toolbox.of([ReadFile(workspace), WriteFile(workspace)])
    model = Talker(ModelSpec("talker", window), answers)
    return Agent(model, toolbox, workspace, Free(workspace, toolbox.specs, None, has_tests=False))


def run(agent: Agent) -> list[Event]:
    return list(agent.run(TASK, threading.Event()))


def reading(files: int) -> list[AssistantMessage | ModelError]:
    return [says(f"Look {n}.", read(f"f{n}.txt", n)) for n in range(files)]


def talker(agent: Agent) -> Talker:
    assert isinstance(agent.model, Talker)
    return agent.model


def test_each_step_tells_how_full_the_window_is(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [*reading(2), *[says("Done.")] * 3])
    meters = [event.context for event in run(agent) if isinstance(event, StepFinished)]
    assert [meter.window for meter in meters] == [12_000] * 5
    assert [meter.reserved for meter in meters] == [3_000] * 5
    assert [meter.used for meter in meters] == sorted(meter.used for meter in meters)
    held = sum(map(len, talker(agent).texts(agent.history[: 2 * 5 + 1])))
    assert meters[-1].used == held
    assert meters[0].reused == 0
    assert meters[-1].reused > 0.9


def test_the_window_is_never_overrun_and_only_a_compaction_breaks_the_prefix(
    tmp_path: Path,
) -> None:
    agent = agent_for(tmp_path, [*reading(18), *[says("Done.")] * 3])
    seen = run(agent)
    compactions = [event for event in seen if isinstance(event, Compacted)]
    meters = [event.context for event in seen if isinstance(event, StepFinished)]
    assert len(compactions) >= 2
    assert max(meter.used for meter in meters) <= 12_000
    assert all(event.tokens_after < event.tokens_before for event in compactions)
    requests = talker(agent).requests
    breaks = sum(
        tuple(after.messages[: len(before.messages)]) != tuple(before.messages)
        for before, after in itertools.pairwise(requests)
    )
    assert breaks == len(compactions)
    for request in requests:
        assert request.messages[1] == UserMessage(TASK)
        calls = [m for m in request.messages if isinstance(m, AssistantMessage) and m.calls]
        results = [m for m in request.messages if isinstance(m, ToolMessage)]
        assert len(results) == len(calls)


def test_compaction_is_announced_and_leads_to_the_history(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [*reading(9), *[says("Done.")] * 3])
    replayed: list[object] = []
    for event in run(agent):
        match event:
            case events.Said(message):
                replayed.append(message)
            case Compacted():
                assert event.messages_before == len(replayed)
                replayed = list(event.applied(replayed))  # type: ignore[arg-type]  # messages all
                assert event.messages_after == len(replayed)
                assert HEADING in str(event.inserted)
    assert replayed == agent.history


def test_a_user_may_have_the_history_shortened_before_it_must_be(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [*reading(9), *[says("Done.")] * 6], window=100_000)
    run(agent)
    before = list(agent.history)
    compacted = agent.compact()
    assert compacted is not None
    assert compacted.reason == "as you asked"
    assert compacted.tokens_after < compacted.tokens_before
    assert list(compacted.applied(before)) == agent.history
    assert isinstance(run(agent)[-1], TurnFinished)


def test_a_request_that_is_refused_is_made_once_more_and_shorter(tmp_path: Path) -> None:
    refusal = ContextOverflow("The server holds 4096 tokens.")
    answers = [*reading(3), refusal, says("", read("f9.txt", 9)), *[says("Done.")] * 3]
    agent = agent_for(tmp_path, answers, window=100_000)
    seen = run(agent)
    assert isinstance(seen[-1], TurnFinished)
    assert seen[-1].status is Status.FAILED  # nothing was changed, but the turn went on
    (compacted,) = [event for event in seen if isinstance(event, Compacted)]
    assert compacted.reason == "the model refused more"
    meters = [event.context for event in seen if isinstance(event, StepFinished)]
    assert meters[-1].window == compacted.tokens_before  # it is not believed to hold more


def test_a_request_that_is_refused_twice_ends_the_turn(tmp_path: Path) -> None:
    refusal = ContextOverflow("The request is too long.")
    agent = agent_for(tmp_path, [*reading(3), refusal, refusal], window=100_000)
    seen = run(agent)
    assert isinstance(seen[-1], TurnFinished)
    assert seen[-1].status is Status.CONTEXT_LIMIT
    assert seen[-1].status.exit_code is ExitCode.MODEL_FAILED
    assert seen[-1].summary == "The request is too long."


def test_what_cannot_be_shortened_is_not(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [ContextOverflow("Too long.")])
    seen = run(agent)
    assert not [event for event in seen if isinstance(event, Compacted)]
    assert agent.history == [SystemMessage(agent.steering.system), UserMessage(TASK)]


@pytest.mark.parametrize("window", [2_500, 6_000])
def test_one_result_larger_than_the_window_is_survived(tmp_path: Path, window: int) -> None:
    agent = agent_for(tmp_path, [says("", read("f0.txt")), *[says("Done.")] * 3], window)
    (tmp_path / "f0.txt").write_text("long line of text\n" * 2000)
    seen = run(agent)
    meters = [event.context for event in seen if isinstance(event, StepFinished)]
    assert len(meters) == 4
    assert max(meter.used for meter in meters) < window


def test_a_limit_is_asked_of_the_history_as_it_will_be(tmp_path: Path) -> None:
    """The result alone would pass the limit; what is left of it after the compaction does not."""
    agent = agent_for(tmp_path, [says("", read("f0.txt")), *[says("Done.")] * 3], 6_000)
    agent.limits = Limits(tokens=20_000)
    (tmp_path / "f0.txt").write_text("long line of text\n" * 2000)
    seen = run(agent)
    assert any(isinstance(event, Compacted) for event in seen)
    end = seen[-1]
    assert isinstance(end, TurnFinished)
    assert end.status is Status.FAILED  # nothing was changed, but no limit was in the way
    assert end.totals.usage.evaluated + end.totals.usage.output <= 20_000


def test_nothing_is_shortened_for_a_request_that_a_limit_forbids(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("f0.txt"))], 6_000)
    (tmp_path / "f0.txt").write_text("long line of text\n" * 2000)
    agent.limits = Limits(tokens=2_100)
    seen = run(agent)
    assert isinstance(seen[-1], TurnFinished)
    assert seen[-1].status is Status.TOKEN_LIMIT
    assert not any(isinstance(event, Compacted) for event in seen)
    assert len(agent.history) == 3  # the result is told when the conversation goes on
