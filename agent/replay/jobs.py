"""What a run hands to the processes that work for it, and what they tell of it meanwhile.

Owns the values alone. Must not know who carries a job out, nor where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.models.base import Steering
from agent.replay.instance import Instance


class Phase(StrEnum):
    """How far a job is."""

    ENVIRONMENT = "environment"
    """Its work tree and what it needs are made."""
    WORK = "work"
    """The model is at work."""
    TESTS = "tests"
    """Its patch is graded."""


@dataclass(frozen=True, slots=True)
class Where:
    """How environments are made."""

    kind: str = "local"
    """`local` or `docker`, for tasks of a repository."""
    cache: Path = Path()
    """Where clones, environments and trees are kept from run to run."""
    mirrors: tuple[Path, ...] = ()
    """Folders with the user's clones."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One attempt at an instance; without a model, finding out whether the instance is fit."""

    instance: Instance
    output: Path
    """The run's folder."""
    where: Where
    model: str = ""
    number: int = 1
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the session, as options give them."""
    steering: Steering | None = None
    """Who takes the steps; None: as suits the model."""
    timeout: float = 3600.0
    """Seconds after which it is ended, whatever it does."""
    rationed: bool = False
    """Whether its limits are lower than asked for, as the rest of what the run may cost."""
    hints: bool = False
    """Whether the model is told what was said of the issue before the fix."""
    local: bool = False
    """Whether its model fills this machine's memory: few such jobs are done at a time, and who did
    one keeps the model for the next."""

    @property
    def name(self) -> str:
        """For the user."""
        more = f" ({self.number})" if self.number > 1 else ""
        return f"{self.instance.id}: {self.model or 'is it fit?'}{more}"


@dataclass(frozen=True, slots=True)
class Began:
    """A job has a process."""

    pid: int
    """Of it and of its process group."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands."""

    phase: Phase
    steps: int = 0
    tokens: int = 0
    """Read and written; what a cache held is not counted."""
    dollars: float = 0.0
    """As far as they are known."""
    doing: str = ""
    """What it does just now, in one line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job has ended."""

    code: int
    """Of its process, negative for a signal; 0: its result is in the run's folder."""
    why: str = ""
    """What else is known of a failure, in a few words."""


STOPPED = 75
"""The exit code of a job that was told to stop and kept no result: it is done again."""
