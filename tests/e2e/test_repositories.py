"""Where the command may be called: any folder, any kind of repository, hostile ones too."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.command import Agent, Ended
from tests.e2e.repositories import PLAIN_FIX, commit, git

FIXED = "def value():\n    return 2\n"
HOSTILE = 'raise SystemExit("the working directory was imported")\n'


def fix(agent: Agent, cwd: Path, issue: str | Path = "ISSUE.md", *options: str | Path) -> Ended:
    done = agent.run("fix", issue, "--model", agent.script(PLAIN_FIX), *options, cwd=cwd)
    assert done.code == 3, done.err
    return done


def test_without_git(agent: Agent, make_plain: Callable[[str], Path]) -> None:
    folder = make_plain("plain")
    done = fix(agent, folder)
    assert (folder / "app.py").read_text() == FIXED
    assert done.out.startswith("diff --git a/app.py b/app.py\n")
    assert agent.run("undo", "--yes", cwd=folder).code == 0
    assert "return 1" in (folder / "app.py").read_text()


def test_before_the_first_commit(agent: Agent, make_plain: Callable[[str], Path]) -> None:
    folder = make_plain("plain")
    git(folder, "init", "--quiet")
    fix(agent, folder)
    assert (folder / "app.py").read_text() == FIXED
    assert git(folder, "diff", "--cached") == ""


def test_in_a_linked_worktree(agent: Agent, plain: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(plain, "worktree", "add", "--quiet", linked)
    assert (linked / ".git").is_file()
    fix(agent, linked)
    assert (linked / "app.py").read_text() == FIXED
    assert git(linked, "status", "--porcelain") == " M app.py\n"
    assert git(plain, "status", "--porcelain") == ""


def test_from_a_subfolder(agent: Agent, plain: Path) -> None:
    done = fix(agent, plain / "sub", "../ISSUE.md")
    assert (plain / "app.py").read_text() == FIXED
    assert done.err.endswith("To take it back: agent undo\n")
    assert agent.run("undo", "--yes", cwd=plain / "sub").code == 0
    assert git(plain, "status", "--porcelain") == ""


def test_from_elsewhere_to_a_path_with_blanks_and_letters(
    agent: Agent, make_plain: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = commit(make_plain("my 'räpo' — 木"))
    done = fix(agent, tmp_path, folder / "ISSUE.md", "--repo", folder / "sub")
    assert (folder / "app.py").read_text() == FIXED
    hint = done.err.splitlines()[-1].partition("agent undo ")[2]
    assert shlex.split(hint) == ["--repo", str(folder / "sub")]
    assert agent.run("undo", "--repo", folder, "--yes", cwd=tmp_path).code == 0
    assert git(folder, "status", "--porcelain") == ""


@pytest.fixture
def hostile(plain: Path) -> Path:
    """A repository whose modules are named as ours, as those we use and as the standard ones."""
    for name in ("agent", "tools", "tui"):
        (plain / name).mkdir()
        (plain / name / "__init__.py").write_text(HOSTILE)
    for name in ("click", "pydantic", "cli", "json", "subprocess", "pytest", "sitecustomize"):
        (plain / f"{name}.py").write_text(HOSTILE)
    git(plain, "add", "--all")
    git(plain, "commit", "--quiet", "--message", "hostile")
    return plain


def test_a_hostile_working_folder(agent: Agent, hostile: Path) -> None:
    fix(agent, hostile)
    listed = agent.run("models", "list", cwd=hostile)
    assert listed.code == 0, listed.err
    assert "Default here: " in listed.out
    assert agent.run("undo", "--yes", cwd=hostile).code == 0
    assert git(hostile, "status", "--porcelain") == ""


def test_a_hostile_working_folder_and_a_model_of_its_own(
    agent: Agent, hostile: Path, small_model: str
) -> None:
    argv = ("fix", "ISSUE.md", "--model", small_model, "--steering", "free", "--max-seconds", "4")
    done = agent.run(*argv, cwd=hostile)
    assert "step 1" in done.err
    assert done.code in (1, 3, 4), done.err  # whatever so small a model makes of it
    assert "the working directory was imported" not in done.err


def test_a_link_out_of_the_tree_is_not_followed(agent: Agent, plain: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def value():\n    return 1\n")
    (plain / "app.py").unlink()
    (plain / "app.py").symlink_to(outside)
    done = agent.run(
        "fix", "ISSUE.md", "--model", agent.script(PLAIN_FIX), "--max-steps", "2", cwd=plain
    )
    assert done.code == 4
    assert outside.read_text() == "def value():\n    return 1\n"
    assert (plain / "app.py").is_symlink()


def test_what_a_program_made_can_be_seen_at_once(agent: Agent, plain: Path) -> None:
    script = """
[[step]]
[[step.call]]
tool = "run"
argv = ["cp", "app.py", "copy.py"]
[[step]]
[[step.call]]
tool = "search"
pattern = "return 1"
"""
    model = agent.script(script)
    done = agent.run("fix", "ISSUE.md", "--model", model, "--json", "--max-steps", "2", cwd=plain)
    assert done.code == 4
    assert "copy.py" in done.out
