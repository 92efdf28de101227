"""What a call prints, told by the real loop while it runs: bounded, without secrets, not kept."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent import events
from agent.events import Event, Status, ToolPrinted, to_json
from agent.loop import Agent
from agent.messages import ToolCall
from agent.redaction import Redactor
from tests.agent.test_loop import Obeying, Talker, says
from tools.base import Toolbox
from tools.shell import Run
from tools.testing.commands import Runner, TestCommand
from tools.tests import RunTests
from tools.workspace import Workspace

KEY = "sk-ant-api03-CANARYcanary0123456789"
HOSTILE = "\\033]52;c;aGk=\\007\\033[2J\\342\\200\\256[bold]x"


def agent_for(root: Path, *calls: ToolCall, key: str = KEY) -> Agent:
    workspace = Workspace(root)
    command = TestCommand((sys.executable, "-m", "pytest"), Runner.PYTEST, "given")
    toolbox = Toolbox.of([Run(root), RunTests(root, command)])
    model = Talker([*(says("", call) for call in calls), says("fine")])
    return Agent(model, toolbox, workspace, Obeying(), redactor=Redactor({"A_KEY": key}))


def shell(line: str) -> ToolCall:
    return ToolCall("c1", "run", {"argv": ["sh", "-c", line]})


def printed(seen: Sequence[Event]) -> list[ToolPrinted]:
    return [event for event in seen if isinstance(event, ToolPrinted)]


def until_printed(run: Iterator[Event], text: str) -> ToolPrinted:
    for event in run:
        if isinstance(event, ToolPrinted) and text in event.text + event.line:
            return event
    raise AssertionError("it was not told")


def test_it_is_told_between_start_and_end(tmp_path: Path) -> None:
    go = tmp_path / "go"
    agent = agent_for(tmp_path, shell(f"echo early; while ! [ -e {go} ]; do sleep 0.02; done"))
    run = agent.run("do it", threading.Event())
    event = until_printed(run, "early")
    assert event.call_id == "c1"
    go.touch()
    rest = list(run)
    (finished,) = (event for event in rest if isinstance(event, events.ToolFinished))
    assert finished.result.output == "exit code 0\nearly"


def test_a_quick_call_tells_no_pieces(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, shell("echo quick"))
    assert printed(list(agent.run("do it", threading.Event()))) == []


def test_a_test_run_tells_its_dots(tmp_path: Path) -> None:
    test = "import time\ndef test_a(): pass\ndef test_b(): time.sleep(1.5)\n"
    (tmp_path / "test_slow.py").write_text(test)
    agent = agent_for(tmp_path, ToolCall("t", "run_tests", {}))
    seen = list(agent.run("do it", threading.Event()))
    assert "." in {event.line for event in printed(seen)}


@pytest.mark.parametrize("cut", [1, 8, len(KEY) // 2, len(KEY) - 1])
def test_a_secret_in_two_pieces_does_not_leak(tmp_path: Path, cut: int) -> None:
    line = (
        f"printf 'key {KEY[:cut]}'; sleep 0.6; printf '{KEY[cut:]}'; sleep 0.3; echo .; sleep 0.3"
    )
    agent = agent_for(tmp_path, shell(line))
    told = printed(list(agent.run("do it", threading.Event())))
    assert {event.line.rstrip() for event in told} >= {"key", "key [redacted A_KEY]"}
    assert "".join(event.text for event in told) == "key [redacted A_KEY].\n"
    # Nothing of it, whatever is put together.
    assert "sk-" not in repr(told)
    assert KEY[cut:] not in "".join(event.line + event.text for event in told) or cut > 30


def test_a_secret_in_a_flood_leaves_no_ends(tmp_path: Path) -> None:
    secret = "".join(f"{number:03}" for number in range(36))
    agent = agent_for(tmp_path, shell(f"timeout 1 yes '{secret}' | tr -d '\\n'"), key=secret)
    told = printed(list(agent.run("do it", threading.Event())))
    assert told
    for event in told:
        seen = (event.text + event.line).replace("[redacted A_KEY]", "").strip()
        assert len(seen) < len(secret) // 2


def test_a_flood_is_bounded_in_events_and_json(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, shell("timeout 1 yes"))
    seen = list(agent.run("do it", threading.Event()))
    told = printed(seen)
    (finished,) = (event for event in seen if isinstance(event, events.ToolFinished))
    assert 1 <= len(told) <= 10 * finished.seconds + 2
    assert max(len(json.dumps(to_json(event))) for event in told) < 13_000
    assert len(finished.result.output) < 4_100


def test_hostile_output_is_made_safe(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, shell(f"printf '{HOSTILE}\\n{HOSTILE}'; sleep 0.8"))
    told = printed(list(agent.run("do it", threading.Event())))
    assert told[0].text == "\\u202e[bold]x\n"
    assert told[0].line == "\\u202e[bold]x"


def test_an_interruption_tells_the_last_words_first(tmp_path: Path) -> None:
    line = "trap 'echo goodbye; exit' TERM; echo hello; while :; do sleep 0.01; done"
    agent, cancel = agent_for(tmp_path, shell(line)), threading.Event()
    run = agent.run("do it", cancel)
    until_printed(run, "hello")
    cancel.set()
    rest = list(run)
    assert "goodbye" in "".join(event.text for event in printed(rest))
    assert not [event for event in rest if isinstance(event, events.ToolFinished)]
    last = rest[-1]
    assert isinstance(last, events.TurnFinished)
    assert last.status is Status.INTERRUPTED


def test_a_reader_that_leaves_ends_the_program(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, shell("echo $$; exec sleep 60"))
    run = agent.run("do it", threading.Event())
    event = until_printed(run, "\n")
    del run
    with pytest.raises(ProcessLookupError):
        os.kill(int(event.text), 0)
