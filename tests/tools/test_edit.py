"""Exact text replaced in real files."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import pytest

from tools.action import FileChange
from tools.base import ToolResult, unheard
from tools.edit import Edit, EditArguments
from tools.errors import ToolError
from tools.workspace import Workspace

SOURCE = """def mean(xs):
    total = sum(xs)
    return total


def median(xs):
    xs = sorted(xs)
    return xs[len(xs) // 2]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "a.py").write_text(SOURCE)
    return Workspace(tmp_path)


def edit(workspace: Workspace, path: str, old: str, new: str) -> ToolResult:
    arguments = EditArguments(path=path, old=old, new=new)
    return Edit(workspace).run(arguments, threading.Event())


def test_replaces_what_occurs_once(workspace: Workspace) -> None:
    result = edit(
        workspace, "a.py", "    return total\n", "    n = len(xs)\n    return total / n\n"
    )
    assert (workspace.root / "a.py").read_text() == SOURCE.replace(
        "    return total\n", "    n = len(xs)\n    return total / n\n"
    )
    assert result.output == (
        "Changed a.py, lines 3-4:\n1 def mean(xs):\n2     total = sum(xs)\n"
        "3     n = len(xs)\n4     return total / n\n5\n6"
    )
    assert result.display == "edit a.py +2 \N{MINUS SIGN}1"
    assert result.changed == ("a.py",)


def test_a_proposal_shows_the_change_and_writes_only_what_it_showed(workspace: Workspace) -> None:
    arguments = EditArguments(path="a.py", old="sum(xs)", new="sum(xs, 0)")
    proposal = Edit(workspace).propose(arguments)
    change, file = proposal.action, workspace.root / "a.py"
    assert isinstance(change, FileChange)
    assert file.read_text() == SOURCE
    assert "-    total = sum(xs)\n+    total = sum(xs, 0)\n" in change.patch
    assert change.basis == hashlib.sha256(SOURCE.encode()).hexdigest()
    file.write_text(f"# mine\n{SOURCE}")
    with pytest.raises(ToolError, match="changed on disk"):
        proposal.carry_out(threading.Event(), unheard)
    assert file.read_text() == f"# mine\n{SOURCE}"
    file.write_text(SOURCE)
    assert proposal.carry_out(threading.Event(), unheard).changed == ("a.py",)
    assert "sum(xs, 0)" in file.read_text()


def test_a_deletion(workspace: Workspace) -> None:
    edit(workspace, "a.py", "    xs = sorted(xs)\n", "")
    assert "sorted" not in (workspace.root / "a.py").read_text()


@pytest.mark.parametrize("old", ["(xs)", "xs"])
def test_several_places_are_listed(workspace: Workspace, old: str) -> None:
    with pytest.raises(ToolError, match=r"occurs \d+ times in a\.py, at lines 1, 2, 6"):
        edit(workspace, "a.py", old, "x")


def test_overlapping_places_count(workspace: Workspace) -> None:
    (workspace.root / "b").write_text("aaa\n")
    with pytest.raises(ToolError, match="2 times"):
        edit(workspace, "b", "aa", "b")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    total = sum(xs)   \n    return total\t\n", "    return 0\n"),
        ("\n    total = sum(xs)\n    return total  \n\n", "\n    return 0\n\n"),
        ("    total = sum(xs)\r\n    return total\r\n", "    return 0\r\n"),
    ],
)
def test_line_endings_and_whitespace_at_ends_may_differ(
    workspace: Workspace, old: str, new: str
) -> None:
    edit(workspace, "a.py", old, new)
    assert (workspace.root / "a.py").read_text() == SOURCE.replace(
        "    total = sum(xs)\n    return total\n", "    return 0\n"
    )


def test_whitespace_at_ends_of_the_file_may_differ(workspace: Workspace) -> None:
    (workspace.root / "b").write_text("one  \n\t\ntwo \nthree")
    edit(workspace, "b", "one\n\ntwo", "1\n\n2")
    assert (workspace.root / "b").read_text() == "1\n\n2\nthree"


def test_a_near_miss_comes_back_with_numbers(workspace: Workspace) -> None:
    with pytest.raises(ToolError) as caught:
        edit(workspace, "a.py", "    xs = sort(xs)\n    return xs[len(xs) / 2]\n", "    pass\n")
    assert str(caught.value) == (
        "`old` is not in a.py. The nearest is lines 7-8; copy from there, without the numbers:\n"
        "7     xs = sorted(xs)\n8     return xs[len(xs) // 2]"
    )


def test_wrong_indentation_is_not_guessed(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="nearest is lines 2-3"):
        edit(workspace, "a.py", "total = sum(xs)\nreturn total\n", "return 0\n")


def test_copied_line_numbers_are_named(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="Leave out the line numbers"):
        edit(workspace, "a.py", "2     total = sum(xs)\n3     return total", "x")


def test_nothing_like_it(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="read the file"):
        edit(workspace, "a.py", "QQQ WWW", "x")


@pytest.mark.parametrize(("old", "new"), [("", "x"), (" \n", "x"), ("total", "total")])
def test_empty_and_equal_texts(workspace: Workspace, old: str, new: str) -> None:
    with pytest.raises(ToolError):
        edit(workspace, "a.py", old, new)


def test_what_would_not_parse_is_refused_with_the_line(workspace: Workspace) -> None:
    with pytest.raises(ToolError) as caught:
        edit(workspace, "a.py", "return total", "return (total")
    assert "line 3 of the new a.py would not parse" in str(caught.value)
    assert "3     return (total" in str(caught.value)
    assert (workspace.root / "a.py").read_text() == SOURCE
    (workspace.root / "b.py").write_text("def f(:\n    return 1\n")
    edit(workspace, "b.py", "1", "2")  # it did not parse before either


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nold\r\nb", b"a\r\nnew\r\nlines\r\nb"),
        (b"\xef\xbb\xbfold\n", b"\xef\xbb\xbfnew\nlines\n"),
        (b"caf\xe9\nold", b"caf\xe9\nnew\nlines"),
        (b"a\r\nb\nold\r\nc\n\x0c\r\n", b"a\r\nb\nnew\r\nlines\r\nc\n\x0c\r\n"),
        (b"a\nb\r\nold\nc\n", b"a\nb\r\nnew\nlines\nc\n"),
        (b"\rold\r\r\nc\n", b"\rnew\nlines\r\r\nc\n"),
    ],
)
def test_every_other_byte_stays(workspace: Workspace, before: bytes, after: bytes) -> None:
    (workspace.root / "b").write_bytes(before)
    edit(workspace, "b", "old", "new\nlines")
    assert (workspace.root / "b").read_bytes() == after


def test_a_file_that_changed_since_it_was_read(workspace: Workspace) -> None:
    workspace.read("a.py")
    (workspace.root / "a.py").write_text(SOURCE + "x = 1\n")
    with pytest.raises(ToolError, match="changed on disk"):
        edit(workspace, "a.py", "return total", "return 1")


def test_a_near_miss_in_a_long_file_is_found_quickly(workspace: Workspace) -> None:
    lines = [f"    value_{i} = compute({i}, other[{i}])\n" for i in range(10_000)]
    (workspace.root / "long.txt").write_text("".join(lines))
    began = time.monotonic()
    with pytest.raises(ToolError, match="nearest is lines 7001-7002"):
        edit(
            workspace,
            "long.txt",
            "value_7000 = compute(7000, others[7000])\nvalue_7001 = compute(7001)",
            "x",
        )
    assert time.monotonic() - began < 5
