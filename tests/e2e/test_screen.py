"""The screen in a real terminal: started, worked in, interrupted, killed, resumed and left."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Agent, alive, children_of, wait_for
from tests.e2e.terminal import Terminal

HELLO = 'steering = "free"\n[[step]]\ntext = "Hello, what can I do?"\n'
LONG = 90.0
"""Seconds for real weights, or a project's tests, on a slow machine."""
SLOW = 'steering = "free"\n[[step]]\ntext = "Let me think."\ndelay = 60.0\n'


@pytest.fixture
def terminal(agent: Agent) -> Iterator[Terminal]:
    made = Terminal.open(agent.home)
    yield made
    made.close()


def start(terminal: Terminal, agent: Agent, cwd: Path, *argv: str, **more: str) -> None:
    terminal.start(argv, cwd, {**agent.environ, "TERM": "xterm-256color", **more})


def session_of(agent: Agent) -> Path:
    """The folder of the only session."""
    (found,) = (agent.home / "state" / "sessions").iterdir()
    return found


def test_a_turn_and_a_terminal_left_intact(agent: Agent, plain: Path, terminal: Terminal) -> None:
    start(terminal, agent, plain, "--model", agent.script(HELLO))
    terminal.until(" ask ")
    assert terminal.asks("alternate_on") == "1"
    terminal.write("good morning")
    terminal.type("Enter")
    terminal.until("Hello, what can I do?")
    terminal.type("C-q")
    shown = terminal.until("ENDED 0")
    assert f"agent --resume {session_of(agent).name}" in shown
    assert re.search(r"(?m) icanon .* echo ", shown), shown
    flags = ("alternate_on", "mouse_any_flag", "cursor_flag", "bracket_paste_flag")
    assert [terminal.asks(flag) for flag in flags[:3]] == ["0", "0", "1"]


def test_what_is_typed_before_the_prompt_is_there_is_kept(
    agent: Agent, plain: Path, terminal: Terminal
) -> None:
    start(terminal, agent, plain, "--model", agent.script(HELLO))
    terminal.write("good morning?")  # with the key of the help
    shown = terminal.until("ask ")
    terminal.until("❯ good morning?")
    assert "Every key" not in shown


@pytest.mark.parametrize("keys", [["C-d"], ["C-c", "C-c"]])
def test_other_ways_to_leave(
    agent: Agent, plain: Path, terminal: Terminal, keys: list[str]
) -> None:
    start(terminal, agent, plain, "--model", agent.script(HELLO))
    terminal.until(" ask ")
    terminal.type(*keys)
    shown = terminal.until("ENDED 0")
    assert "--resume" not in shown  # nothing was said


def test_escape_interrupts(agent: Agent, plain: Path, terminal: Terminal) -> None:
    start(terminal, agent, plain, "--model", agent.script(SLOW))
    terminal.until(" ask ")
    terminal.write("good morning")
    terminal.type("Enter")
    wait_for(lambda: "step_started" in (session_of(agent) / "record.jsonl").read_text())
    begun = time.monotonic()
    terminal.type("Escape")
    terminal.until("nterrupted")
    assert time.monotonic() - begun < 3


