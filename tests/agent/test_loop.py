"""The loop: limits, retries, repeated calls, interruption; over real files and a scripted model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent import events
from agent.context import Context
from agent.errors import ModelError, WorkerDied
from agent.events import Event, Status, TurnFinished
from agent.instructions import Instructions
from agent.limits import Limits
from agent.loop import Agent
from agent.messages import AssistantMessage, SystemMessage, ToolCall, UserMessage
from agent.models.base import (
    Answer,
    ModelEvent,
    ModelSpec,
    Request,
    StopReason,
    Tariff,
    TextDelta,
    Usage,
)
from agent.redaction import Redactor
from agent.steering.moves import Ask, Moves, Rewind, Verdict, ask, use
from agent.trust import ProjectFile
from tools.base import Cancel, Toolbox, ToolResult
from tools.files import ReadFile, WriteFile
from tools.shell import Run
from tools.snapshots import Snapshots
from tools.workspace import Workspace

SPEC = ModelSpec("talker", context=100_000, tariff=Tariff("claude-sonnet-5-5"))
"""$2 in and $10 out for a million tokens."""
LIMITS = Limits()


@dataclass
class Talker:
    """Answers with the calls it was given; an exception in the list is raised instead."""

    answers: list[AssistantMessage | ModelError]
    spec: ModelSpec = SPEC
    requests: list[Request] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(prompt=10, evaluated=10, output=5))

    def count(self, text: str) -> int:
        return len(text)

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, ModelError):
            raise answer
        yield TextDelta(answer.text)
        yield Answer(answer, self.usage, StopReason.END)

    def close(self) -> None: ...


@dataclass
class Obeying:
    """A steering that uses what the model calls until it calls nothing."""

    offers_tools: bool = True
    system: str = "Obey."

    def retreat(self) -> None:
        pass

    def moves(self, task: str, onward: str = "") -> Moves:
        answer = yield from ask(Ask(UserMessage(task)))
        while answer.calls:
            for call in answer.calls:
                result = yield from use(call, by_model=True)
            answer = yield from ask(Ask(UserMessage(result.output)))
        return Verdict(Status.UNVERIFIED, "done")


def says(text: str = "", *calls: ToolCall) -> AssistantMessage:
    return AssistantMessage(text, calls=calls)


def read(path: str) -> ToolCall:
    return ToolCall("c", "read_file", {"path": path})


def write(path: str, content: str) -> ToolCall:
    return ToolCall("c", "write_file", {"path": path, "content": content})


def agent_for(
    tmp_path: Path, answers: Sequence[AssistantMessage | ModelError], limits: Limits = LIMITS
) -> Agent:
    (tmp_path / "a.txt").write_text("hello\n")
    workspace = Workspace(tmp_path)
    toolbox = Toolbox.of([ReadFile(workspace), WriteFile(workspace)])
    return Agent(Talker(list(answers)), toolbox, workspace, Obeying(), limits)


def finish(run: Iterator[Event]) -> tuple[list[Event], TurnFinished]:
    seen = list(run)
    last = seen[-1]
    assert isinstance(last, TurnFinished)
    return seen, last


def test_history_holds_what_was_said_in_order(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("look", read("a.txt")), says("fine")])
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.UNVERIFIED
    kinds = [type(message).__name__ for message in agent.history]
    assert kinds == [
        "SystemMessage", "UserMessage", "AssistantMessage", "UserMessage", "AssistantMessage",
    ]  # fmt: skip
    assert "hello" in str(agent.history[3])


def test_every_request_begins_with_the_one_before(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("a.txt")), says("", read("a.txt")), says("ok")])
    finish(agent.run("do it", threading.Event()))
    model = agent.model
    assert isinstance(model, Talker)
    for before, after in zip(model.requests, model.requests[1:], strict=False):
        assert tuple(after.messages[: len(before.messages)]) == tuple(before.messages)


def test_totals_add_up(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("a.txt")), says("ok")])
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.totals.steps == 2
    assert end.totals.usage.prompt == 20
    assert end.totals.cost.api_usd == pytest.approx(2 * (10 * 2 + 5 * 10) / 1e6)


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (Limits(steps=2), Status.STEP_LIMIT),
        (Limits(tokens=1), Status.TOKEN_LIMIT),
        (Limits(dollars=0.00001), Status.DOLLAR_LIMIT),
        (Limits(seconds=0.0), Status.TIME_LIMIT),
    ],
)
def test_each_limit_ends_the_turn_with_its_own_status(
    tmp_path: Path, limits: Limits, status: Status
) -> None:
    answers = [says("", write(f"f{number}.txt", "x\n")) for number in range(9)]
    agent = agent_for(tmp_path, answers, limits)
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.status is status
    assert end.totals.steps <= 2


def test_token_limit_caps_what_the_model_may_write(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("a.txt")), says("ok")], Limits(tokens=2500))
    seen, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.UNVERIFIED
    model = agent.model
    assert isinstance(model, Talker)
    first, second = model.requests
    by = agent.equipment
    prompt = Context().forecast(first.messages, by, lambda usage: True).prompt
    assert prompt + first.max_tokens == 2500
    assert first.max_tokens < second.max_tokens  # less was read than was forecast
    assert events.Notice(f"The limit leaves {first.max_tokens} tokens for this answer.") in seen


def test_a_limit_stops_before_the_request_that_would_pass_it(tmp_path: Path) -> None:
    answers = [says("", write(f"f{number}.txt", "x\n")) for number in range(9)]
    agent = agent_for(tmp_path, answers, Limits(dollars=0.018))
    usage = Usage(prompt=1000, evaluated=1000, output=400)  # $0.006
    agent.model = Talker(list(answers), usage=usage)
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.DOLLAR_LIMIT
    assert end.totals.steps == 2
    # The third would read 1,400 tokens and more at $2.50, and write 256 at $10.
    assert end.totals.cost.api_usd == pytest.approx(0.012)
    assert "$0.0060 is left" in end.summary
    assert len(agent.history) == 5  # nothing was said that was not sent


def test_three_equal_calls_warn_and_five_stop(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("a.txt"))] * 9)
    seen, end = finish(agent.run("do it", threading.Event()))
    outputs = [event.result.output for event in seen if isinstance(event, events.ToolFinished)]
    assert end.status is Status.LOOPING
    assert len(outputs) == 5
    assert [("same call" in output) for output in outputs] == [False, False, True, True, True]


def test_equal_calls_after_new_changes_are_no_loop(tmp_path: Path) -> None:
    answers = [says("", write(f"f{number}.txt", "x\n"), read("a.txt")) for number in range(6)]
    agent = agent_for(tmp_path, [*answers, says("ok")])
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.UNVERIFIED


def test_changing_to_and_fro_is_a_loop(tmp_path: Path) -> None:
    both = [says("", write("f.txt", "x\n")), says("", write("f.txt", "y\n"))]
    agent = agent_for(tmp_path, both * 9)
    _, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.LOOPING


def test_transient_errors_are_asked_again(tmp_path: Path) -> None:
    died = WorkerDied("It died.")
    agent = agent_for(tmp_path, [died, says("ok")])
    seen, end = finish(agent.run("do it", threading.Event()))
    assert end.status is Status.UNVERIFIED
    assert [event for event in seen if isinstance(event, events.Notice)]


def test_errors_that_stay_end_the_turn(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [WorkerDied("It died.")] * (WorkerDied.retries + 1))
    _, end = finish(agent.run("do it", threading.Event()))
    assert (end.status, end.summary) == (Status.MODEL_FAILED, "It died.")


def test_other_model_errors_are_not_asked_again(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [ModelError("Too long."), says("never")])
    _, end = finish(agent.run("do it", threading.Event()))
    assert (end.status, end.summary) == (Status.MODEL_FAILED, "Too long.")


def test_interruption_keeps_what_was_written(tmp_path: Path) -> None:
    cancel = threading.Event()
    agent = agent_for(tmp_path, [says("", write("new.txt", "kept\n")), says("ok")])
    end: Event | None = None
    for event in agent.run("do it", cancel):
        if isinstance(event, events.ToolFinished):
            cancel.set()
        end = event
    assert isinstance(end, TurnFinished)
    assert end.status is Status.INTERRUPTED
    assert (tmp_path / "new.txt").read_text() == "kept\n"
    assert end.changed == ("new.txt",)
    assert "+kept" in end.patch


def test_rewinding_forgets_messages_and_takes_edits_back(tmp_path: Path) -> None:
    class Regretful(Obeying):
        def moves(self, task: str, onward: str = "") -> Moves:
            answer = yield from ask(Ask(UserMessage(task)))
            yield from use(answer.calls[0], by_model=True)
            yield Rewind(0, 0, "no good")
            yield from ask(Ask(UserMessage(task)))
            return Verdict(Status.FAILED, "gave up")

    agent = agent_for(tmp_path, [says("", write("new.txt", "x\n")), says("ok")])
    agent.steering = Regretful()
    seen, end = finish(agent.run("do it", threading.Event()))
    assert not (tmp_path / "new.txt").exists()
    assert end.changed == ()
    assert events.Rewound(1, "no good") in seen
    assert agent.history[0] == SystemMessage("Obey.")
    assert len(agent.history) == 3


def test_what_a_command_changes_is_the_agents_work(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    snapshots = Snapshots(root, tmp_path / "snapshots", "one")
    workspace = Workspace(root, None, snapshots)
    call = ToolCall("c", "run", {"argv": ["sh", "-c", "echo x > new"]})
    model = Talker([says("", call), says("done")])
    agent = Agent(model, Toolbox.of([Run(root)]), workspace, Obeying())
    seen, last = finish(agent.run("task", threading.Event()))
    snapshots.close()
    (used,) = (event.result for event in seen if isinstance(event, events.ToolFinished))
    assert used.changed == ("new",)
    assert last.changed == ("new",)
    assert "+x" in last.patch


def test_a_key_is_in_no_request_whoever_said_it(tmp_path: Path) -> None:
    key = "sk-canary-0123456789abcdef"
    agent = agent_for(tmp_path, [says("", read("keys.txt")), says(key), says("ok")])
    agent.redactor = Redactor({"MY_KEY": key})
    (tmp_path / "keys.txt").write_text(f"key = {key}\n")
    given: list[ToolResult] = []

    class Keeping(Obeying):
        def moves(self, task: str, onward: str = "") -> Moves:
            answer = yield from ask(Ask(UserMessage(task)))
            given.append((yield from use(answer.calls[0], by_model=True)))
            yield from ask(Ask(UserMessage(f"say {key}")))
            yield from ask(Ask(UserMessage("go on")))
            return Verdict(Status.FAILED, f"for {key}")

    agent.steering = Keeping()
    seen, end = finish(agent.run(f"mend {key}", threading.Event()))
    model = agent.model
    assert isinstance(model, Talker)
    assert len(model.requests) == 3
    assert "[redacted MY_KEY]" in given[0].output
    assert "[redacted MY_KEY]" in end.summary
    assert "canary" not in repr((model.requests, given, seen, agent.history))


def test_instructions_open_the_history_and_come_with_results(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, [says("", read("sub/b.txt")), says("", read("b.txt")), says("ok")])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("b\n")
    files = (ProjectFile("AGENTS.md", b"Root rule."), ProjectFile("sub/AGENTS.md", b"Sub rule."))
    agent.instructions = Instructions(files, 500)
    seen, _ = finish(agent.run("do it", threading.Event()))
    first = agent.history[0]
    assert isinstance(first, SystemMessage)
    assert "Root rule." in first.text
    outputs = [event.result.output for event in seen if isinstance(event, events.ToolFinished)]
    assert ["Sub rule." in output for output in outputs] == [True, False]
