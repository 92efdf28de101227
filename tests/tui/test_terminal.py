"""What terminals really send, byte for byte."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from textual import events

from tui.terminal import Parser


def told(*data: str) -> list[str]:
    """Keys by their names, pasted texts in quotes."""
    parser = Parser()
    seen = []
    for piece in data:
        for message in parser.feed(piece):
            if isinstance(message, events.Key):
                seen.append(message.key)
            elif isinstance(message, events.Paste):
                seen.append(repr(message.text))
    return seen


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\r", "enter"),
        ("\n", "ctrl+j"),
        ("\x1b\r", "alt+enter"),  # most terminals
        ("\x1b[13;2u", "shift+enter"),  # kitty's protocol
        ("\x1b[13;3u", "alt+enter"),
        ("\x1b[13;5u", "ctrl+enter"),
        ("\x1b[27;2;13~", "shift+enter"),  # xterm's modifyOtherKeys
        ("\x1b[27;5;13~", "ctrl+enter"),
        ("\x1b[A", "up"),
        ("\x1b[Z", "shift+tab"),
        ("\x12", "ctrl+r"),
    ],
)
def test_keys(sent: str, key: str) -> None:
    assert told(sent) == [key]


def test_escapes_in_pasted_text_are_text() -> None:
    # The library reads what follows the ESC as keys, the Enter among them.
    text = "look\x1b[31m\r!rm -rf x\r"
    assert told(f"\x1b[200~{text}\x1b[201~") == [repr(text)]
    assert told(f"a\x1b[200~{text * 50}\x1b[201~b") == ["a", repr(text * 50), "b"]


def test_a_paste_comes_in_pieces_of_any_size() -> None:
    text = "one\rtwo\x1b[5~ three"
    sent = f"x\x1b[200~{text}\x1b[201~y\x1b[200~again\x1b[201~"
    whole = ["x", repr(text), "y", "'again'"]
    assert told(sent) == whole
    for size in (1, 2, 3, 5, 7):
        assert told(*(sent[at : at + size] for at in range(0, len(sent), size))) == whole


def test_an_empty_paste_is_one() -> None:
    assert told("\x1b[200~\x1b[201~z") == ["''", "z"]


def test_endless_pasted_text_takes_bounded_memory() -> None:
    pieces = ["\x1b[200~", *(["x" * (1 << 20)] * 6), "\x1b[201~", "q"]
    paste, key = told(*pieces)
    assert len(paste) <= (4 << 20) + 2
    assert key == "q"


def test_only_what_may_go_on_is_waited_for() -> None:
    parser = Parser()
    assert parser.patience is None
    list(parser.feed("a"))
    assert parser.patience is None
    list(parser.feed("\x1b"))
    assert parser.patience is not None
    time.sleep(parser.patience)
    (key,) = parser.tick()
    assert isinstance(key, events.Key)
    assert key.key == "escape"
    assert parser.patience is None


IDLE = """
from textual.widgets import TextArea
from tui.base import BaseApp
from pathlib import Path

class Idle(BaseApp):
    CSS_PATH = []
    def compose(self):
        yield TextArea("ready")

Idle(Path(), {}, {}).run()
"""


def switches(pid: int) -> int:
    """How often a thread of a process has waited for something."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_wakes_an_idle_screen(tmp_path: Path) -> None:
    main, other = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "PARITY_STATE": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", IDLE], stdin=other, stdout=other, stderr=other, env=environ
    ) as process:
        os.close(other)
        seen, end = b"", time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([main], [], [], 1.5)[0]:
                seen += os.read(main, 1 << 16)
            elif b"ready" in seen:  # and silent since
                break
        before = switches(process.pid)
        time.sleep(1.0)
        woken = switches(process.pid) - before
        os.write(main, b"\x11")  # Ctrl+Q
        while select.select([main], [], [], 10)[0]:
            try:
                os.read(main, 1 << 16)
            except OSError:  # its end
                break
        assert process.wait(10) == 0
    os.close(main)
    assert woken <= 2