def test_a_killed_session_goes_on(agent: Agent, plain: Path, terminal: Terminal) -> None:
    start(terminal, agent, plain, "--model", agent.script(HELLO))
    terminal.until(" ask ")
    terminal.write("good morning")
    terminal.type("Enter")
    terminal.until("Hello, what can I do?")
    os.kill(terminal.process, signal.SIGKILL)
    terminal.until("ENDED 137")
    terminal.close()
    start(terminal, agent, plain, "--continue", "--model", agent.script(HELLO))
    shown = terminal.until("Hello, what can I do?")
    assert "good morning" in shown
    terminal.write("and again")
    terminal.type("Enter")
    wait_for(lambda: (session_of(agent) / "record.jsonl").read_text().count("turn_started") == 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_leaves(
    agent: Agent, plain: Path, terminal: Terminal, number: signal.Signals
) -> None:
    start(terminal, agent, plain, "--model", agent.script(SLOW))
    terminal.until(" ask ")
    terminal.write("good morning")
    terminal.type("Enter")
    wait_for(lambda: "step_started" in (session_of(agent) / "record.jsonl").read_text())
    process = terminal.process
    begun = time.monotonic()
    os.kill(process, number)
    wait_for(lambda: not alive(process), 3)
    assert time.monotonic() - begun < 2.3  # of which a look at the processes is some
    assert '"interrupted"' in (session_of(agent) / "record.jsonl").read_text()
    terminal.until("ENDED 130")
    assert terminal.asks("alternate_on") == "0"


def test_a_closed_terminal_ends_the_model(
    agent: Agent, plain: Path, terminal: Terminal, small_model: str
) -> None:
    start(terminal, agent, plain, "--model", small_model)
    terminal.until(" ask ")
    process = terminal.process
    wait_for(lambda: bool(children_of(process)))
    workers = children_of(process)
    begun = time.monotonic()
    terminal.close()
    wait_for(lambda: not any(map(alive, (process, *workers))), 4)
    assert time.monotonic() - begun < 2.5


def test_no_colour(agent: Agent, plain: Path, terminal: Terminal) -> None:
    start(terminal, agent, plain, "--model", agent.script(HELLO), NO_COLOR="1")
    terminal.until(" ask ")
    terminal.write("good morning")
    terminal.type("Enter")
    terminal.until("Hello, what can I do?")
    assert not re.search(r"\x1b\[[\d;]*\b(3[0-8]|4[0-8]|9\d|10\d)\b", terminal.colours())


def test_a_small_terminal_and_another_size(agent: Agent, plain: Path, terminal: Terminal) -> None:
    terminal.start(
        ["--model", agent.script(HELLO)], plain,
        {**agent.environ, "TERM": "xterm-256color"}, size=(80, 24),
    )  # fmt: skip
    terminal.until(" ask ")
    terminal.type("?")
    terminal.until("Esc closes")
    terminal.type("Escape")
    wait_for(lambda: "Esc closes" not in terminal.text())
    terminal.resize(50, 12)
    terminal.write("good morning")
    terminal.type("Enter")
    wait_for(lambda: "turn_finished" in (session_of(agent) / "record.jsonl").read_text())
    terminal.resize(160, 48)
    terminal.until("Hello, what can I do?")


def test_a_first_run(agent: Agent, plain: Path, terminal: Terminal) -> None:
    start(terminal, agent, plain)
    terminal.until("Paste a key for Claude")
    terminal.type("End", "Enter")
    terminal.until("ANTHROPIC_API_KEY, then Enter")
    terminal.write("sk-ant-not-a-real-key-0123456789")
    time.sleep(0.3)
    assert "0123456789" not in terminal.text()
    terminal.type("Enter")
    terminal.until("claude-")
    key = agent.home / "keys" / "ANTHROPIC_API_KEY"
    assert key.read_text().strip().endswith("0123456789")
    assert key.stat().st_mode & 0o777 == 0o600
    assert 'model = "claude"' in (agent.home / "config.toml").read_text()


def test_a_repair_with_real_weights(
    agent: Agent, formula: Path, terminal: Terminal, small_model: str
) -> None:
    # Watched, interrupted, gone on with another model, killed, and resumed where it was.
    start(terminal, agent, formula, "--model", small_model, "--mode", "auto")
    terminal.until(" auto ", LONG)
    terminal.write("The tax is too high where there is a discount: mend it.")
    terminal.type("Enter")
    terminal.until("5 passed, 4 failed", LONG)
    record = session_of(agent) / "record.jsonl"
    wait_for(lambda: '"step_started"' in record.read_text())
    terminal.until("Esc interrupts")
    terminal.type("Escape")
    terminal.until("■ interrupted")
    hello = agent.script(HELLO)
    terminal.write(f"/model {hello}")
    terminal.type("Enter")
    terminal.until("Go on with scripted:")
    time.sleep(1.0)  # keys count once the question could be read
    terminal.type("Enter")
    terminal.until(" goes on")
    os.kill(terminal.process, signal.SIGKILL)
    terminal.until("ENDED 137")
    terminal.close()
    start(terminal, agent, formula, "--continue", "--model", hello, "--mode", "auto")
    shown = terminal.until("■ interrupted", LONG)
    assert "mend it." in shown
    terminal.until(f"scripted:{Path(hello).name}")
    terminal.write("good morning")
    terminal.type("Enter")
    terminal.until("Hello, what can I do?")
    assert record.read_text().count('"turn_started"') == 2
