"""The real command in a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = Path(sys.executable).with_name("agent")
LAUNCH = (
    f"import sys; sys.path.append({str(ROOT)!r}); import parity_launcher; parity_launcher.main()"
)
COMMAND = (
    (str(INSTALLED),) if INSTALLED.is_file() else (sys.executable, "-P", "-c", LAUNCH)
)  # fmt: skip
PATIENCE = 90.0
"""Seconds after which a command that does not end, or does not say what it should, has failed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What a command that failed says: one line."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line


@dataclass(slots=True)
class Running:
    """A command at work; what it writes is read as it comes."""

    process: subprocess.Popen[bytes]
    out: list[bytes] = field(default_factory=list)
    err: list[bytes] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, kept in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            assert stream is not None
            reader = threading.Thread(target=_read, args=(stream, kept), daemon=True)
            reader.start()
            self._readers.append(reader)

    def until(self, text: str, times: int = 1) -> None:
        """Wait until it has written a text."""

        def written() -> bool:
            told = _text(self.out) + _text(self.err)
            assert told.count(text) >= times or self.process.poll() is None, told
            return told.count(text) >= times

        wait_for(written)

    def children(self) -> tuple[int, ...]:
        """Its child processes."""
        return children_of(self.process.pid)

    def end(self) -> Ended:
        """Wait for its end."""
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return Ended(self.process.returncode, _text(self.out), _text(self.err))


@dataclass(frozen=True, slots=True)
class Agent:
    """The command, with folders of its own for what it keeps."""

    home: Path
    environ: Mapping[str, str]
    started: list[Running] = field(default_factory=list)
    yes: bool = True
    """Whether `fix` gets `--yes`: then a test holds on machines without a sandbox too."""

    def run(self, *argv: str | Path, cwd: Path, stdin: str = "", **environ: str) -> Ended:
        """Run it to its end."""
        done = subprocess.run(
            [*COMMAND, *self._complete(argv)],
            cwd=cwd,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *argv: str | Path, cwd: Path) -> Running:
        """Start it."""
        process = subprocess.Popen(
            [*COMMAND, *self._complete(argv)],
            cwd=cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(Running(process))
        return self.started[-1]

    def _complete(self, argv: Sequence[str | Path]) -> list[str | Path]:
        return [*argv, "--yes"] if self.yes and argv[:1] == ("fix",) else [*argv]

    def script(self, text: str) -> str:
        """The name of a model that plays these steps."""
        path = self.home / f"script_{len(list(self.home.iterdir()))}.toml"
        path.write_text(text, encoding="utf-8")
        return f"scripted:{path}"


def heard(keyboard: int) -> bytearray:
    """All that is written to a terminal, as it comes."""
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(keyboard, 65536):
                shown.extend(piece)
        except OSError:  # EIO: who wrote has ended
            pass

    threading.Thread(target=read, daemon=True).start()
    return shown


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def processes() -> list[tuple[int, int, str]]:
    """Every process of this machine: its id, its parent's id, its state in one letter."""
    ps = shutil.which("ps")
    if ps is None:
        pytest.skip("needs ps")
    listed = subprocess.run(
        [ps, "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return [(int(pid), int(parent), state[0]) for pid, parent, state in rows]


def children_of(pid: int) -> tuple[int, ...]:
    """A process's child processes, but for those that only wait to be reaped."""
    return tuple(child for child, parent, state in processes() if parent == pid and state != "Z")


def alive(pid: int) -> bool:
    """Whether a process is still at work: not gone, and not merely waiting to be reaped."""
    return any(pid == known and state != "Z" for known, _, state in processes())


def _read(stream: IO[bytes], kept: list[bytes]) -> None:
    with stream:
        while piece := os.read(stream.fileno(), 65536):
            kept.append(piece)


def _text(pieces: Sequence[bytes]) -> str:
    return b"".join(pieces).decode("utf-8", "backslashreplace")
