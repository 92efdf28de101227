"""A session of several turns: its modes, its list, and turns that change nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.approval import ApprovalAnswer, ApprovalRequest, Choice
from agent.conversation import Conversation
from agent.events import Event, Said, Status, Switched, ToolFinished, ToolStarted, TurnFinished
from agent.messages import UserMessage
from agent.mode import Mode
from agent.wanted import Wanted
from tests.e2e.repositories import commit
from tools.base import Cancel
from tools.todo import TodoList

WRITE = """
[[step]]
[[step.call]]
tool = "write_file"
path = "made.txt"
content = "x"
"""
DONE = """
[[step]]
text = "Done."
"""
TODO = """
[[step]]
[[step.call]]
tool = "todo"
items = "[x] one\\n[ ] two"
"""


class Yes:
    """Allows everything but some tools, and counts."""

    def __init__(self) -> None:
        self.asked: list[ApprovalRequest] = []
        self.refused: set[str] = set()

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        self.asked.append(request)
        return ApprovalAnswer(Choice.DENY if request.tool in self.refused else Choice.ONCE)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PARITY_CONFIG", str(tmp_path / "config.toml"))
    folder = tmp_path / "root"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_ok.py").write_text("def test_ok():\n    assert True\n")
    return commit(folder)


class Talk:
    """A conversation with a script."""

    def __init__(self, root: Path, script: str, mode: Mode = Mode.AUTO, talk: bool = True) -> None:
        file = root.parent / "script.toml"
        file.write_text(script)
        self.approver = Yes()
        wanted = Wanted(root, {"model": f"scripted:{file}"}, mode=mode, talk=talk)
        self.conversation = Conversation(wanted, self.approver)

    def turn(self, task: str, at: dict[str, Mode] | None = None) -> list[Event]:
        """One turn; `at` says which mode is set at the first event of a kind."""
        changes, seen = dict(at or {}), []
        for event in self.conversation.run(task, threading.Event()):
            seen.append(event)
            if (mode := changes.pop(type(event).__name__, None)) is not None:
                self.conversation.set_mode(mode)
        return seen


@pytest.fixture
def talks() -> Iterator[list[Talk]]:
    opened: list[Talk] = []
    yield opened
    for talk in opened:
        talk.conversation.close()


def ended(events: list[Event]) -> TurnFinished:
    assert isinstance(events[-1], TurnFinished)
    return events[-1]


def used(events: list[Event]) -> list[str]:
    return [event.call.name for event in events if isinstance(event, ToolStarted)]


def test_a_word_is_answered_and_nothing_is_run(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, DONE + WRITE + DONE + DONE))
    events = talk.turn("hello")
    assert (ended(events).status, used(events)) == (Status.ANSWERED, [])
    assert ended(events).status.exit_code == 0
    events = talk.turn("make it")
    assert used(events) == ["run_tests", "write_file", "run_tests"]
    events = talk.turn("thanks")
    assert (ended(events).status, used(events)) == (Status.ANSWERED, [])


def test_a_task_that_is_there_to_change_something_is_tested(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, DONE * 3, talk=False))
    events = talk.turn("Mend it.")
    assert (ended(events).status, used(events)) == (Status.FAILED, ["run_tests"] * 3)


def test_from_a_plan_to_its_execution_the_history_only_grows(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, DONE + WRITE + DONE, Mode.PLAN))
    assert ended(talk.turn("Think.")).status is Status.PLANNED
    before = list(talk.conversation.agent.history)
    assert talk.conversation.set_mode(Mode.EDIT)
    events = talk.turn("Do it.")
    assert ended(events).changed == ("made.txt",)
    assert not [event for event in events if isinstance(event, Switched)]
    assert talk.conversation.agent.history[: len(before)] == before
    assert [r.tool for r in talk.approver.asked] == ["run_tests", "run_tests"]


def test_plan_mode_in_the_middle_of_a_turn_asks_at_once_and_plans_next(
    root: Path, talks: list[Talk]
) -> None:
    talks.append(talk := Talk(root, WRITE + DONE + DONE))
    events = talk.turn("Make it.", {"StepStarted": Mode.PLAN})
    assert ended(events).status is Status.UNVERIFIED
    assert "write_file" in [request.tool for request in talk.approver.asked]
    assert talk.conversation.gate.mode is Mode.PLAN
    assert ended(talk.turn("More.")).status is Status.PLANNED


def test_a_plan_stays_one_until_it_ends(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, WRITE + DONE + WRITE + DONE, Mode.PLAN))
    events = talk.turn("Think.", {"StepStarted": Mode.AUTO})
    assert ended(events).status is Status.PLANNED
    assert not (root / "made.txt").exists()
    talk.turn("Do it.")
    assert (root / "made.txt").exists()


def test_a_guided_model_plans_and_is_guided_again(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, 'steering = "guided"\n' + DONE * 2, Mode.PLAN))
    events = talk.turn("Think.")
    assert ended(events).status is Status.PLANNED
    talk.conversation.set_mode(Mode.AUTO)
    events = talk.turn("Do it.")
    told = [
        e.message.text for e in events if isinstance(e, Said) and isinstance(e.message, UserMessage)
    ]
    assert used(events)[:1] == ["run_tests"], told


def test_a_list_is_kept_for_the_user(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, TODO + DONE))
    events = talk.turn("Two things.")
    (result,) = [event.result for event in events if isinstance(event, ToolFinished)]
    assert isinstance(result.details, TodoList)
    assert str(result.details) == "[x] one\n[ ] two"


def test_a_weak_model_is_offered_no_list(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, 'steering = "guided"\n' + DONE, Mode.PLAN))
    assert "todo" not in talk.conversation.agent.toolbox.tools


def test_the_cost_of_a_switch_is_told_before_it(root: Path, talks: list[Talk]) -> None:
    talks.append(talk := Talk(root, DONE * 2))
    other = root.parent / "other.toml"
    other.write_text('price_as = "claude-sonnet-5-5"\n' + DONE)
    talk.turn("hello")
    with closing(talk.conversation):
        cost = talk.conversation.cost(f"scripted:{other}")
        assert cost.tokens > 0
        assert cost.dollars
        assert ended(talk.turn("again")).status is Status.ANSWERED
        assert talk.conversation.agent.model.spec.name == "scripted:script.toml"
        assert talk.conversation.switch(f"scripted:{other}").tokens >= cost.tokens
        talk.turn("again")
        assert talk.conversation.agent.model.spec.name == "scripted:other.toml"


def test_tests_that_are_not_allowed_leave_a_conversation_unverified(
    root: Path, talks: list[Talk]
) -> None:
    talks.append(talk := Talk(root, WRITE + WRITE.replace("made", "more") + DONE, Mode.ASK))
    talk.approver.refused = {"run_tests"}
    end = ended(talk.turn("Make it."))
    assert (end.status, end.summary) == (Status.UNVERIFIED, "The tests were not allowed.")
    assert end.changed == ("made.txt", "more.txt")
    assert [r.tool for r in talk.approver.asked] == ["run_tests", "write_file", "write_file"]


def test_tests_that_are_not_allowed_end_a_task_that_is_to_be_verified(
    root: Path, talks: list[Talk]
) -> None:
    talks.append(talk := Talk(root, WRITE + DONE, Mode.ASK, talk=False))
    talk.approver.refused = {"run_tests"}
    assert ended(talk.turn("Make it.")).status is Status.NOT_APPROVED
