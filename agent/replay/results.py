"""What one attempt at an instance came to: the values that statistics and reports are made of.

Owns the values alone; how they are kept on disk is the run's. Must not know who made them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from agent.costs import Cost
from agent.models.base import Usage
from agent.replay.environments.base import Grade


class Cause(StrEnum):
    """Why an attempt did not resolve its instance; the first that holds, in this order."""

    NONE = "resolved"
    INFRASTRUCTURE = "infrastructure"
    """The environment, the disk or the model's server failed; kept apart, says nothing of the
    model."""
    CONTEXT = "context"
    """The conversation did not fit the model's window."""
    OUT_OF_STEPS = "out of steps"
    """A limit of steps, tokens, dollars or seconds was reached."""
    MALFORMED = "malformed"
    """Its tool calls could not be read."""
    NO_PATCH = "no patch"
    """It ended without a change."""
    NOT_APPLIED = "patch does not apply"
    NOT_FOUND = "did not find the place"
    """None of the files that the gold patch changes was changed."""
    BROKE_OTHERS = "broke others"
    """All that should pass now does, and something that passed before does not."""
    TIMED_OUT = "tests timed out"
    WRONG_FIX = "wrong fix"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one model at one instance, ended."""

    instance: str
    model: str
    """As the user named it."""
    number: int
    """1 for the first attempt."""
    status: str
    """How the turn ended, as `agent.events.Status` has it; empty: it never began."""
    patch: str
    grade: Grade | None
    """None: it was not graded, `trouble` says why."""
    cause: Cause
    trouble: str = ""
    """One line: what went wrong beside the model."""
    steps: int = 0
    calls: int = 0
    malformed: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)
    seconds: float = 0.0
    """From the environment's first step to the verdict."""
    model_seconds: float = 0.0
    worked: tuple[tuple[float, float], ...] = ()
    """From when to when a local model answered, in seconds since the epoch."""
    tool_seconds: float = 0.0
    environment_seconds: float = 0.0
    """Making the work trees and the environments."""
    found: bool = False
    """Whether a file of the gold patch was read or changed."""
    edited: bool = False
    """Whether an edit of the model was ever applied."""
    tested: bool = False
    """Whether the model or the harness ran tests."""
    gold_files: int = 0
    """Files in the gold patch."""
    gold_lines: int = 0
    """Lines that the gold patch adds or removes."""
    started: str = ""
    """ISO 8601, UTC."""
    session: str = ""
    """The id of the session with its trajectory."""
    place: str = ""
    """The machine and its cards that a local model worked on."""
