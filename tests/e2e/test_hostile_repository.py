"""A repository whose configuration runs programs: none of them runs, whatever the agent does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import Agent
from tests.e2e.repositories import PLAIN_FIX, contents, git

COMMANDS = """
[[step]]
[[step.call]]
tool = "run"
argv = ["sh", "-c", "echo more >> notes.txt; rm sub/gone; chmod +x app.py; echo x > ./-new"]
"""
HOOKS = ("pre-commit", "post-index-change", "post-checkout", "reference-transaction", "pre-auto-gc")
DRIVERS = ("clean", "smudge", "process", "textconv", "diff", "fsmonitor", "gpg", "pager", "editor")


@pytest.fixture
def fired(tmp_path: Path) -> Path:
    """Where each hostile program leaves a file of its name."""
    folder = tmp_path / "fired"
    folder.mkdir()
    return folder


@pytest.fixture
def hostile(plain: Path, fired: Path, tmp_path: Path) -> Path:
    """`plain`, whose repository runs a program wherever git can be told to."""
    (plain / "sub" / "gone").write_text("old\n")
    (plain / ".gitattributes").write_text("* filter=evil diff=evil\n")
    git(plain, "add", "--all")
    git(plain, "commit", "--quiet", "--message", "attributes")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in (*DRIVERS, *HOOKS):
        # What is asked of a filter goes through unchanged.
        through = "cat" if name in ("clean", "smudge") else "exit 1"
        (programs / name).write_text(f"#!/bin/sh\ntouch {fired}/{name}\n{through}\n")
        (programs / name).chmod(0o755)
    for name in HOOKS:
        shutil.copy(programs / name, plain / ".git" / "hooks" / name)
    for key, name in {
        "core.fsmonitor": "fsmonitor",
        "filter.evil.clean": "clean",
        "filter.evil.smudge": "smudge",
        "diff.external": "diff",
        "diff.evil.textconv": "textconv",
        "gpg.program": "gpg",
        "core.pager": "pager",
        "core.editor": "editor",
    }.items():
        git(plain, "config", key, str(programs / name))
    git(plain, "config", "commit.gpgsign", "true")
    return plain


def plain_git(folder: Path, *argv: str) -> None:
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", *identity, *argv], cwd=folder, env=environ, capture_output=True)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_of_the_repository_runs(agent: Agent, hostile: Path, fired: Path) -> None:
    before = contents(hostile)
    script = agent.script(COMMANDS + PLAIN_FIX)
    done = agent.run("fix", "ISSUE.md", "--model", script, cwd=hostile)
    assert done.code == 3, done.err
    assert contents(hostile) != before
    assert agent.run("undo", "--list", cwd=hostile).code == 0
    done = agent.run("undo", "--yes", cwd=hostile)
    assert done.code == 0, done.err
    assert contents(hostile) == before
    assert not (hostile / "app.py").stat().st_mode & 0o111
    assert names(fired) == set()
    # That plain git would have run them shows that they were there to be run.
    (hostile / "notes.txt").write_text("two\n")
    for argv in (("status",), ("diff",), ("add", "--all"), ("commit", "--message", "x")):
        plain_git(hostile, *argv)
    (hostile / ".git" / "hooks" / "pre-commit").unlink()
    plain_git(hostile, "commit", "--message", "x")
    expected = {"fsmonitor", "clean", "diff", "gpg", "pre-commit", "post-index-change"}
    assert expected <= names(fired)


def test_nothing_of_a_nested_repository_runs(agent: Agent, hostile: Path, fired: Path) -> None:
    outer = hostile.parent / "outer"
    outer.mkdir()
    (outer / "app.py").write_text("def value():\n    return 1\n")
    (outer / "ISSUE.md").write_text("# value() should be 2\n")
    shutil.move(hostile, outer / "nested")
    git(outer, "init", "--quiet")
    before = contents(outer)
    script = agent.script(
        COMMANDS.replace('["sh", "-c", "', '["sh", "-c", "cd nested; ') + PLAIN_FIX
    )
    assert agent.run("fix", "ISSUE.md", "--model", script, cwd=outer).code == 3
    assert agent.run("undo", "--yes", cwd=outer).code == 0
    assert contents(outer) == before
    assert names(fired) == set()


def test_files_elsewhere_are_refused(agent: Agent, plain: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "app.py").write_text("precious\n")
    git(plain, "config", "core.worktree", str(elsewhere))
    plain_git(plain, "checkout", "--", "app.py")
    assert (elsewhere / "app.py").read_text() != "precious\n"  # so plain git does
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(PLAIN_FIX), cwd=plain)
    assert done.code == 2
    assert str(elsewhere) in done.complaint
    assert "core.worktree" in done.complaint


def test_a_bare_repository_in_a_folder_is_only_files(agent: Agent, plain: Path) -> None:
    git(plain, "init", "--quiet", "--bare", "inner.git")
    before = contents(plain)
    script = agent.script(COMMANDS.replace("rm sub/gone", "echo x > inner.git/new") + PLAIN_FIX)
    assert agent.run("fix", "ISSUE.md", "--model", script, cwd=plain).code == 3
    assert agent.run("undo", "--yes", cwd=plain).code == 0
    assert contents(plain) == before
