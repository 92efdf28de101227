"""`agent fix --mode`: what each mode does of itself, headless and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.command import COMMAND, PATIENCE, Agent, Ended, heard
from tests.e2e.repositories import FORMULA_FIX, PLAIN_FIX, contents

RUN_AND_FIX = (
    """
[[step]]
[[step.call]]
tool = "run"
argv = ["touch", "made"]
"""
    + PLAIN_FIX
)
FETCH = """
[[step]]
[[step.call]]
tool = "run"
argv = ["touch", "made"]
network = true
[[step]]
text = "Done."
[[step]]
text = "Done."
[[step]]
text = "Done."
"""
PLAN = (
    """
[[step]]
[[step.call]]
tool = "read_file"
path = "app.py"
[[step]]
[[step.call]]
tool = "write_file"
path = "app.py"
content = "def value():\\n    return 2\\n"
[[step.call]]
tool = "run"
argv = ["ls"]
[[step]]
text = "# The plan\\n\\nReturn 2 in `value`."
"""
)  # fmt: skip


@pytest.fixture
def agent(agent: Agent) -> Agent:
    """Without `--yes`."""
    return replace(agent, yes=False)


def fix(agent: Agent, folder: Path, script: str, *options: str) -> Ended:
    return agent.run("fix", "ISSUE.md", "--model", agent.script(script), *options, cwd=folder)


@dataclass(slots=True)
class OnATerminal:
    """The command with a person before it."""

    process: subprocess.Popen[bytes]
    keyboard: int
    _shown: bytearray

    @property
    def shown(self) -> str:
        return self._shown.decode("utf-8", "replace")

    def answer(self, *words: str) -> Ended:
        """Type a line at each question, and wait for the end."""
        for number, word in enumerate(words, start=1):
            until = time.monotonic() + PATIENCE
            while self.shown.count("\r\n? ") < number:
                assert self.process.poll() is None, self.shown
                assert time.monotonic() < until, self.shown
                time.sleep(0.02)
            os.write(self.keyboard, f"{word}\n".encode())
        out, _ = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out.decode(), self.shown)


@pytest.fixture
def screens() -> Iterator[list[OnATerminal]]:
    made: list[OnATerminal] = []
    yield made
    for screen in made:
        screen.process.kill()
        screen.process.wait()
        os.close(screen.keyboard)


def on_a_terminal(
    screens: list[OnATerminal], agent: Agent, folder: Path, script: str, *options: str
) -> OnATerminal:
    keyboard, device = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "fix", "ISSUE.md", "--model", agent.script(script), *options],
        cwd=folder,
        env={**agent.environ, "TERM": "dumb"},
        stdin=device,
        stdout=subprocess.PIPE,
        stderr=device,
    )
    os.close(device)
    screens.append(OnATerminal(process, keyboard, heard(keyboard)))
    return screens[-1]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_plan_is_the_answer_and_nothing_changes(
    agent: Agent, plain: Path, options: list[str]
) -> None:
    before = contents(plain)
    done = fix(agent, plain, PLAN, "--mode", "plan", *options)
    assert done.code == 0, done.err
    assert contents(plain) == before
    if options:
        last = json.loads(done.out.splitlines()[-1])
        assert (last["status"], last["changed"]) == ("planned", [])
        assert last["answer"] == "# The plan\n\nReturn 2 in `value`."
        results = [json.loads(line) for line in done.out.splitlines() if "tool_finished" in line]
        assert [it["result"]["ok"] for it in results] == [True, False, False]
        assert "describe the plan" in results[1]["result"]["output"]
    else:
        assert done.out.startswith("# The plan\n\nReturn 2 in `value`.\n\nplanned: ")


def test_no_plan_is_a_failure(agent: Agent, plain: Path) -> None:
    assert fix(agent, plain, "[[step]]\n", "--mode", "plan").code == 1
    done = fix(agent, plain, PLAN, "--mode", "plan", "--steering", "guided")
    assert done.code == 2
    assert "leave out --steering guided" in done.complaint


def test_a_mode_that_is_none(agent: Agent, plain: Path) -> None:
    done = fix(agent, plain, PLAN, "--mode", "wild")
    assert done.code == 2
    assert "--mode" in done.complaint
    done = agent.run("fix", "ISSUE.md", cwd=plain, PARITY_MODE="wild")
    assert done.code == 2
    assert "The setting mode (environment) is wrong" in done.complaint


def test_headless_asking_ends_with_what_to_do(agent: Agent, plain: Path, formula: Path) -> None:
    for folder, script, mode in ((plain, PLAIN_FIX, "ask"), (formula, FORMULA_FIX, "edit")):
        before = contents(folder)
        done = fix(agent, folder, script, "--mode", mode)
        assert done.code == 2
        assert contents(folder) == before
        assert "not approved: " in done.out
        assert "there is nobody to ask" in done.out
        assert done.err.splitlines()[-1] == (
            "1 call was not approved, for there was nobody to ask: start it in a terminal, or "
            "allow everything with --yes."
        )


def test_headless_a_command_is_denied_and_the_model_goes_on(agent: Agent, plain: Path) -> None:
    done = fix(agent, plain, RUN_AND_FIX, "--mode", "edit")
    assert done.code == 3, done.err
    assert "✗ run: not allowed, there is nobody to ask" in done.err
    assert "1 call was not approved" in done.err
    assert not (plain / "made").exists()
    assert "return 2" in (plain / "app.py").read_text()


@pytest.mark.parametrize("mode", ["ask", "edit", "auto"])
def test_yes_allows_what_each_mode_asks(agent: Agent, formula: Path, mode: str) -> None:
    done = fix(agent, formula, FORMULA_FIX, "--mode", mode, "--yes")
    assert done.code == 0, done.err


def test_edits_are_free_in_edit_mode(agent: Agent, plain: Path) -> None:
    assert fix(agent, plain, PLAIN_FIX, "--mode", "edit").code == 3


@pytest.mark.parametrize("mode", ["edit", "auto"])
def test_the_network_asks_in_every_mode(agent: Agent, plain: Path, mode: str) -> None:
    done = fix(agent, plain, FETCH, "--mode", mode)
    assert "✗ run: not allowed" in done.err
    assert not (plain / "made").exists()


def test_a_person_is_asked_and_sees_the_diff(
    screens: list[OnATerminal], agent: Agent, plain: Path
) -> None:
    screen = on_a_terminal(screens, agent, plain, PLAIN_FIX, "--mode", "ask")
    done = screen.answer("y")
    assert done.code == 3, done.err
    assert "replace_symbol asks for approval: edits ask in this mode" in done.err
    assert "  -    return 1\r\n  +    return 2\r\n" in done.err
    assert "return 2" in (plain / "app.py").read_text()


def test_enter_is_no_and_words_reach_the_model(
    screens: list[OnATerminal], agent: Agent, plain: Path
) -> None:
    script = RUN_AND_FIX + '[[step]]\ntext = "Sorry."\n' * 3
    screen = on_a_terminal(screens, agent, plain, script, "--mode", "ask", "--json")
    done = screen.answer("n touch nothing", "")
    assert done.code == 1, done.err
    assert "return 1" in (plain / "app.py").read_text()
    assert not (plain / "made").exists()
    results = [json.loads(line) for line in done.out.splitlines() if "tool_finished" in line]
    assert "The user says: touch nothing" in results[0]["result"]["output"]
    assert "the user did not allow it" in results[1]["result"]["output"]


def test_always_holds_for_the_next_run_too(
    screens: list[OnATerminal], agent: Agent, formula: Path
) -> None:
    screen = on_a_terminal(screens, agent, formula, FORMULA_FIX, "--mode", "edit")
    done = screen.answer("a")
    assert done.code == 0, done.err
    assert "would allow: exactly `python -m pytest`, all tests or some of them" in done.err
    assert agent.run("undo", "--yes", cwd=formula).code == 0
    assert fix(agent, formula, FORMULA_FIX, "--mode", "edit").code == 0
    assert fix(agent, formula, FORMULA_FIX, "--mode", "edit", "--test-command", "true").code == 2


def test_a_guided_models_tests_and_edits_ask_too(
    screens: list[OnATerminal], agent: Agent, formula: Path
) -> None:
    options = ("--mode", "ask", "--steering", "guided")
    screen = on_a_terminal(screens, agent, formula, FORMULA_FIX, *options)
    done = screen.answer("s", "y")
    assert done.code == 0, done.err
    assert "· allowed for this session" in done.err
