"""Gold patches as scripts: what a patch can do, the agent's own tools do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from agent.approval import AllowAll
from agent.conversation import Conversation
from agent.replay.environments.base import Unavailable, WorkTree
from agent.replay.gold import EMPTY, GOLD, UNTESTED, write_script
from agent.replay.instance import Instance, RepositoryTask
from agent.wanted import Wanted


def git(root: Path, *words: str) -> str:
    plain = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ("git", *plain, *words), cwd=root, capture_output=True, check=True, env=env
    )
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "package").mkdir(parents=True)
    (root / "package" / "code.py").write_text("VALUE = 1\n" * 600)
    (root / "old.txt").write_text("old\n")
    (root / "latin.txt").write_bytes(b"caf\xe9\n")
    (root / "windows.txt").write_bytes(b"one\r\ntwo\r\n")
    (root / "open.txt").write_text("no end")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        write("package/code.py", b"VALUE = 1\n" * 599 + b'NAME = "\xc3\xa9\\n\x7f"\n'),
        write("package/fresh.py", b"FRESH = '''\n\\t'''\n"),
        write("latin.txt", b"th\xe9\n"),
        write("windows.txt", b"one\r\nthree\r\n"),
        write("open.txt", b"still no end"),
        write("data.bin", b"\x00\x01\xff" * 100),
        lambda root: (root / "old.txt").rename(root / "new.txt"),
        lambda root: (root / "old.txt").unlink(),
        lambda root: (root / "old.txt").chmod(0o755),
    ],
)
def test_the_tree_becomes_what_the_patch_makes_of_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    change(root)
    git(root, "add", "-A")
    wanted = git(root, "write-tree")
    patch = git(root, "diff", "--cached", "--binary", "HEAD")
    git(root, "reset", "-q", "--hard", "HEAD")
    instance = Instance("one", "Mend it.", RepositoryTask("a/b", "", patch, "", (), ()))
    folder = tmp_path / "folder"
    folder.mkdir()
    before = git(root, "status", "--porcelain")
    script = write_script(GOLD, instance, WorkTree(root, ""), folder)
    assert git(root, "status", "--porcelain") == before == ""
    monkeypatch.setenv("PARITY_STATE", str(tmp_path / "state"))
    flags = {
        "model": f"scripted:{script}",
        "test_command": UNTESTED,
        "sandbox_read": (folder / "gold.patch",),
    }
    conversation = Conversation(Wanted(root, flags), AllowAll())
    for _ in conversation.run("Mend it.", Event()):
        pass
    left = conversation.workspace.patch()
    conversation.close()
    git(root, "add", "-A")
    assert git(root, "write-tree") == wanted
    # What is graded is the agent's patch of it.
    git(root, "reset", "-q", "--hard", "HEAD")
    (tmp_path / "left.patch").write_bytes(left.encode("utf-8", "surrogateescape"))
    git(root, "apply", "--index", str(tmp_path / "left.patch"))
    assert git(root, "write-tree") == wanted


def test_a_patch_that_does_not_fit_its_base_is_told(root: Path, tmp_path: Path) -> None:
    patch = "--- a/absent.py\n+++ b/absent.py\n@@ -1 +1 @@\n-a\n+b\n"
    instance = Instance("one", "Mend it.", RepositoryTask("a/b", "", patch, "", (), ()))
    with pytest.raises(Unavailable, match=r"does not apply to its base: error: absent\.py"):
        write_script(GOLD, instance, WorkTree(root, ""), tmp_path)
    script = write_script(EMPTY, instance, WorkTree(root, ""), tmp_path)
    assert "call" not in script.read_text()
