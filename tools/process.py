"""Running programs: one at a time, without a shell, in a clean environment, and surely ended.

Owns processes, their environment and their output. Must not know what a program is run for.

A process that leaves its group with `setsid` is not found again, but in a sandbox that contains
what it starts: there it ends with its namespace.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import ToolError
from tools.sandboxing.base import UNCONFINED, Launch, Sandbox, Tier
from tools.text_filter import printable

if TYPE_CHECKING:
    from tools.base import Cancel, Heard

_TICK = 0.03
"""Seconds between two looks at the clock and at `cancel`."""
_AFTER_CANCEL = 0.05
_AFTER_TIMEOUT = 0.4
_AFTER_EXIT = 0.1
"""Seconds a process group has after SIGTERM, before SIGKILL."""
_AFTER_INTERRUPT = 1.0
"""Seconds it has after another first signal, before SIGTERM: to write down where it was."""
_DRAIN = 0.05
"""Seconds to read what is left in the pipe when every process of the group is gone."""
_ENDLESS = 1_000_000
"""Bytes after which output that goes on though everything was killed is no longer read."""

_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TMPDIR",
    "VIRTUAL_ENV",
    "USER",
    "LOGNAME",
)
_FIXED = {
    "TERM": "dumb",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "PAGER": "cat",
}
_SECRET = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that was run to its end, or to its limit."""

    argv: tuple[str, ...]
    code: int | None
    """Exit code, negative for a signal; None: killed at the timeout or by `cancel`."""
    output: str
    """stdout and stderr as they came, head and tail if there was more than the limit."""
    seconds: float
    timed_out: bool = False
    truncated_bytes: int = 0
    """Bytes of output left out between head and tail."""

    @property
    def cancelled(self) -> bool:
        return self.code is None and not self.timed_out

    @property
    def ending(self) -> str:
        """How it ended, for a reader."""
        if self.timed_out:
            return f"killed: no end after {int(self.seconds)} s"
        if self.code is None:
            return "cancelled"
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


def is_secret_variable(name: str) -> bool:
    """Whether a variable of this name usually holds a key or a password."""
    return _SECRET.search(name) is not None


def clean_environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """What a program gets to see of our environment: no secrets, no colour, no prompts.

    Args:
        extra: Variables on top, passed as they are.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in _INHERITED or name.startswith("LC_")) and not is_secret_variable(name)
    }
    # A relative entry would let a repository put its own `git` before the real one.
    entries = [entry for entry in kept.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    kept["PATH"] = os.pathsep.join(entries) or os.defpath
    return {**kept, **_FIXED, **extra}


def system_program(name: str, root: Path) -> str | None:
    """The program that we may run outside the sandbox; not one that a command can have written."""
    for folder in system_path(root).split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found and not _lies_in(found, root):
            return found
    return None


def system_path(root: Path) -> str:
    """PATH without relative folders and those in the root: an environment there may be in use."""
    entries = filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    return os.pathsep.join(entry for entry in entries if not _lies_in(entry, root))


def _lies_in(path: str, root: Path) -> bool:
    """Whether a path leads into the root or through it; `/` holds all and keeps nothing out."""
    real = os.path.realpath(root)
    named = Path(os.path.abspath(path))
    inside = named.is_relative_to(root.absolute()) or named.is_relative_to(real)
    return real != "/" and (inside or Path(os.path.realpath(path)).is_relative_to(real))


def execute(
    argv: Sequence[str],
    cwd: Path,
    *,
    timeout: float,
    cancel: Cancel,
    env: Mapping[str, str] = {},
    limit: int = 16_000,
    first: signal.Signals = signal.SIGTERM,
    sandbox: Sandbox = UNCONFINED,
    network: bool = False,
    writable: Sequence[Path] = (),
    heard: Heard | None = None,
) -> Finished:
    """Run a program and everything it starts to the end.

    Whatever of its process group is left when it ends, at the timeout or when `cancel` is set,
    is killed. Never holds more than twice `limit` of its output.

    Args:
        timeout: Seconds.
        env: Variables on top of `clean_environment`.
        limit: Bytes of output to keep, half from the beginning and half from the end.
        first: What the group is sent first at the timeout; SIGTERM and SIGKILL follow.
        sandbox: What keeps it in.
        network: Whether the sandbox lets it use the network.
        writable: Folders that the sandbox lets it write to besides the workspace.
        heard: Is given the output as it comes.

    Raises:
        ToolError: The program cannot be started; the message names it.
    """
    started = time.monotonic()
    deadline = started + timeout
    if not cwd.is_dir():
        raise ToolError(f"There is no folder {cwd}.")
    env = clean_environment(env)
    if sandbox.tier is not Tier.NONE:
        _look_for(argv[0], cwd, env["PATH"])
    with sandbox.launch(argv, cwd, env, network=network, writable=writable) as launch:
        process = _start(launch, argv[0])
        output = _Output(process, limit, heard)
        timed_out = cancelled = False
        try:
            while process.poll() is None and not timed_out and not cancelled:
                output.pump(min(_TICK, max(0.0, deadline - time.monotonic())))
                cancelled = cancel.is_set()
                timed_out = not cancelled and time.monotonic() >= deadline
            # Known before the group is killed: a program that ended in time keeps its own code.
            code = process.poll()
            if code is not None:
                timed_out = cancelled = False
                _stop(process, launch, output, signal.SIGTERM, _AFTER_EXIT)
            elif cancelled:
                _stop(process, launch, output, signal.SIGTERM, _AFTER_CANCEL)
            else:
                if first is not signal.SIGTERM:
                    _stop(process, launch, output, first, _AFTER_INTERRUPT)
                _stop(process, launch, output, signal.SIGTERM, _AFTER_TIMEOUT)
        finally:
            _signal(process.pid, signal.SIGKILL)
            process.wait()
            launch.settle()
            output.drain(_DRAIN)
            output.close()
        if code is not None:
            code = launch.code(code, output.text())
    seconds = time.monotonic() - started
    return Finished(tuple(argv), code, output.text(), seconds, timed_out, output.left_out)


def _look_for(program: str, cwd: Path, path: str) -> None:
    """Complain of a program as starting it would: in a sandbox another one is started."""
    try:
        if "/" not in program:
            if not shutil.which(program, path=path):
                raise _missing(program, path)
        elif not (cwd / program).exists():
            raise _missing(program, path)
        elif not os.access(cwd / program, os.X_OK) or (cwd / program).is_dir():
            raise _unstartable(program, os.strerror(errno.EACCES))
    except ValueError as error:
        raise _unstartable(program, str(error)) from error


def _start(launch: Launch, program: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env=launch.env,
            pass_fds=launch.descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise _missing(program, launch.env["PATH"]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unstartable(program, reason) from error
    finally:
        launch.begun()


def _missing(program: str, path: str) -> ToolError:
    other = f"{program}3"
    hint = f" There is {other!r}." if shutil.which(other, path=path) else ""
    return ToolError(f"There is no program named {printable(program)!r} here.{hint}")


def _unstartable(program: str, reason: str) -> ToolError:
    return ToolError(f"{printable(program)!r} could not be started: {reason}.")


def _signal(group: int, number: signal.Signals | int) -> bool:
    """Whether there was still a process in the group to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: EPERM when only zombies are left
        return False
    return True


