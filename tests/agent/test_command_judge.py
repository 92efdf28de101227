"""Which commands are free: a short list; every way round it asks."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from agent.command_judge import doubt
from tools.action import Command

FREE = [
    "pwd",
    "ls",
    "ls -la src",
    "ls -lR",
    "cat src/app.py",
    "cat -n -- src/app.py",
    "head -5 src/app.py",
    "head -n 5 src/app.py",
    "tail -n+2 src/app.py",
    "wc -l src/app.py notes.txt",
    "grep -n value src/app.py",
    "grep -inE -A2 'a|b' src/app.py",
    "rg -n value src/app.py",
]
FREE_IN_A_SANDBOX = [
    "git status",
    "git status --short --branch",
    "git log --oneline -5",
    "git log -n 5 --stat main..HEAD -- src",
    "git log --format=short --author=someone",
    "git diff",
    "git diff --cached src/app.py",
    "git diff -U5 HEAD~1",
    "git show HEAD",
    "git show --name-only HEAD^",
]
BYPASSES: dict[str, list[str]] = {
    "git log --output": ["git", "log", "--output=x"],
    "git show --output": ["git", "show", "--output=x"],
    "git diff --output": ["git", "diff", "--output=x"],
    "git diff --output, apart": ["git", "diff", "--output", "x"],
    "git diff --output, shortened": ["git", "diff", "--outp=x"],
    "git grep --open-files-in-pager": ["git", "grep", "--open-files-in-pager=sh", "value"],
    "git grep -O": ["git", "grep", "-Osh", "value"],
    "git -c alias": ["git", "-c", "alias.x=!touch x", "x"],
    "git -c before what is free": ["git", "-c", "core.fsmonitor=./x", "status"],
    "git --upload-pack": ["git", "fetch", "--upload-pack=touch x", "."],
    "git ls-remote --upload-pack": ["git", "ls-remote", "--upload-pack=touch x", "."],
    "git archive --exec": ["git", "archive", "--remote=.", "--exec=touch x", "HEAD"],
    "git --git-dir": ["git", "--git-dir=evil", "status"],
    "git --exec-path": ["git", "--exec-path=.", "status"],
    "git diff of other files": ["git", "diff", "/etc/passwd", "../x"],
    "git show a signature": ["git", "log", "--show-signature"],
    "git diff --ext-diff": ["git", "diff", "--ext-diff"],
    "git push": ["git", "push", "--force"],
    "sed w": ["sed", "w f", "src/app.py"],
    "sed -n w": ["sed", "-n", "w f", "src/app.py"],
    "sed e": ["sed", "1e touch x", "src/app.py"],
    "find -exec": ["find", ".", "-exec", "touch", "x", ";"],
    "find -fprint": ["find", ".", "-fprint", "x"],
    "find -delete": ["find", ".", "-delete"],
    "sort -o": ["sort", "-o", "x", "src/app.py"],
    "uniq to a file": ["uniq", "src/app.py", "out"],
    "xxd to a file": ["xxd", "src/app.py", "out"],
    "awk system": ["awk", 'BEGIN{system("touch x")}'],
    "tar --checkpoint-action": [
        "tar", "cf", "/dev/null", "--checkpoint=1", "--checkpoint-action=exec=touch x", "src",
    ],
    "xargs": ["xargs", "touch", "x"],
    "xargs of what is free": ["xargs", "cat", "src/app.py"],
    "env": ["env", "touch", "x"],
    "env with a variable": ["env", "X=1", "git", "status"],
    "nice": ["nice", "-n", "1", "ls"],
    "timeout": ["timeout", "5", "ls"],
    "$()": ["ls", "$(touch x)"],
    "$() as a pattern": ["grep", "$(touch x)", "src/app.py"],
    "backticks": ["cat", "`touch x`"],
    "<()": ["cat", "<(touch x)"],
    "<() after --": ["cat", "--", "<(touch x)"],
    "newline": ["ls", "src\ntouch x"],
    "newline in a pattern": ["grep", "a\nb", "src/app.py"],
    "&": ["ls", "&", "touch", "x"],
    "[[ $() ]]": ["[[", "$(touch x)", "]]"],
    "test -v": ["test", "-v", "a[$(touch x)]"],
    "printf -v": ["printf", "-v", "a[$(touch x)]"],
    ":": [":", "$((a[$(touch x)]))"],
    "sh -c": ["sh", "-c", "ls"],
    "bash -c": ["bash", "-c", "git status"],
    "another git by its place": ["/tmp/git", "status"],
    "the system's git by its place": ["/usr/bin/git", "status"],
    "the repository's ls by its place": ["./ls"],
    "rg --pre": ["rg", "--pre", "sh", "value", "src/app.py"],
    "rg of everything": ["rg", "value"],
    "grep -r": ["grep", "-r", "KEY", "."],
    "grep -f": ["grep", "-f", "/etc/passwd", "src/app.py"],
    "tail -f": ["tail", "-f", "src/app.py"],
    "wc --files0-from": ["wc", "--files0-from=list", "src/app.py"],
    "cat of a secret": ["cat", ".env"],
    "cat of a link to a secret": ["cat", "innocent"],
    "cat from outside": ["cat", "/etc/passwd"],
    "cat from above": ["cat", "../outside.txt"],
    "cat through a link": ["cat", "away/outside.txt"],
    "cat of git's own": ["cat", ".git/config"],
    "cat of a pipe": ["cat", "pipe"],
    "cat of nothing": ["cat"],
    "cat of stdin": ["cat", "-"],
    "ls elsewhere": ["ls", ".."],
    "ls of a file that is not there": ["ls", "--", "none"],
    "a look-alike": ["l\u0455"],
    "an invisible mark": ["ls", "src\u200b"],
    "a NUL": ["cat", "a\0b"],
    "nothing that is known": ["make"],
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "repo"
    (made / "src").mkdir(parents=True)
    (made / ".git").mkdir()
    (made / ".git" / "config").write_text("")
    (made / "src" / "app.py").write_text("value = 1\n")
    (made / "notes.txt").write_text("a\n")
    (made / ".env").write_text("KEY=1\n")
    (made / "innocent").symlink_to(".env")
    (tmp_path / "outside.txt").write_text("x\n")
    (made / "away").symlink_to(tmp_path)
    os.mkfifo(made / "pipe")
    return made


def asked(argv: list[str], root: Path, sandboxed: bool, program: str = "") -> str:
    program = program or f"/usr/bin/{argv[0]}"
    return doubt(Command(tuple(argv), str(root), program), sandboxed)


@pytest.mark.parametrize("line", FREE)
def test_what_surely_only_reads_is_free(root: Path, line: str) -> None:
    assert asked(shlex.split(line), root, False) == ""
    assert asked(shlex.split(line), root, True) == ""


@pytest.mark.parametrize("line", FREE_IN_A_SANDBOX)
def test_git_reads_freely_in_a_sandbox_alone(root: Path, line: str) -> None:
    assert asked(shlex.split(line), root, True) == ""
    assert "configures" in asked(shlex.split(line), root, False)


@pytest.mark.parametrize("argv", BYPASSES.values(), ids=BYPASSES.keys())
@pytest.mark.parametrize("sandboxed", [True, False])
def test_every_way_round_asks(root: Path, argv: list[str], sandboxed: bool) -> None:
    assert asked(argv, root, sandboxed)


@pytest.mark.parametrize("wrapper", ["env X=1", "nice", "timeout 9", "xargs", "sudo", "sh -c"])
@pytest.mark.parametrize("line", ["ls", "git status", "cat src/app.py"])
def test_a_wrapper_asks_whatever_it_wraps(root: Path, wrapper: str, line: str) -> None:
    assert asked([*wrapper.split(), *line.split()], root, True)


def test_a_program_of_the_repository_is_not_the_systems(root: Path) -> None:
    for place in (root / ".venv/bin/ls", root / "ls", Path("/usr/local/bin/ls"), Path("/tmp/ls")):
        assert "not the system's own" in asked(["ls"], root, True, str(place))
    assert doubt(Command(("ls",), str(root), ""), True)
    assert doubt(Command(("ls",), "/usr", "/usr/bin/ls"), True)  # all of it is the repository


def test_network_variables_and_tests_ask(root: Path) -> None:
    for command in (
        Command(("ls",), str(root), "/bin/ls", network=True),
        Command(("ls",), str(root), "/bin/ls", env=(("LD_PRELOAD", "x"),)),
        Command(("ls",), str(root), "/bin/ls", chosen=()),
    ):
        assert doubt(command, True)
