"""`agent sessions`: all that can be done with the conversations that were had."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.command import Agent
from tests.e2e.repositories import PLAIN_FIX
from tests.e2e.test_resume import LOOK, said

MORE = """
[[step]]
[[step.call]]
tool = "write_file"
path = "more.txt"
content = "more\\n"
[[step]]
text = "Done."
"""


def fix(agent: Agent, folder: Path, script: str, *options: str, task: str = "Mend it.") -> None:
    argv = ("fix", "-", "--model", agent.script(script), *options)
    done = agent.run(*argv, cwd=folder, stdin=task)
    assert done.code == 3, done.err


@pytest.fixture
def name(agent: Agent, plain: Path) -> str:
    """The id of a session of two turns."""
    fix(agent, plain, PLAIN_FIX, task="# value() should be 2\n\nIt is one.")
    fix(agent, plain, MORE, "--resume", "last", task="Now more.")
    (found,) = (agent.home / "state" / "sessions").iterdir()
    return found.name


def test_they_are_listed_searched_and_shown(agent: Agent, plain: Path, name: str) -> None:
    def out(*argv: str) -> str:
        done = agent.run("sessions", *argv, cwd=plain)
        assert done.code == 0, done.err
        return done.out

    assert out() == out("list")
    assert out().startswith(f"{name}  unverified    just now  2 turns  scripted:")
    assert out().endswith("  value() should be 2\n")
    (listed,) = json.loads(out("--json"))
    assert (listed["id"], listed["turns"], listed["usd"]) == (name, 2, 0.0)
    assert name in out("search", "VALUE")
    assert "off by one" in out("search", "--text", "off", "one")
    assert agent.run("sessions", "search", "nothing", cwd=plain).code == 1
    shown = out("show", name[:-2])
    assert "  1  # value() should be 2\n     unverified: There are no tests" in shown
    assert "  2  Now more.\n" in shown
    assert "     changed more.txt\n" in shown
    assert json.loads(out("show", "last", "--json"))["turns"][0]["changed"] == ["app.py"]
    assert out("rename", "last", "A \x1b[2J title") == ""
    assert out().endswith("  A  title\n")
    assert (
        "error: The title is empty." in agent.run("sessions", "rename", "last", "", cwd=plain).err
    )


def test_a_fork_is_gone_on_with(agent: Agent, plain: Path, name: str) -> None:
    done = agent.run("sessions", "fork", name, "--turn", "1", cwd=plain)
    assert done.code == 0, done.err
    forked = done.out.strip()
    fix(agent, plain, MORE.replace("more.txt", "other.txt"), "--resume", forked, task="Other.")
    record = agent.home / "state" / "sessions" / forked / "record.jsonl"
    told = [str(message.get("text")) for message in said(record) if message["role"] == "user"]
    assert told[0].startswith("# value()")
    assert "`more.txt`" in told[-1]
    done = agent.run("undo", forked, "--yes", cwd=plain)
    assert done.out == "removed  other.txt\n"
    assert agent.run("undo", name, "--yes", cwd=plain).out.count("\n") == 2
    done = agent.run("sessions", "fork", name, "--turn", "7", cwd=plain)
    assert "its turns are 1, 2" in done.complaint


def test_it_is_exported_and_played(agent: Agent, plain: Path, name: str) -> None:
    done = agent.run("sessions", "export", name, "--format", "atif", cwd=plain)
    assert json.loads(done.out)["schema_version"] == "ATIF-v1.7"
    argv = ("sessions", "export", name, "--format", "html", "--output", "made.html")
    done = agent.run(*argv, cwd=plain)
    assert (done.code, done.out) == (0, "")
    assert "off by one" in (plain / "made.html").read_text("utf-8")
    done = agent.run("sessions", "export", name, "--output", "none/made.md", cwd=plain)
    assert "cannot be written" in done.complaint
    done = agent.run("sessions", "play", name, "--speed", "0", cwd=plain)
    assert done.code == 0, done.err
    assert "The value is off by one." in done.err
    assert done.out.count("unverified: There are no tests") == 2
    assert agent.run("sessions", "play", name, "--speed", "-1", cwd=plain).code == 2


def test_it_is_deleted_when_nobody_has_it_open(agent: Agent, plain: Path, name: str) -> None:
    assert "give --yes" in agent.run("sessions", "delete", name, cwd=plain).complaint
    running = agent.start("fix", "ISSUE.md", "--model", agent.script(LOOK), cwd=plain)
    running.until("It is long.")
    (other,) = json.loads(agent.run("sessions", "--json", cwd=plain).out)[:1]
    assert other["status"] == "at work"
    done = agent.run("sessions", "delete", other["id"], "--yes", cwd=plain)
    assert "at work in another process" in done.complaint
    os.kill(running.process.pid, signal.SIGKILL)
    running.end()
    for _ in range(2):
        assert agent.run("sessions", "delete", "last", "--yes", cwd=plain).code == 0
    assert agent.run("sessions", cwd=plain).out == ""
    assert (plain / "more.txt").exists()
    assert "no session of" in agent.run("sessions", "show", "last", cwd=plain).complaint
