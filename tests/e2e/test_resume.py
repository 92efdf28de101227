"""Sessions that are gone on with: by the same model in a new process, or by another one."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

from tests.e2e.command import Agent
from tests.e2e.repositories import FORMULA_FIX, PLAIN_FIX

LOOK = """
[[step]]
text = "I look."
[[step.call]]
tool = "read_file"
path = "app.py"
[[step]]
text = "It is long."
[[step.call]]
tool = "run"
argv = ["sleep", "60"]
"""
GIVES_UP = '[[step]]\ntext = "I cannot."\n' * 3


def record(agent: Agent) -> Path:
    (found,) = (agent.home / "state" / "sessions").glob("*/record.jsonl")
    return found


def said(path: Path) -> list[dict[str, object]]:
    lines = [line for line in path.read_text("utf-8").split("\n") if '"event": "said"' in line]
    return [json.loads(line)["message"] for line in lines]


def test_a_killed_session_is_gone_on_with(agent: Agent, plain: Path) -> None:
    running = agent.start("fix", "ISSUE.md", "--model", agent.script(LOOK), cwd=plain)
    running.until("It is long.")
    running.until("context ", 2)
    os.kill(running.process.pid, signal.SIGKILL)
    running.end()
    path = record(agent)
    before = said(path)
    with path.open("ab") as file:
        file.write(b'{"event": "notice", "te')
    listed = agent.run("sessions", cwd=plain)
    name, ended = listed.out.split()[:2]
    assert (name, ended) == (path.parent.name, "unfinished")
    argv = ("fix", "-", "--model", agent.script(PLAIN_FIX), "--resume", name)
    done = agent.run(*argv, cwd=plain, stdin="Now mend it.\n")
    assert done.code == 3, done.err
    assert "cannot be read" in done.err
    assert "ended while a tool was at work" in done.err
    assert re.search(r"it reads about \d+ tokens anew", done.err)
    after = said(path)
    assert after[: len(before)] == before
    assert "its effect is unknown" in str(after[len(before)])
    assert after[len(before) + 1]["text"] == "Now mend it."
    assert agent.run("sessions", cwd=plain).out.split()[1] == "unverified"
    assert agent.run("undo", "--yes", cwd=plain).code == 0
    assert "return 1" in (plain / "app.py").read_text()


def test_a_second_model_goes_on_when_the_first_gives_up(agent: Agent, formula: Path) -> None:
    first, second = (
        agent.script(GIVES_UP),
        agent.script("price_as = 'claude-sonnet-5-5'\n" + FORMULA_FIX),
    )
    done = agent.run("fix", "ISSUE.md", "--model", first, "--escalate", second, cwd=formula)
    assert done.code == 0, done.err
    assert "· failed: Nothing was changed." in done.err
    name = Path(second.partition(":")[2]).name
    told = rf"scripted:{name} goes on\nit reads about \d+ tokens anew, about \$0\.0"
    assert re.search(told, done.err)
    assert done.out.count("verified: ") == 1
    assert "failed: Nothing" not in done.out
    models = [message["model"] for message in said(record(agent)) if message["role"] == "assistant"]
    one = f"scripted:{Path(first.partition(chr(58))[2]).name}"
    assert models == [one] * 3 + [f"scripted:{name}"] * 2


def test_a_second_model_is_not_asked_without_need(agent: Agent, formula: Path) -> None:
    first, second = agent.script(FORMULA_FIX), agent.script("")
    done = agent.run(
        "fix", "ISSUE.md", "--model", first, "--json", cwd=formula, PARITY_ESCALATE=second
    )
    assert done.code == 0, done.err
    assert '"switched"' not in done.out


def test_bad_input_is_told_before_anything_is_done(agent: Agent, plain: Path) -> None:
    model = agent.script(PLAIN_FIX)
    argv = ("fix", "ISSUE.md", "--model", model)
    assert "`agent sessions`" in agent.run(*argv, "--resume", "none", cwd=plain).complaint
    assert agent.run(*argv, "--escalate", "no-such-model", cwd=plain).code == 5
    assert agent.run(*argv, "--escalate", model, cwd=plain).code == 2
    assert agent.run("sessions", cwd=plain).out == ""
    assert agent.run(*argv, cwd=plain).code == 3
    other = plain.parent / "other"
    other.mkdir()
    (other / "ISSUE.md").write_text("Mend it.\n")
    name = record(agent).parent.name
    done = agent.run(*argv, "--resume", name, cwd=other)
    assert done.code == 2
    assert "belongs to" in done.complaint
    assert agent.run("sessions", cwd=other).out == ""
    assert name in agent.run("sessions", "--all", cwd=other).out
