"""The weaker tier for Linux: a program that gave up its rights before it began.

Owns which places such a program is left. Must not know the system calls: `restrict.py` makes them.

Landlock only ever allows, and what it allows for a folder holds for all beneath it. So home is
hidden by allowing everything around it, and neither `.git` nor a file of secrets in the workspace
can be kept from a command.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.errors import ToolError
from tools.sandboxing.base import Launch, Tier
from tools.sandboxing.policy import Policy, other_home
from tools.text_filter import printable

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd")


class Landlock:
    """Commands read the system, not the user's home, and write to the workspace alone."""

    tier = Tier.LANDLOCK
    holds = False
    promise = (
        "no network; home, /run and /tmp unreadable; but .git, .agent, .venv and .env in the work "
        "tree are open to commands, and a process may outlive its command"
    )

    def __init__(self, policy: Policy, weaker: str = "") -> None:
        self.weaker = weaker
        self._policy = policy
        self._devices = [f"/dev/{name}" for name in _DEVICES]
        apart = {*policy.hidden, policy.root, Path("/dev")}
        self._readable = [*map(str, (*_around(Path("/"), apart), *policy.readable))]

    @contextmanager
    def launch(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        network: bool = False,
        writable: Sequence[Path] = (),
    ) -> Iterator[Launch]:
        with ExitStack() as stack:
            temporary = tempfile.mkdtemp(prefix="parity-run-")
            stack.callback(shutil.rmtree, temporary, ignore_errors=True)
            status, report = os.pipe()
            write = [*self._devices, temporary, *map(str, (self._policy.root, *writable))]
            numbers = (report, int(network), len(self._readable), len(write))
            helper = str(Path(__file__).with_name("restrict.py"))
            launch = _Restricted(
                [
                    *(sys.executable, "-I", "-S", helper, *map(str, numbers)),
                    *(*self._readable, *write, *argv),
                ],
                cwd,
                {**env, **other_home(Path(temporary)), "TMPDIR": temporary},
                status,
                report,
            )
            stack.callback(launch.close)
            yield launch


def _around(folder: Path, apart: Set[Path]) -> Iterator[Path]:
    """What there is beneath a folder, in as few places as possible, without those set apart."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink() or entry in apart:
            continue
        if any(place.is_relative_to(entry) for place in apart):
            yield from _around(entry, apart)
        else:
            yield entry


class _Restricted(Launch):
    """A program that a helper becomes; it is the process that was started."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], status: int, report: int
    ) -> None:
        super().__init__(argv, cwd, env)
        self.descriptors = (report,)
        self._status = status

    def begun(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()

    def code(self, code: int, output: str) -> int:
        # Closed by the program's start, so empty but for a failure before it.
        if reason := os.read(self._status, 4096).decode("utf-8", "replace"):
            raise ToolError(f"The sandbox could not start the program: {printable(reason)}.")
        return code

    def close(self) -> None:
        self.begun()
        os.close(self._status)
