"""The strongest tier: namespaces made by bubblewrap.

Owns bubblewrap's command line and what it reports. Must not know how a place came to be hidden,
shown or protected.

Whatever a command starts lives in a process namespace whose first process dies with bubblewrap,
which dies with us; so nothing outlives it, whatever session it moved to.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tools.errors import ToolError
from tools.sandboxing.base import Launch, Tier
from tools.sandboxing.placeholders import guarded_link, placeholder
from tools.sandboxing.policy import Policy
from tools.sandboxing.scan import Scan
from tools.text_filter import printable

_FIXED = (
    *("--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
)
_TEMPORARY = Path("/tmp")
"""Where a command finds its folder for temporary files, empty and its own."""
_CRASHES = frozenset({4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 24, 25, 31})
"""Signals that 128 and more are taken for: bubblewrap tells codes and signals in one number. Not
SIGHUP, for git ends with 129 of its own accord, and not SIGINT."""
_SETTLING = 2.0
"""Seconds that the kernel may take to end what was in the namespace."""


class Bubblewrap:
    """Commands see the system, not the user's home, and write to the workspace alone."""

    tier = Tier.BUBBLEWRAP
    holds = True

    def __init__(self, program: str, policy: Policy, weaker: str = "") -> None:
        self.weaker = weaker
        self._program = program
        self._policy = policy
        self._scan = Scan(policy.root)

    @property
    def promise(self) -> str:
        hidden = "private folders of the home" if self._policy.holds_home else "home"
        kept = ".git, .agent and virtual environments read-only"
        return f"no network; {hidden}, /run, /tmp and .env hidden; {kept}"

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
            for path in self._policy.protected:
                guard = guarded_link if path.is_symlink() else placeholder
                stack.enter_context(guard(path))
            mounts = self._mounts([path.resolve() for path in writable], network)
            status, report = os.pipe()
            launch = _Contained(
                [
                    *(self._program, *_FIXED, *(["--share-net"] if network else []), *mounts),
                    *("--chdir", str(cwd.resolve()), "--json-status-fd", str(report), "--", *argv),
                ],
                {**env, "TMPDIR": str(_TEMPORARY)},
                status,
                report,
            )
            stack.callback(launch.close)
            yield launch

    def _mounts(self, writable: Sequence[Path], network: bool) -> list[str]:
        policy = self._policy
        found = self._scan.look()
        mounts: dict[Path, tuple[str, ...]] = {}
        for path in policy.hidden:
            mounts[path] = _without(path)
        for path in (*policy.readable, *(_resolvers() if network else ())):
            mounts[path] = ("--ro-bind", str(path), str(path))
        for path in (*writable, policy.root):
            mounts[path] = ("--bind", str(path), str(path))
        for path in (*policy.protected, *found.repositories):
            if os.path.exists(path) and not path.is_symlink():
                mounts[path] = ("--ro-bind", str(path), str(path))
        for path in found.secrets:
            if self._is_seen(path) and not any(path.is_relative_to(ok) for ok in policy.asked):
                mounts[path] = _without(path)
        # What lies deeper comes later, on top of what it lies in.
        ordered = sorted(mounts.items(), key=lambda item: len(item[0].parts))
        # To the kernel's settings in /proc/sys, root needs no capability: it is their owner.
        kernel = ("--remount-ro", "/proc") if os.getuid() == 0 else ()
        return [*(word for _, words in ordered for word in words), *kernel]

    def _is_seen(self, path: Path) -> bool:
        """Whether a path that may lie outside the root is there for a command."""
        policy = self._policy
        shown = (policy.root, *policy.readable)
        around = (place for place in path.parents if place in shown or place in policy.hidden)
        return next(around, policy.root) not in policy.hidden


def _without(path: Path) -> tuple[str, ...]:
    """Nothing in the place of a folder, a device that cannot be opened in that of a file."""
    if path.is_dir():
        return ("--tmpfs", str(path))
    return ("--ro-bind", os.devnull, str(path))


def _resolvers() -> tuple[Path, ...]:
    """What names are looked up with, where it lies beneath /run."""
    real = Path("/etc/resolv.conf").resolve()
    return (real,) if real.is_file() and real.is_relative_to("/run") else ()


class _Contained(Launch):
    """A program in namespaces of its own, and what bubblewrap reports of it."""

    contained = True

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], status: int, report: int
    ) -> None:
        super().__init__(argv, Path("/"), env)
        self.descriptors = (report,)
        self._status = status
        os.set_blocking(status, False)
        self._told = b""

    def begun(self) -> None:
        self._close_report()

    def group(self, pid: int) -> int:
        """That of the namespace's first process, which itself heeds no signal but SIGKILL."""
        first = self._reported("child-pid")
        return pid if first is None else first

    def code(self, code: int, output: str) -> int:
        reported = self._reported("exit-code")
        if reported is None and code >= 0:
            lines = [line for line in output.splitlines() if line.startswith("bwrap: ")]
            reason = lines[-1].removeprefix("bwrap: ") if lines else f"bubblewrap ended with {code}"
            raise ToolError(f"The sandbox could not start the program: {printable(reason)}.")
        return 128 - code if code - 128 in _CRASHES else code

    def settle(self) -> None:
        first = self._reported("child-pid")
        if first is None:
            return
        with suppress(OSError):  # gone already
            process = os.pidfd_open(first)
            try:
                select.select([process], [], [], _SETTLING)
            finally:
                os.close(process)

    def close(self) -> None:
        self._close_report()
        os.close(self._status)

    def _close_report(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()

    def _reported(self, name: str) -> int | None:
        with suppress(BlockingIOError):
            while piece := os.read(self._status, 4096):
                self._told += piece
        for line in self._told.splitlines():
            with suppress(ValueError):  # half of it has come
                value = json.loads(line).get(name)
                if isinstance(value, int):
                    return value
        return None
