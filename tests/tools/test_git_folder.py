"""What `.git` says of where a tree is; against what git itself makes of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.git_folder import git_folder, local_excludes, other_tree


def git(folder: Path, *argv: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    done = subprocess.run(
        ["git", *identity, *argv], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip("\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    return root


def test_none(tmp_path: Path) -> None:
    assert git_folder(tmp_path) is None
    assert local_excludes(tmp_path) is None
    assert other_tree(tmp_path) is None


@pytest.mark.parametrize("damage", [b"", b"gitdir:", b"gitdir: /nowhere", b"\0\xff", b"x" * 9000])
def test_a_git_file_that_says_nothing(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / ".git").write_bytes(damage)
    assert other_tree(tmp_path) is None
    assert local_excludes(tmp_path) is None


def test_linked_worktree(root: Path, tmp_path: Path) -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", "x")
    git(root, "worktree", "add", "-q", str(tmp_path / "linked"))
    linked = tmp_path / "linked"
    assert str(git_folder(linked)) == git(linked, "rev-parse", "--absolute-git-dir")
    excludes = local_excludes(linked)
    assert excludes is not None
    assert excludes.samefile(root / ".git" / "info" / "exclude")
    assert other_tree(linked) is None


def test_submodule_whose_work_tree_is_itself(root: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "x")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub dir")
    assert git(root / "sub dir", "config", "core.worktree")
    assert other_tree(root / "sub dir") is None


@pytest.mark.parametrize(
    "value", ["/elsewhere", "../../other", 'a "b" # c', "a;b", "with\\back", "ünï", " x "]
)
def test_what_git_writes_is_read(root: Path, value: str) -> None:
    config = ("config", "--file", str(root / ".git" / "config"))
    git(root.parent, *config, "core.worktree", value)
    assert git(root.parent, *config, "--null", "core.worktree") == f"{value}\0"
    assert other_tree(root) == value


@pytest.mark.parametrize(
    "text",
    [
        "[core] worktree = /elsewhere\n",
        "[CORE]\n\tWorkTree=/elsewhere ; really\n",
        '[core]\nworktree = "/else"where # x\n',
        "[core]\nworktree = /else\\\nwhere\n",
        "[core]\nworktree = /elsewhere\n[core]\nworktree = ..\n",
    ],
)
def test_other_spellings(root: Path, text: str) -> None:
    (root / ".git" / "config").write_text(text)
    assert other_tree(root) == "/elsewhere"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[core]\n#worktree = /elsewhere\n",
        '[core "x"]\nworktree = /elsewhere\n',
        "[other]\nworktree = /elsewhere\n",
        "[core]\nworktree = ..\n",
    ],
)
def test_not_elsewhere(root: Path, text: str) -> None:
    (root / ".git" / "config").write_text(text)
    assert other_tree(root) is None
