"""Ends that nobody planned: signals, a reader that goes away, a model's process that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.command import COMMAND, ROOT, Agent, Running, alive, children_of, wait_for
from tests.e2e.repositories import PLAIN_FIX, SLOW_END

EDIT_THEN_THINK = PLAIN_FIX.replace('[[step]]\ntext = "Done."\n', SLOW_END)
TALK = "# Tell me a long story about a river\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_answer_leaves_the_work(
    agent: Agent, plain: Path, number: signal.Signals
) -> None:
    running = agent.start("fix", "ISSUE.md", "--model", agent.script(EDIT_THEN_THINK), cwd=plain)
    running.until("step 2")
    sent = time.monotonic()
    running.process.send_signal(number)
    done = running.end()
    assert time.monotonic() - sent < 10
    assert done.code == 130
    assert "return 2" in (plain / "app.py").read_text()
    assert "interrupted: The work so far is kept." in done.out
    assert "+    return 2" in done.out
    assert done.err.endswith("To take it back: agent undo\n")
    assert agent.run("undo", "--yes", cwd=plain).code == 0


def test_what_a_killed_command_wrote_can_be_undone(agent: Agent, plain: Path) -> None:
    running = agent.start("fix", "ISSUE.md", "--model", agent.script(EDIT_THEN_THINK), cwd=plain)
    running.until("step 2")
    running.process.kill()
    running.end()
    assert "return 2" in (plain / "app.py").read_text()
    assert agent.run("undo", "--yes", cwd=plain).code == 0
    assert "return 1" in (plain / "app.py").read_text()


def test_an_interrupted_test_run_ends_its_processes(agent: Agent, plain: Path) -> None:
    argv = ("--model", agent.script(PLAIN_FIX), "--test-command", "sh -c 'sleep 321; true'")
    running = agent.start("fix", "ISSUE.md", *argv, cwd=plain)
    running.until("The value is off by one.")  # before its change the tests run
    # git too is a child, and one without children of its own
    wait_for(lambda: any(map(children_of, running.children())))
    (shell,) = running.children()
    sleep = children_of(shell)
    running.process.send_signal(signal.SIGINT)
    assert running.end().code == 130
    wait_for(lambda: not any(map(alive, (shell, *sleep))), 2)


def test_interrupting_twice_ends_at_once(agent: Agent, plain: Path, small_model: str) -> None:
    running = talk(agent, plain, small_model)
    (worker,) = running.children()
    os.kill(worker, signal.SIGSTOP)  # it cannot stop when it is asked to
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130
    assert "Traceback" not in done.err
    assert done.err.rstrip().endswith("Interrupted.")
    assert not alive(worker)


def test_a_model_stops_in_the_midst_of_its_answer(
    agent: Agent, plain: Path, small_model: str
) -> None:
    running = talk(agent, plain, small_model)
    (worker,) = running.children()
    sent = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    done = running.end()
    assert time.monotonic() - sent < 5
    assert done.code == 130
    assert "interrupted" in done.out
    assert "Traceback" not in done.err
    assert not alive(worker)


def test_a_model_whose_process_is_killed_is_started_again(
    agent: Agent, plain: Path, small_model: str
) -> None:
    running = talk(agent, plain, small_model, "--max-steps", "1", "--max-tokens", "1500")
    (worker,) = running.children()
    os.kill(worker, signal.SIGKILL)
    running.until("was killed by SIGKILL")
    running.until("Asking again.")
    done = running.end()
    assert done.code == 4, done.err
    assert "1 step · " in done.out
    assert "Traceback" not in done.err


def test_a_model_whose_process_keeps_dying(agent: Agent, plain: Path, small_model: str) -> None:
    argv = ("--model", small_model, "--steering", "free")
    running = agent.start("fix", "ISSUE.md", *argv, cwd=plain)
    running.until("step 1\n")
    while running.process.poll() is None:
        for worker in running.children():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)
    done = running.end()
    assert done.code == 6
    assert "model failed: The model's process was killed by SIGKILL" in done.out
    assert "Traceback" not in done.err


def test_a_model_does_not_outlive_a_command_that_was_killed(
    agent: Agent, plain: Path, small_model: str
) -> None:
    running = talk(agent, plain, small_model)
    (worker,) = running.children()
    running.process.kill()
    wait_for(lambda: not alive(worker), 2)


@pytest.mark.parametrize(("options", "code"), [(["--json"], 1), ([], 3)])
def test_a_reader_that_goes_away(agent: Agent, plain: Path, options: list[str], code: int) -> None:
    patch = plain.parent / "kept.patch"
    argv = ["fix", "ISSUE.md", "--model", agent.script(PLAIN_FIX), "--output", str(patch)]
    with subprocess.Popen(
        [*COMMAND, *argv, *options],
        cwd=plain,
        env=agent.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == code
    assert "Traceback" not in told
    assert "Exception" not in told
    assert patch.exists() is (options == [])
    assert told.endswith("To take it back: agent undo\n") is (options == [])


def test_an_interrupt_while_the_command_loads(agent: Agent, plain: Path) -> None:
    code = (
        "import os, signal, sys, parity_launcher\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'agent.cli':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "parity_launcher.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=plain,
        env={**agent.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_streams_that_are_closed(agent: Agent, plain: Path) -> None:
    argv = [*COMMAND, "fix", "ISSUE.md", "--model", agent.script(PLAIN_FIX)]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    done = subprocess.run([*shell, *argv], cwd=plain, env=agent.environ, check=False)
    assert done.returncode == 3
    done = subprocess.run([*shell, *COMMAND, "fix", "-"], cwd=plain, env=agent.environ, check=False)
    assert done.returncode == 2


def talk(agent: Agent, plain: Path, model: str, *options: str) -> Running:
    """A model in the midst of an answer."""
    (plain / "ISSUE.md").write_text(TALK)
    argv = ("--model", model, "--steering", "free", *options)
    running = agent.start("fix", "ISSUE.md", *argv, cwd=plain)
    wait_for(lambda: len(b"".join(running.err).partition(b"step 1\n")[2]) > 20)
    return running
