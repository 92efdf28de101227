"""What every tier of the sandbox is to those who start programs in it, and the tier that is none.

Owns the contract. Must not know how any tier keeps it, nor what a program is run for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Tier(StrEnum):
    """What keeps a command in, the strongest first."""

    BUBBLEWRAP = "bubblewrap"
    """Namespaces of its own: mounts, processes, network."""
    LANDLOCK = "landlock"
    """The kernel refuses files, and calls that reach the network."""
    SEATBELT = "seatbelt"
    """macOS: `sandbox-exec` with a profile."""
    NONE = "none"
    """A command may do what the user may."""


class Launch:
    """A program as it is really started, and what its process tells afterwards.

    This one starts the program itself; a tier changes what it needs to.
    """

    contained = False
    """Whether all that the program starts ends with the process that was started for it."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.argv = tuple(argv)
        self.cwd = cwd
        self.env = env
        self.descriptors: tuple[int, ...] = ()
        """What the process inherits besides its standard streams."""

    def begun(self) -> None:
        """The process has been started, or could not be."""

    def group(self, pid: int) -> int:
        """The process group of the program, when `pid` is the process that was started."""
        return pid

    def code(self, code: int, output: str) -> int:
        """The program's own exit code, negative for a signal.

        Args:
            code: Of the process that was started.
            output: What it wrote, which says why it may not have got as far as the program.

        Raises:
            ToolError: The program was never started.
        """
        return code

    def settle(self) -> None:
        """Wait until all that ends with the process, which has ended, is gone."""


class Sandbox(Protocol):
    """How the commands of one workspace are run."""

    @property
    def tier(self) -> Tier: ...

    @property
    def holds(self) -> bool:
        """Whether it is as strong as this system's can be, so that commands need not ask."""
        ...

    @property
    def promise(self) -> str:
        """What it holds, and what it does not, in one line for the user."""
        ...

    @property
    def weaker(self) -> str:
        """Why no stronger tier is in use, and how to mend that; empty when there is none."""
        ...

    def launch(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        network: bool = False,
        writable: Sequence[Path] = (),
    ) -> AbstractContextManager[Launch]:
        """Prepare one command; what was prepared is taken away when the block is left.

        Args:
            cwd: Beneath the workspace.
            env: All that the program gets to see.
            network: Whether it may use the network.
            writable: Folders it may write to besides the workspace.

        Raises:
            ToolError: The program is not there or, at the end, did what had to be taken back.
        """
        ...


@dataclass(frozen=True, slots=True)
class NoSandbox:
    """Commands run as they are."""

    weaker: str = ""
    tier: Tier = Tier.NONE
    holds: bool = False
    promise: str = "commands can read, write and reach whatever you can"

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
        yield Launch(argv, cwd, env)


@dataclass(frozen=True, slots=True)
class Furnished:
    """A sandbox whose commands find more in their environment."""

    inner: Sandbox
    variables: Mapping[str, str]

    @property
    def tier(self) -> Tier:
        return self.inner.tier

    @property
    def holds(self) -> bool:
        return self.inner.holds

    @property
    def promise(self) -> str:
        return self.inner.promise

    @property
    def weaker(self) -> str:
        return self.inner.weaker

    def launch(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        network: bool = False,
        writable: Sequence[Path] = (),
    ) -> AbstractContextManager[Launch]:
        found = {**env, **self.variables}
        return self.inner.launch(argv, cwd, found, network=network, writable=writable)


UNCONFINED: Sandbox = NoSandbox()
