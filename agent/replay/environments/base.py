"""The contract between a run and the places where instances are worked on.

Must not know any kind of environment, nor who writes the patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from agent.replay.instance import Instance
from tools.base import Cancel


class Unavailable(Exception):
    """An instance cannot be worked on here: one line that says why and what to do.

    A missing Python, a dead mirror, a wrong commit, a full disk, no container engine.
    """


class Outcome(StrEnum):
    """What the grading of a patch came to."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    EMPTY = "empty patch"
    UNAPPLIED = "patch does not apply"
    TIMEOUT = "tests timed out"
    INVALID = "invalid run"
    """The tests did not run to a result. A patch can be the reason: it is one that does not
    resolve, unless the grade names another."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one patch."""

    outcome: Outcome
    fail_to_pass: Mapping[str, bool] = field(default_factory=dict)
    """Test → whether it counts as passed."""
    pass_to_pass: Mapping[str, bool] = field(default_factory=dict)
    log: str = ""
    """What applying the patch and running the tests printed."""
    seconds: float = 0.0
    """Making the environment, applying the patch, running the tests."""
    infrastructure: str = ""
    """What of this machine the log of an invalid run blames, as `out of memory`; empty: nothing."""


@dataclass(frozen=True, slots=True)
class WorkTree:
    """Where the agent works on an instance: a git repository of one commit."""

    root: Path
    test_command: str
    """What the agent may run to test, empty for none. Never the tests it is graded by."""
    path: tuple[str, ...] = ()
    """Folders of programs that come first for what is run in the tree."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of what is run in the tree."""
    readable: tuple[Path, ...] = ()
    """Folders outside the tree that commands in it need to read."""


class Environment(Protocol):
    """One kind of place. Safe to be used by several workers at a time."""

    def work_tree(self, instance: Instance, cancel: Cancel) -> AbstractContextManager[WorkTree]:
        """A fresh tree for one attempt, removed at the end.

        Raises:
            Unavailable: It cannot be made here.
            Cancelled: `cancel` was set.
        """
        ...

    def grade(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        """Apply a patch to a tree of its own, run the tests, judge.

        Raises:
            Unavailable, Cancelled: As `work_tree`.
        """
        ...
