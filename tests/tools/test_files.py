"""Reading and writing whole files."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tools.base import ToolResult
from tools.errors import ToolError
from tools.files import (
    MAX_CHARACTERS,
    MAX_LINES,
    ReadArguments,
    ReadFile,
    WriteArguments,
    WriteFile,
)
from tools.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def read(workspace: Workspace, path: str, start: int = 1, end: int | None = None) -> ToolResult:
    arguments = ReadArguments(path=path, start=start, end=end)
    return ReadFile(workspace).run(arguments, threading.Event())


def write(workspace: Workspace, path: str, content: str) -> ToolResult:
    arguments = WriteArguments(path=path, content=content)
    return WriteFile(workspace).run(arguments, threading.Event())


class TestRead:
    def test_lines_have_numbers(self, workspace: Workspace) -> None:
        (workspace.root / "a.py").write_bytes(b"def f():\r\n\r\n    return 1")
        result = read(workspace, "a.py")
        assert result.output == "1 def f():\n2\n3     return 1"
        assert result.display == "read a.py 1\N{EN DASH}3 of 3"

    def test_ranges(self, workspace: Workspace) -> None:
        (workspace.root / "a").write_text("".join(f"l{i}\n" for i in range(1, 11)))
        assert read(workspace, "a", 9).output == "9 l9\n10 l10\n[lines 9-10 of 10]"
        assert read(workspace, "a", 2, 3).output == "2 l2\n3 l3"
        assert read(workspace, "a", 10, 99).output == "10 l10"
        for start, end in ((11, None), (3, 2)):
            with pytest.raises(ToolError):
                read(workspace, "a", start, end)

    def test_long_files_are_cut_with_a_notice(self, workspace: Workspace) -> None:
        (workspace.root / "a").write_text("x\n" * 1312)
        result = read(workspace, "a")
        assert result.output.endswith("400 x\n[lines 1-400 of 1312; for more: start=401]")
        assert read(workspace, "a", 401, 1000).output.endswith(
            "[lines 401-800 of 1312; for more: start=801]"
        )
        assert result.display == f"read a 1\N{EN DASH}{MAX_LINES} of 1312"

    def test_wide_files_are_cut(self, workspace: Workspace) -> None:
        (workspace.root / "a").write_text(("y" * 500 + "\n") * 100)
        assert len(read(workspace, "a").output) < MAX_CHARACTERS + 100
        (workspace.root / "min.js").write_text("z" * 100_000)
        assert len(read(workspace, "min.js").output) < 1_100

    def test_form_feeds_and_such_do_not_end_lines(self, workspace: Workspace) -> None:
        (workspace.root / "a").write_text("1\x0c2\u2028\x1c\n3\n")
        assert read(workspace, "a").output == "1 1\x0c2\u2028\x1c\n2 3"

    def test_empty(self, workspace: Workspace) -> None:
        (workspace.root / "a").touch()
        assert read(workspace, "a").output == "(empty file)"

    def test_a_folder_is_listed(self, workspace: Workspace) -> None:
        for name in ("src/a.py", "src/deep/b.py", "src/deep/c.py", "top.md"):
            (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
            (workspace.root / name).touch()
        assert read(workspace, ".").output == "src/ (3 files)\ntop.md"
        assert read(workspace, "src/").output == "a.py\ndeep/ (2 files)"

    def test_a_display_has_no_control_characters(self, workspace: Workspace) -> None:
        (workspace.root / "a\n\x1b[2Jb").write_text("x\n")
        assert read(workspace, "a\n\x1b[2Jb").display.isprintable()


class TestWrite:
    def test_creates_with_parents_and_a_last_newline(self, workspace: Workspace) -> None:
        result = write(workspace, "new/a.py", "x = 1")
        assert (workspace.root / "new/a.py").read_bytes() == b"x = 1\n"
        assert (result.changed, result.display) == (("new/a.py",), "create new/a.py +1")

    def test_what_was_not_read_is_not_replaced(self, workspace: Workspace) -> None:
        (workspace.root / "a.py").write_text("x = 1\n")
        with pytest.raises(ToolError, match="read it first"):
            write(workspace, "a.py", "x = 2\n")
        read(workspace, "a.py")
        result = write(workspace, "a.py", "x = 2\n")
        assert result.display == "write a.py +1 \N{MINUS SIGN}1"

    def test_what_does_not_parse_is_not_written(self, workspace: Workspace) -> None:
        with pytest.raises(ToolError, match=r"line 2 of the new a\.py would not parse"):
            write(workspace, "a.py", "x = 1\ndef f(:\n")
        assert not (workspace.root / "a.py").exists()
        (workspace.root / "b.py").write_text("def f(:\n")
        read(workspace, "b.py")
        write(workspace, "b.py", "def g(:\n")
        assert (workspace.root / "b.py").read_text() == "def g(:\n"

    def test_line_endings_mark_and_encoding_stay(self, workspace: Workspace) -> None:
        (workspace.root / "a").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
        (workspace.root / "b").write_bytes(b"caf\xe9")
        read(workspace, "a")
        read(workspace, "b")
        write(workspace, "a", "a\nc")
        write(workspace, "b", "th\xe9")
        assert (workspace.root / "a").read_bytes() == b"\xef\xbb\xbfa\r\nc\r\n"
        assert (workspace.root / "b").read_bytes() == b"th\xe9"

    @pytest.mark.parametrize("content", ["a\0b", "half \ud800"])
    def test_what_is_no_text_is_refused(self, workspace: Workspace, content: str) -> None:
        with pytest.raises(ToolError):
            write(workspace, "a", content)
        assert workspace.files() == ()

    def test_no_change_and_left_out_parts_are_refused(self, workspace: Workspace) -> None:
        (workspace.root / "a.py").write_text("x = 1\ny = 2\n")
        read(workspace, "a.py")
        with pytest.raises(ToolError, match="Nothing to do"):
            write(workspace, "a.py", "x = 1\ny = 2\n")
        with pytest.raises(ToolError, match="whole file"):
            write(workspace, "a.py", "x = 3\n# ... rest of the code\n")
