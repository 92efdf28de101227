"""Trust from outside: what `agent fix` loads of a repository, and the commands about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import Agent, Ended
from tests.e2e.repositories import PLAIN_FIX, contents

READ_THEN_FIX = """
[[step]]
[[step.call]]
tool = "read_file"
path = "sub/x.txt"
[[step]]
[[step.call]]
tool = "read_file"
path = "sub/x.txt"
start = 1
"""


@pytest.fixture
def told(plain: Path) -> Path:
    """A repository that would like to say something."""
    (plain / ".agent").mkdir()
    (plain / ".agent" / "config.toml").write_text("test_command = 'grep -q 2 app.py'\n")
    (plain / "AGENTS.md").write_text("ROOT RULE\n")
    (plain / "sub" / "AGENTS.md").write_text("SUB RULE\n")
    (plain / "sub" / "x.txt").write_text("x\n")
    return plain


def fix(agent: Agent, folder: Path, *options: str, script: str = PLAIN_FIX) -> Ended:
    argv = ("fix", "ISSUE.md", "--model", agent.script(script), "--json", "--dry-run", *options)
    return agent.run(*argv, cwd=folder)


def events(done: Ended, kind: str) -> list[str]:
    lines = [json.loads(line) for line in done.out.splitlines()]
    return [json.dumps(line) for line in lines if line["event"] == kind]


def test_nothing_is_loaded_without_trust_and_that_is_said(agent: Agent, told: Path) -> None:
    before = contents(told)
    done = fix(agent, told, script=READ_THEN_FIX + PLAIN_FIX)
    assert done.code == 3  # nothing to verify with: the command of the tests was not taken
    assert "RULE" not in done.out
    (notice,) = events(done, "notice")
    assert ".agent/config.toml (not trusted), AGENTS.md (not trusted)" in notice
    assert "agent trust" in notice
    assert contents(told) == before
    assert not (agent.home / "state" / "trust.json").exists()


def test_a_repository_without_such_files_is_told_nothing(agent: Agent, plain: Path) -> None:
    assert events(fix(agent, plain), "notice") == []


@pytest.mark.parametrize("how", ["flag", "before"])
def test_what_is_trusted_is_loaded(agent: Agent, told: Path, how: str) -> None:
    if how == "before":
        assert agent.run("trust", "--yes", cwd=told).code == 0
    options = ["--trust"] if how == "flag" else []
    done = fix(agent, told, *options, script=READ_THEN_FIX + PLAIN_FIX)
    assert done.code == 0, done.err
    assert "Trusted and loaded" in events(done, "notice")[0]
    start = json.loads(done.out.splitlines()[0])
    assert start["test_origin"] == str(told / ".agent" / "config.toml")
    said = events(done, "said")
    assert "ROOT RULE" in said[0]
    assert '"role": "system"' in said[0]
    assert sum("SUB RULE" in message for message in said) == 1
    assert (agent.home / "state" / "trust.json").exists() == (how == "before")
    if how == "flag":  # for one run alone
        assert "RULE" not in fix(agent, told, script=READ_THEN_FIX + PLAIN_FIX).out


def test_a_guided_model_is_told_the_roots_alone(agent: Agent, told: Path) -> None:
    done = fix(agent, told, "--trust", "--steering", "guided")
    assert "ROOT RULE" in events(done, "said")[0]
    assert "SUB RULE" not in done.out


def test_a_change_ends_the_trust_of_that_file(agent: Agent, told: Path) -> None:
    agent.run("trust", "--yes", cwd=told)
    (told / "AGENTS.md").write_text("EVIL RULE\n")
    done = fix(agent, told)
    assert "EVIL" not in done.out
    assert "AGENTS.md (changed since it was trusted)" in events(done, "notice")[1]
    assert agent.run("trust", cwd=told).code == 2  # it asks, and nobody can answer
    assert "(changed since it was trusted)" in agent.run("trust", "--list", cwd=told).out


def test_the_model_cannot_write_settings(agent: Agent, plain: Path) -> None:
    script = """
    [[step]]
    [[step.call]]
    tool = "write_file"
    path = ".agent/config.toml"
    content = "test_command = 'true'"
    [[step.call]]
    tool = "write_file"
    path = ".AGENT/config.toml"
    content = "test_command = 'true'"
    [[step]]
    text = "Done."
    """
    done = fix(agent, plain, "--trust", script=script)
    finished = events(done, "tool_finished")
    assert len(finished) == 2
    assert all("is not written here" in event for event in finished)
    assert json.loads(done.out.splitlines()[-1])["changed"] == []


def test_all_of_it_is_shown_before_it_is_trusted(agent: Agent, told: Path) -> None:
    (told / "AGENTS.md").write_text("ROOT \x1b[2J\u202eRULE\n\nNo longer trusted: x\n")
    done = agent.run("trust", "--yes", cwd=told)
    assert "  | test_command = 'grep -q 2 app.py'\n" in done.out
    assert "  | ROOT \\u202eRULE\n" in done.out
    assert "\n  | No longer trusted: x\n" in done.out
    assert "\x1b" not in done.out
    assert done.out.endswith("Trusted.\n")
    again = agent.run("trust", cwd=told)
    assert (again.code, again.err) == (0, "")
    assert "All that can be used is trusted" in again.out


def test_list_and_remove(agent: Agent, told: Path) -> None:
    assert agent.run("trust", "--remove", cwd=told).code == 2
    agent.run("trust", "--yes", told / "sub", cwd=agent.home)
    done = agent.run("trust", "--list", cwd=agent.home)
    assert done.out.splitlines() == [
        str(told),
        "  .agent/config.toml (trusted)",
        "  AGENTS.md (trusted)",
        "  sub/AGENTS.md (trusted)",
    ]
    moved = told.rename(told.with_name("moved"))
    assert "  AGENTS.md (gone)" in agent.run("trust", "--list", cwd=agent.home).out
    assert "not trusted" in agent.run("trust", "--yes", cwd=moved).out
    assert agent.run("trust", "--remove", told, cwd=agent.home).code == 0
    assert agent.run("trust", "--list", cwd=agent.home).out.splitlines()[0] == str(moved)


@pytest.mark.parametrize(
    ("text", "told_of"),
    [
        ("mode = 'auto'", "A project may not set mode"),
        ("model = 'scripted:evil.toml'", "scripted:evil.toml"),
        ("model = './evil.gguf'", "./evil.gguf"),
        ("model = 'claude'", "may only choose a model of the catalogue"),
        ("model = 'http://127.0.0.1:8080'", "may only choose a model of the catalogue"),
        ("model = 'ollama:qwen3:14b'", "may only choose a model of the catalogue"),
        ("colour = 1", "There is no setting 'colour'"),
        ("max_steps = 'x'", "max_steps"),
    ],
)
def test_settings_that_no_project_may_have(
    agent: Agent, plain: Path, text: str, told_of: str
) -> None:
    (plain / ".agent").mkdir()
    (plain / ".agent" / "config.toml").write_text(text)
    (plain / "evil.toml").write_text(PLAIN_FIX)
    (plain / "evil.gguf").write_bytes(b"GGUF")
    for argv in (("trust", "--yes"), ("fix", "ISSUE.md", "--trust")):
        done = agent.run(*argv, cwd=plain)
        assert done.code == 2
        assert told_of in done.complaint
    assert not (agent.home / "state" / "trust.json").exists()
    assert fix(agent, plain).code == 3  # untrusted, it is not even read


def test_every_setting_is_shown_with_its_origin(agent: Agent, told: Path) -> None:
    (agent.home / "config.toml").write_text("threads = 3\n")
    agent.run("trust", "--yes", cwd=told)
    environ = {"PARITY_MODEL": "m\x1b[2J"}
    done = agent.run("config", "--json", cwd=told, **environ)
    rows = {row["name"]: (row["value"], row["origin"]) for row in json.loads(done.out)}
    assert rows["threads"] == (3, str(agent.home / "config.toml"))
    assert rows["model"][1] == "environment"
    assert rows["test_command"] == ("grep -q 2 app.py", str(told / ".agent" / "config.toml"))
    assert rows["max_steps"] == (100, "default")
    table = agent.run("config", cwd=told, **environ)
    assert len(table.out.splitlines()) == len(rows) + 1
    assert "\x1b" not in table.out
    assert "Trusted and loaded: .agent/config.toml." in table.err
