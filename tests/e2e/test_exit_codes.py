"""Every way to fail: its exit code, and one line that says what to do."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tests.agent.models.gguf_files import language_model, write_gguf
from tests.e2e.command import Agent
from tests.e2e.repositories import PLAIN_FIX, contents, git

LONG_FIX = PLAIN_FIX.replace("text", f'reasoning = "{"hm " * 5000}"\ntext', 1)
"""Thinks for 3,750 tokens first."""


def test_help_lists_the_exit_codes(agent: Agent, tmp_path: Path) -> None:
    for argv in (["fix", "--help"], ["fix", "-h"]):
        done = agent.run(*argv, cwd=tmp_path)
        assert done.code == 0
        assert "Exit codes: 0 verified" in done.out
        assert "130 interrupted" in done.out
        assert done.err == ""
    done = agent.run("--help", cwd=tmp_path)
    assert done.code == 0
    assert "  fix " in done.out


def test_without_arguments_and_without_a_terminal_it_says_what_to_do(
    agent: Agent, tmp_path: Path
) -> None:
    done = agent.run(cwd=tmp_path)
    assert done.code == 2
    assert "error: There is no terminal for the screen: give --plain" in done.err


def test_it_tells_its_version(agent: Agent, tmp_path: Path) -> None:
    try:
        version = metadata.version("parity-agent")
    except metadata.PackageNotFoundError:
        pytest.skip("needs the command installed")
    done = agent.run("--version", cwd=tmp_path)
    assert (done.code, done.out) == (0, f"agent, version {version}\n")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["fix"], "Missing argument 'ISSUE'"),
        (["fix", "none.md"], "The issue none.md cannot be read"),
        (["fix", "sub"], "sub"),
        (["fix", "empty.md"], "The issue empty.md is empty"),
        (["fix", "-"], "is empty"),
        (["fix", "ISSUE.md", "--repo", "none"], "There is no folder none"),
        (["fix", "ISSUE.md", "--repo", "bare"], "bare repository"),
        (["fix", "ISSUE.md", "--max-steps", "few"], "--max-steps"),
        (["fix", "ISSUE.md", "--max-steps", "0"], "max_steps (flag)"),
        (["fix", "ISSUE.md", "--max-tokens", "-5"], "max_tokens (flag)"),
        (["fix", "ISSUE.md", "--max-seconds", "0"], "max_seconds (flag)"),
        (["fix", "ISSUE.md", "--max-usd", "-1"], "max_usd (flag)"),
        (["fix", "ISSUE.md", "--max-usd", "nan"], "max_usd (flag)"),
        (["fix", "ISSUE.md", "--steering", "wild"], "--steering"),
        (["fix", "ISSUE.md", "--wild"], "--wild"),
        (["fix", "ISSUE.md", "--model", "scripted:none.toml"], "none.toml cannot be read: No such"),
        (["fix", "ISSUE.md", "--model", "scripted:app.py"], "app.py cannot be read"),
        (["fix", "ISSUE.md", "--output", "none/x.patch"], "none"),
        (["fix", "ISSUE.md", "--test-command", "pytest 'open"], "test command"),
        (["fix", "ISSUE.md", "--test-command", "make && true"], "needs a shell"),
        (["fix", "ISSUE.md", "--test-command", "frobnicate -q"], "no program frobnicate"),
        (["undo", "--yes"], "There is no session that changed"),
        (["undo", "20200101-000000-abcdef"], "There is no session 20200101-000000-abcdef"),
        (["models", "plan", "--memory", "much"], "much"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(agent: Agent, plain: Path, argv: list[str], told: str) -> None:
    (plain / "empty.md").write_text(" \n\n")
    git(plain, "init", "--quiet", "--bare", "bare")
    if "--model" not in argv and argv[0] == "fix":
        argv = [*argv, "--model", agent.script(PLAIN_FIX)]
    before = contents(plain)
    done = agent.run(*argv, cwd=plain)
    assert done.code == 2
    assert told in done.complaint
    assert done.out == ""
    assert contents(plain) == before


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("max_steps = 'many'", "max_steps"),
        ("colour = 'red'", "colour"),
        ("max_steps = ", "cannot be read"),
        ("model = '\xe9'", "cannot be read"),
    ],
)
def test_a_wrong_configuration(agent: Agent, plain: Path, config: str, told: str) -> None:
    (agent.home / "config.toml").write_text(config, encoding="latin-1")
    done = agent.run("fix", "ISSUE.md", cwd=plain)
    assert done.code == 2
    assert told in done.complaint
    assert str(agent.home / "config.toml") in done.complaint


def test_a_wrong_environment(agent: Agent, plain: Path) -> None:
    done = agent.run("fix", "ISSUE.md", cwd=plain, PARITY_MAX_USD="lots")
    assert done.code == 2
    assert "max_usd (environment)" in done.complaint


def test_a_state_folder_that_cannot_be_made(agent: Agent, plain: Path) -> None:
    model, state = agent.script(PLAIN_FIX), str(plain / "app.py" / "state")
    done = agent.run("fix", "ISSUE.md", "--model", model, cwd=plain, PARITY_STATE=state)
    assert done.code == 1
    assert state in done.complaint


def test_a_change_that_helps_nothing_has_failed(agent: Agent, plain: Path) -> None:
    model = agent.script(PLAIN_FIX)
    argv = ("fix", "ISSUE.md", "--model", model, "--test-command", "grep -q 'return 3' app.py")
    done = agent.run(*argv, "--max-steps", "2", cwd=plain)
    assert done.code == 4  # told that the tests still fail, it would go on
    looping = "[[step]]\n[[step.call]]\ntool = 'read_file'\npath = 'app.py'\n" * 5
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(looping), cwd=plain)
    assert done.code == 1
    assert "looping: " in done.out


def test_nothing_to_verify_with(agent: Agent, plain: Path) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(PLAIN_FIX), cwd=plain)
    assert done.code == 3
    assert "unverified: There are no tests" in done.out


@pytest.mark.parametrize(
    ("option", "value", "script"),
    [
        ("--max-steps", "1", PLAIN_FIX),
        ("--max-tokens", "3000", LONG_FIX),
        ("--max-usd", "0.02", 'price_as = "claude-sonnet-5-5"' + LONG_FIX),
        ("--max-seconds", "0.5", PLAIN_FIX.replace('"Done."', '"Done."\ndelay = 60.0')),
    ],
)
def test_each_limit(agent: Agent, plain: Path, option: str, value: str, script: str) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(script), option, value, cwd=plain)
    assert done.code == 4, done.out
    assert f"The limit of {'$' * (option == '--max-usd')}" in done.out
    assert "To take it back: agent undo" in done.err


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("qwen2.5-coder-1.5", "did you mean qwen2.5-coder-1.5b"),
        ("xyzzy", "`agent models list`"),
        ("qwen2.5-coder-1.5b", "`agent models pull qwen2.5-coder-1.5b`"),
        ("default", "`agent models pull qwen2.5-coder-1.5b`"),
        ("./none.gguf", "There is no file ./none.gguf."),
    ],
)
def test_a_model_that_is_not_here(agent: Agent, plain: Path, model: str, told: str) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", model, cwd=plain)
    assert done.code == 5
    assert told in done.complaint


def test_no_model_named_and_none_here(agent: Agent, plain: Path) -> None:
    done = agent.run("fix", "ISSUE.md", cwd=plain)
    assert done.code == 5
    assert "`agent models pull " in done.complaint


@pytest.mark.parametrize("damage", ["garbage", "empty", "head only", "short"])
def test_a_model_that_is_damaged(agent: Agent, plain: Path, small_model: str, damage: str) -> None:
    (weights,) = (agent.home / "models").iterdir()
    with weights.open("rb") as whole:
        start = whole.read(20_000_000 if damage == "short" else 3000)
    weights.unlink()
    weights.write_bytes({"garbage": b"GGUF" * 999, "empty": b""}.get(damage, start))
    done = agent.run("fix", "ISSUE.md", "--model", small_model, cwd=plain)
    assert done.code == 6
    told = done.complaint if done.err.startswith("error: ") else done.out
    assert weights.name in told


def test_a_file_that_looks_like_a_model_and_holds_none(agent: Agent, plain: Path) -> None:
    pytest.importorskip("llama_cpp")
    write_gguf(plain / "false.gguf", language_model())
    done = agent.run("fix", "ISSUE.md", "--model", "./false.gguf", cwd=plain)
    assert done.code == 6
    told = done.complaint if done.err.startswith("error: ") else done.out
    assert "false.gguf" in told


def test_local_is_the_best_that_fits(agent: Agent, plain: Path) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", "local", cwd=plain)
    assert done.code == 5
    assert "agent models pull" in done.err