def _stop(
    process: subprocess.Popen[bytes],
    launch: Launch,
    output: _Output,
    number: signal.Signals,
    grace: float,
) -> None:
    """Signal the group and wait up to `grace` seconds until it is empty, reading its output."""
    end = time.monotonic() + grace
    if launch.contained and process.poll() is not None:
        return
    group = launch.group(process.pid)
    alive = _signal(group, number)
    while alive and time.monotonic() < end:
        output.pump(0.01)
        # Reaped, the leader no longer counts as a member of its group.
        over = process.poll() is not None and launch.contained
        alive = not over and _signal(group, 0)


class _Output:
    """The head and the tail of what comes out of a pipe."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        limit: int,
        heard: Heard | None = None,
    ) -> None:
        assert process.stdout is not None
        self._process = process
        self._heard = heard
        self._pipe = process.stdout
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._chunk = min(65_536, 2 * self._half)
        self._open = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self.left_out = 0
        """Bytes read and not kept."""

    def pump(self, seconds: float) -> None:
        """Read what there is, or wait up to `seconds` for it or for the process to end."""
        if self._open and not self._selector.select(seconds):
            return
        if not self._open:
            if self._process.poll() is not None:
                time.sleep(seconds)
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            return
        chunk = os.read(self._pipe.fileno(), self._chunk)
        if not chunk:
            self._open = False
            return
        if self._heard is not None:
            self._heard(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        extra = len(self._tail) - self._half
        if extra > 0:
            self.left_out += extra
            del self._tail[:extra]

    def drain(self, seconds: float) -> None:
        """Read until the pipe ends, says nothing for `seconds`, or shows that it never ends."""
        for _ in range(_ENDLESS // self._chunk):
            if not self._open or not self._selector.select(seconds):
                return
            self.pump(0)

    def close(self) -> None:
        self._selector.close()
        self._pipe.close()

    def text(self) -> str:
        if not self.left_out:
            return printable((self._head + self._tail).decode("utf-8", "replace"))
        # A character cut in two at the gap is dropped, not shown as damage.
        head = self._head.decode("utf-8", "replace").rstrip("\ufffd")
        tail = self._tail.decode("utf-8", "replace").lstrip("\ufffd")
        notice = f"\n[... {self.left_out:,} bytes left out ...]\n"
        return printable(head) + notice + printable(tail)
