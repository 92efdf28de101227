from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest
from textual.message import Message

from tools.sandboxing.base import UNCONFINED
from tui.shell_lines import ShellEnded, ShellLines, ShellStarted, ShellWrote


class Lines:
    """Runs lines in a folder and hears of them."""

    def __init__(self, root: Path) -> None:
        self.heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.lines = ShellLines(self.heard.put)
        self._root = root

    def run(self, line: str, *, told: bool = True) -> bool:
        return self.lines.run(line, self._root, UNCONFINED, told=told)

    def end(self) -> tuple[str, ShellEnded]:
        """What was told while it ran, and its end."""
        wrote = line = ""
        while True:
            match self.heard.get(timeout=20):
                case ShellWrote(piece=piece):
                    assert len(piece.text) <= 64_000
                    wrote, line = wrote + piece.text, piece.line
                case ShellEnded() as ended:
                    return wrote + line, ended
                case ShellStarted():
                    pass


def test_a_line_runs_in_a_shell(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    assert lines.run("printf 'a b' | tr ' ' '\\n' > out; cat out; exit 3")
    wrote, ended = lines.end()
    assert (wrote, ended.code, ended.ending) == ("a\nb", 3, "exit code 3")
    assert (tmp_path / "out").read_text() == "a\nb"
    assert ended.note.startswith("I ran a command myself (exit code 3):\n\n$ printf")
    assert ended.note.endswith("\na\nb")


def test_its_output_is_told_while_it_runs(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    lines.run("echo early; sleep 30")
    seen = ""
    while "early" not in seen:
        message = lines.heard.get(timeout=20)
        seen += message.piece.text if isinstance(message, ShellWrote) else ""
    assert lines.lines.at_work
    assert not lines.run("echo second")
    assert lines.lines.stop()
    _, ended = lines.end()
    assert (ended.code, ended.ending) == (None, "stopped")
    assert not lines.lines.stop()
    assert lines.run("echo third")
    assert lines.end()[0] == "third\n"


def test_a_flood_is_bounded(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    lines.run("yes | head -c 30000000")
    wrote, ended = lines.end()
    assert len(wrote) < 5_000_000
    assert len(ended.output) < 70_000
    assert len(ended.note) < 4_200


def test_what_comes_at_once_is_told_whole(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"line {number}\n" for number in range(3_000)))
    lines = Lines(tmp_path)
    lines.run("cat long")
    wrote, _ = lines.end()
    assert wrote == (tmp_path / "long").read_text()


def test_secrets_are_not_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "sk-1234567890")
    lines = Lines(tmp_path)
    lines.run("env")
    assert "sk-1234567890" not in lines.end()[0]


def test_what_is_no_text_breaks_nothing(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    lines.run("printf '\\377\\376\\033[2Jx\\000'")
    _, ended = lines.end()
    assert "\x1b" not in ended.output
    assert "x" in ended.output


def test_stopping_takes_children_along(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    lines.run("(sleep 2; touch late) & echo on; wait")
    time.sleep(0.3)
    lines.lines.stop()
    lines.end()
    time.sleep(2.2)
    assert not (tmp_path / "late").exists()
