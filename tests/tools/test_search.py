"""Searching real folders with ripgrep."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from tools import ripgrep
from tools.base import ToolResult
from tools.errors import Cancelled, ToolError
from tools.search import MAX_CHARACTERS, MAX_HITS, Search, SearchArguments
from tools.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("def mean(xs):\n    return sum(xs)\n")
    (tmp_path / "b.js").write_text("mean(1);\nfoo(\n")
    return tmp_path


def search(root: Path, pattern: str, path: str = ".", glob: str | None = None) -> ToolResult:
    arguments = SearchArguments(pattern=pattern, path=path, glob=glob)
    return Search(Workspace(root)).run(arguments, threading.Event())


def test_hits_are_grouped_by_file(root: Path) -> None:
    result = search(root, r"mean\(")
    assert result.output == "b.js\n1 mean(1);\nsrc/a.py\n1 def mean(xs):"
    assert result.display == 'search "mean\\(": 2 hits in 2 files'


def test_path_and_glob(root: Path) -> None:
    assert search(root, "mean", "src").output == "src/a.py\n1 def mean(xs):"
    assert search(root, "mean", "src/a.py").output == "src/a.py\n1 def mean(xs):"
    assert search(root, "mean", glob="*.js").output == "b.js\n1 mean(1);"
    assert search(root, "mean", glob="!*.js").output == "src/a.py\n1 def mean(xs):"


def test_no_hits(root: Path) -> None:
    result = search(root, "nothing")
    assert (result.output, result.ok) == ("No hits.", True)


def test_what_is_no_regular_expression_is_searched_as_text(root: Path) -> None:
    result = search(root, "foo(")
    assert result.output.endswith("plain text]\nb.js\n2 foo(")


def test_several_lines(root: Path) -> None:
    assert search(root, "xs\\):\n    return").output == (
        "src/a.py\n1 def mean(xs):\n2     return sum(xs)"
    )


@pytest.mark.parametrize("pattern", ["--help", "-e", "--pre=sh"])
def test_a_pattern_is_never_an_option(root: Path, pattern: str) -> None:
    (root / "--help").write_text(f"{pattern}\n")
    assert search(root, pattern).output == f"--help\n1 {pattern}"
    assert search(root, pattern, "--help").output == f"--help\n1 {pattern}"


def test_hidden_files_yes_git_ignored_files_and_secrets_no(root: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".git" / "note").write_text("canary\n")
    (root / ".gitignore").write_text("*.log\n")
    for name in ("x.log", ".env", "key.pem", ".hidden"):
        (root / name).write_text("canary\n")
    assert search(root, "canary").output == ".hidden\n1 canary"
    assert search(root, "canary", glob=".env").output == "No hits."
    for path in (".env", ".git", "..", "/etc"):
        with pytest.raises(ToolError):
            search(root, "canary", path)


def test_links_do_not_lead_outside(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "f").write_text("canary\n")
    (root / "link").symlink_to(outside)
    assert search(root, "canary").output == "No hits."
    with pytest.raises(ToolError, match="outside"):
        search(root, "canary", "link")


def test_a_path_that_is_not_there(root: Path) -> None:
    with pytest.raises(ToolError, match=r"Nearest: src/a\.py"):
        search(root, "x", "a.py")


def test_hits_are_counted_past_what_is_shown(root: Path) -> None:
    (root / "many.txt").write_text("hit\n" * 3000)
    result = search(root, "hit")
    assert result.output.count(" hit\n") == MAX_HITS
    assert result.output.endswith("[100 of 3000 hits in 1 files; narrow it with path or glob]")
    (root / "many.txt").write_text("hit\n" * 9000)
    assert search(root, "hit").display == 'search "hit": more than 5000 hits in 1 files'


def test_long_lines_and_long_answers_are_cut(root: Path) -> None:
    (root / "min.js").write_text("x" * 1_000_000 + "hit\n")
    assert len(search(root, "hit").output) < 300
    (root / "wide.txt").write_text(("y" * 150 + "\n") * 90)
    result = search(root, "yyy")
    assert len(result.output) < MAX_CHARACTERS + 200
    assert "of 90 hits" in result.output


def test_bytes_that_are_not_utf_8(root: Path) -> None:
    (root / "latin.txt").write_bytes(b"caf\xe9 hit\r\n")
    assert search(root, "hit").output == "latin.txt\n1 café hit"


def test_a_bad_glob_and_a_bad_pattern(root: Path) -> None:
    with pytest.raises(ToolError, match="glob"):
        search(root, "x", glob="[")
    with pytest.raises(ToolError, match="cannot be searched for"):
        search(root, "a\0b")


def test_interrupted_it_leaves_no_process(root: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    fifo = root / "fifo"
    subprocess.run(["mkfifo", str(fifo)], check=True)
    began = time.monotonic()
    # Named on the command line, a pipe that nobody writes to is waited for.
    with (
        pytest.raises(Cancelled),
        ripgrep.started(root, ["--json", "-e", "x", "--", "fifo"]) as running,
    ):
        list(running.lines(cancel, 20))
    assert time.monotonic() - began < 2
    with (
        pytest.raises(ToolError, match="took over"),
        ripgrep.started(root, ["--json", "-e", "x", "--", "fifo"]) as running,
    ):
        list(running.lines(threading.Event(), 0.2))
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "-e x -- fifo" not in left
