"""A conversation read back from its record is the conversation."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.events import (
    Compacted,
    Event,
    Notice,
    Rewound,
    Said,
    Status,
    TurnStarted,
    to_json,
)
from agent.loop import Agent
from agent.messages import (
    LOST,
    AssistantMessage,
    Message,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import ModelSpec, Request
from agent.recorded import Recorded, load
from agent.session import Session, SessionInfo, find_session, sessions
from agent.steering.free import Free
from agent.steering.moves import Ask, Moves, Rewind, Verdict, ask
from tests.agent.talking import Talker, read, says, write
from tools.base import Toolbox
from tools.files import ReadFile, WriteFile
from tools.workspace import Workspace

SPEC = ModelSpec("talker", 10_000)


def agent_for(root: Path, answers: list[AssistantMessage], history: list[Message]) -> Agent:
    workspace = Workspace(root)
    toolbox = Toolbox.of([ReadFile(workspace), WriteFile(workspace)])
    model = Talker(SPEC, list(answers), native=False)
    steering = Free(workspace, toolbox.specs, None, has_tests=False)
    return Agent(model, toolbox, workspace, steering, history=history)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    for number in range(20):
        (folder / f"f{number}.txt").write_text(f"Zeile {number} für\u2028alle\n" * 60)
    return folder


def held(agent: Agent, root: Path, task: str = "Mend it.") -> SessionInfo:
    """Conduct a turn in a session of its own."""
    session = Session.create(root, root.parent / "state", task)
    for event in agent.run(task, threading.Event()):
        assert session.record(event) is None
    session.close()
    return session.info


def requests(agent: Agent) -> list[Request]:
    assert isinstance(agent.model, Talker)
    return agent.model.requests


ANSWERS = [
    *[says(f"Look {number}.", read(f"f{number}.txt", number)) for number in range(9)],
    says("Both.", write("new.txt", "x\n", 1), read("f0.txt", 2)),
    says("Done."),
]


def test_the_next_request_begins_with_the_last_one_before(root: Path) -> None:
    before = agent_for(root, ANSWERS, [])
    info = held(before, root)
    recorded = load(info)
    assert recorded.messages == before.history
    assert [event for event in recorded.messages if isinstance(event, ToolMessage)]
    assert (recorded.model, recorded.ended, recorded.notices) == ("talker", "unverified", [])
    assert recorded.usage["talker"].prompt > 0
    after = agent_for(root, [says("Done.")] * 3, recorded.messages)
    list(after.run("Go on.", threading.Event()))
    old, new = requests(before)[-1], requests(after)[0]
    assert new.messages[: len(old.messages)] == old.messages
    assert new.tools == old.tools
    assert isinstance(after.model, Talker)
    text, longer = (after.model.texts(request.messages) for request in (old, new))
    assert longer[: len(text)] == text


def test_compactions_are_read_back(root: Path) -> None:
    agent = agent_for(root, ANSWERS, [])
    seen: list[Event] = []
    session = Session.create(root, root.parent / "state", "Mend it.")
    for event in agent.run("Mend it.", threading.Event()):
        session.record(event)
        seen.append(event)
    session.close()
    assert [event for event in seen if isinstance(event, Compacted)]
    assert load(session.info).messages == agent.history


def test_a_return_to_before_a_compaction_is_read_back(root: Path) -> None:
    recorded = Recorded()

    def take(event: Event) -> None:
        recorded.take({**to_json(event), "at": 1.0})

    for turn in (1, 2, 3):
        take(TurnStarted(f"task {turn}", "m", "free", "/", "", "", turn=turn))
        take(Said(UserMessage(f"task {turn}")))
        take(Said(AssistantMessage(f"answer {turn}")))
        if turn == 2:
            before = list(recorded.messages)
            take(Compacted("full", 4, 3, 9, 5, 1, (UserMessage("short"),)))
    texts = ["task 1", "short", "answer 2", "task 3", "answer 3"]
    assert [getattr(message, "text", "") for message in recorded.messages] == texts
    take(Rewound(2, "back", 2))
    assert recorded.messages == before[:2]
    assert [turn.number for turn in recorded.turns] == [1]
    take(TurnStarted("again", "m", "free", "/", "", "", turn=4))
    assert recorded.last_turn == 4


def test_results_told_at_a_turns_beginning_belong_to_the_turn_before(root: Path) -> None:
    recorded = Recorded()
    call = read("a.py", 1)
    lines: list[Event] = [
        TurnStarted("one", "m", "free", "/", "", "", turn=1),
        Said(UserMessage("one")),
        Said(says("I read.", call)),
        TurnStarted("two", "m", "free", "/", "", "", turn=2),
        Said(ToolMessage((ToolOutput(call.id, call.name, "text"),))),
        Said(UserMessage("two")),
        Rewound(3, "back", 2),
    ]
    for event in lines:
        recorded.take(to_json(event))
    recorded.close()
    assert len(recorded.messages) == 3
    assert recorded.lost is None


def test_rewinds_are_read_back(root: Path) -> None:
    class Regretful(Free):
        def moves(self, task: str, onward: str = "") -> Moves:
            yield from ask(Ask(UserMessage(task)))
            yield Rewind(0, 0, "no good")
            yield from ask(Ask(UserMessage("Again: " + task)))
            return Verdict(Status.UNVERIFIED, "done")

    agent = agent_for(root, [says("one"), says("two")], [])
    agent.steering = Regretful(agent.workspace, agent.toolbox.specs, None, has_tests=False)
    info = held(agent, root)
    assert load(info).messages == agent.history
    assert len(agent.history) == 3


def test_a_call_that_the_process_ended_in_is_told_to_be_lost(root: Path) -> None:
    agent = agent_for(root, ANSWERS, [])
    session = Session.create(root, root.parent / "state", "Mend it.")
    for event in agent.run("Mend it.", threading.Event()):
        session.record(event)
        both = isinstance(event, Said) and isinstance(event.message, AssistantMessage)
        if both and event.message.text == "Both.":  # type: ignore[union-attr]  # narrowed above
            break
    session.close()
    recorded = load(session.info)
    assert recorded.lost is recorded.messages[-1]
    assert isinstance(recorded.lost, ToolMessage)
    assert [result.output for result in recorded.lost.results] == [LOST, LOST]
    # Once it is recorded the conversation is the same to every later reader.
    again = Session.reopen(session.info)
    again.record(Said(recorded.lost))
    again.close()
    assert load(session.info).messages == recorded.messages
    assert load(session.info).lost is None


def test_results_that_were_seen_are_kept(root: Path) -> None:
    agent = agent_for(root, ANSWERS, [])
    session = Session.create(root, root.parent / "state", "Mend it.")
    for event in agent.run("Mend it.", threading.Event()):
        session.record(event)
        if type(event).__name__ == "ToolFinished" and "new.txt" in str(event):
            break
    session.close()
    lost = load(session.info).lost
    assert lost is not None
    assert [result.ok for result in lost.results] == [True, False]


def test_lines_that_cannot_be_read_are_skipped_with_a_notice(root: Path) -> None:
    agent = agent_for(root, ANSWERS, [])
    info = held(agent, root)
    with info.record.open("ab") as record:
        record.write(b'{"event": "said", "message": {"text": "torn')
    recorded = load(info)
    assert recorded.messages == agent.history
    assert len(recorded.notices) == 1
    session = Session.reopen(info)
    session.record(Said(UserMessage("more")))
    session.close()
    assert load(info).messages == [*agent.history, UserMessage("more")]


def test_a_newer_record_is_refused(root: Path) -> None:
    info = held(agent_for(root, ANSWERS, []), root)
    text = info.record.read_text("utf-8").replace('"version": 1', '"version": 99', 1)
    info.record.write_text(text, "utf-8")
    with pytest.raises(InputError, match="newer version"):
        load(info)


def test_a_session_is_open_once(root: Path) -> None:
    session = Session.create(root, root.parent / "state", "Mend it.")
    with pytest.raises(InputError, match="at work in another process"):
        Session.reopen(session.info)
    session.close()
    Session.reopen(session.info).close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_announced_once(root: Path) -> None:
    session = Session.create(root, root.parent / "state", "Mend it.")
    session.close()
    session.info.record.unlink()
    session.info.record.symlink_to("/dev/full")
    session = Session(session.info)
    told = session.record(Rewound(1, "x"))
    assert isinstance(told, Notice)
    assert "No space left on device" in told.text
    assert session.record(Rewound(1, "y")) is None
    session.close()


def test_sessions_are_found_by_their_ids(root: Path) -> None:
    info = held(agent_for(root, ANSWERS, []), root)
    assert find_session(info.id, root.parent / "state") == info
    assert list(sessions(root.parent / "state")) == [info]
    with pytest.raises(InputError, match="agent sessions"):
        find_session("none", root.parent / "state")
