"""`agent doctor`: what it finds on a machine in order, and on one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import Agent

NAME = "ANTHROPIC_API_KEY"


def findings(agent: Agent, cwd: Path, **environ: str) -> dict[str, dict[str, str]]:
    done = agent.run("doctor", "--json", cwd=cwd, **environ)
    found: list[dict[str, str]] = json.loads(done.out)
    assert done.code == int(any(row["state"] == "bad" for row in found))
    assert done.err == ""
    return {row["name"]: row for row in found}


def test_everything_has_a_line_and_what_is_bad_a_command(agent: Agent, formula: Path) -> None:
    found = findings(agent, formula)
    expected = {
        "python",
        "git",
        "ripgrep",
        "sandbox",
        "memory",
        "graphics",
        "model",
        "keys",
        "state folder",
        "config folder",
        "disk, sessions",
        "disk, models",
        "tests",
        "project",
    }
    assert expected <= set(found)
    assert all(row["remedy"] for row in found.values() if row["state"] == "bad")
    assert found["tests"]["state"] == "good"
    assert "pytest" in found["tests"]["detail"]
    assert found["model"]["state"] == "bad"
    assert found["model"]["remedy"] == "agent models pull qwen2.5-coder-1.5b"
    table = agent.run("doctor", cwd=formula)
    assert "✗ model" in table.out
    assert "→ agent models pull qwen2.5-coder-1.5b" in table.out
    assert "not hold" in table.out.splitlines()[-1]
    assert "\x1b" not in table.out
    assert not (agent.home / "state").exists()


def test_a_model_that_is_here_is_named(agent: Agent, plain: Path, small_model: str) -> None:
    found = findings(agent, plain, PARITY_MODEL=small_model)
    assert found["model"]["state"] == "good"
    assert small_model in found["model"]["detail"]


def test_a_hosted_model_needs_its_key_and_no_engine(agent: Agent, plain: Path) -> None:
    found = findings(agent, plain, PARITY_MODEL="claude")
    assert found["model"]["state"] == "bad"
    assert found["model"]["remedy"] == f"agent keys set {NAME}"
    agent.run("keys", "set", NAME, cwd=plain, stdin="sk-canary-0123456789\n")
    found = findings(agent, plain, PARITY_MODEL="claude")
    assert found["model"]["state"] == "good"
    assert f"keys/{NAME}" in found["model"]["detail"]
    assert "engine" not in found


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("http://127.0.0.1:9", "the server at http://127.0.0.1:9, which is not asked"),
        ("ollama:qwen3:14b", "qwen3:14b of the server at http://127.0.0.1:11434"),
    ],
)
def test_a_servers_model_is_named_and_not_asked(
    agent: Agent, plain: Path, model: str, told: str
) -> None:
    found = findings(agent, plain, PARITY_MODEL=model)
    assert found["model"]["state"] == "good"
    assert told in found["model"]["detail"]


def test_open_modes_are_bad_and_mended_by_what_it_says(agent: Agent, plain: Path) -> None:
    agent.run("keys", "set", NAME, cwd=plain, stdin="sk-canary-0123456789\n")
    state, keys = agent.home / "state", agent.home / "keys"
    state.mkdir()
    state.chmod(0o755)
    keys.chmod(0o750)
    (keys / NAME).chmod(0o644)
    agent.home.chmod(0o777)
    found = findings(agent, plain)
    for name, place, mode in (
        ("state folder", state, 0o700),
        ("config folder", agent.home, 0o700),
        ("keys folder", keys, 0o700),
        ("key", keys / NAME, 0o600),
    ):
        assert found[name]["state"] == "bad"
        assert found[name]["remedy"] == f"chmod {mode:o} {place}"
        place.chmod(mode)
    after = findings(agent, plain)
    assert {after[name]["state"] for name in ("state folder", "config folder", "keys folder")} == {
        "good"
    }
    assert after["keys"]["detail"] == f"{NAME} ({keys / NAME})"
    assert "canary" not in json.dumps(after)


@pytest.mark.parametrize("what", ["settings", "trust"])
def test_what_stops_a_command_is_a_finding_here(agent: Agent, plain: Path, what: str) -> None:
    if what == "settings":
        (agent.home / "config.toml").write_text("colour = 1\n")
    else:
        (agent.home / "state").mkdir(mode=0o700)
        (agent.home / "state" / "trust.json").write_text("{")
    found = findings(agent, plain)
    assert found[what]["state"] == "bad"
    assert not found[what]["remedy"], "no command mends it"
    assert "disk, models" in found


def test_what_a_folder_holds_that_is_not_trusted(agent: Agent, plain: Path) -> None:
    (plain / "AGENTS.md").write_text("Rule.\n")
    found = findings(agent, plain)
    assert found["project"]["state"] == "weak"
    assert found["project"]["remedy"] == "agent trust"
    assert found["tests"]["state"] == "weak"
    agent.run("trust", "--yes", cwd=plain)
    assert findings(agent, plain)["project"]["state"] == "good"
    assert agent.run("doctor", "--repo", "none", cwd=plain).code == 2
