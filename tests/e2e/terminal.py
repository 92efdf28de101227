"""A terminal for the real command, played by tmux: what it shows, is typed, and is left as."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.command import COMMAND, alive, wait_for

SHORT = 30.0
"""Seconds after which what should be on the screen is missed."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal with a server of its own, so that no other is touched."""

    socket: Path

    @classmethod
    def open(cls, folder: Path) -> Terminal:
        if shutil.which("tmux") is None:
            pytest.skip("needs tmux")
        return cls(folder / "tmux")

    def start(
        self,
        argv: Sequence[str],
        cwd: Path,
        environ: Mapping[str, str],
        size: tuple[int, int] = (100, 30),
    ) -> None:
        """Start the command; the terminal stays after its end, and shows its exit code."""
        columns, rows = size
        line = shlex.join([*COMMAND, *argv])
        shell = f"{line}; echo ENDED $?; stty -a | grep icanon; exec sleep 600"
        self._tmux(
            "new-session", "-d", "-s", "it", "-x", str(columns), "-y", str(rows), "-c", str(cwd),
            shell, environ=environ,
        )  # fmt: skip
        self._tmux("set-option", "-g", "focus-events", "on")

    def type(self, *keys: str) -> None:
        """Press keys by tmux's names; a text is typed letter by letter."""
        for key in keys:
            self._tmux("send-keys", "-t", "it", key)

    def write(self, text: str) -> None:
        """Type a text as it is."""
        self._tmux("send-keys", "-t", "it", "-l", text)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "it")

    def colours(self) -> str:
        """What is on the screen, with the sequences that colour it."""
        return self._tmux("capture-pane", "-e", "-p", "-t", "it")

    def until(self, text: str, seconds: float = SHORT) -> str:
        """Wait until the screen shows a text."""
        seen = ""

        def shows() -> bool:
            nonlocal seen
            seen = self.text()
            return text in seen

        try:
            wait_for(shows, seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} is not on the screen:\n{seen}") from None
        return seen

    def asks(self, variable: str) -> str:
        """A variable of tmux's about the terminal, such as `alternate_on`."""
        return self._tmux("display-message", "-p", "-t", "it", f"#{{{variable}}}").strip()

    @property
    def process(self) -> int:
        """The command's process."""
        shell = self.asks("pane_pid")
        found = subprocess.run(
            ["ps", "--ppid", shell, "-o", "pid="], capture_output=True, text=True, check=True
        )
        return int(found.stdout.split()[0])

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", "it", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """Close the terminal, as its user would: what runs in it is hung up."""
        tmux = ["tmux", "-S", str(self.socket)]
        told = subprocess.run([*tmux, "display-message", "-p", "#{pid}"], capture_output=True)
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
        if told.stdout.strip().isdigit():  # one that is still ending would refuse the next
            server = int(told.stdout)
            wait_for(lambda: not alive(server))

    def _tmux(self, *argv: str, environ: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", os.devnull, *argv],
            env={"TERM": "xterm-256color", "PATH": os.environ["PATH"], **(environ or {})},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
