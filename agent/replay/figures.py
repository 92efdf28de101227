"""What a session shows of an attempt, gathered event by event; why an attempt failed.

Owns the reading of events. Must not know who makes them, nor where results are kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from agent.events import (
    Event,
    Status,
    StepFinished,
    StepStarted,
    Switched,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from agent.models.base import Usage
from agent.replay.environments.base import Grade, Outcome
from agent.replay.jobs import Phase, Progress
from agent.replay.results import Cause

_LIMITS = (Status.STEP_LIMIT, Status.TOKEN_LIMIT, Status.TIME_LIMIT, Status.DOLLAR_LIMIT)
FAILING = (Status.MODEL_FAILED, Status.NO_MODEL, Status.CONTEXT_LIMIT)
"""Endings of a session whose model could not be asked any more: there is no answer to grade."""
_CHANGED = re.compile(r"^(?:\+\+\+|---) (?:[ab]/)?(.*?)\t?$", re.MULTILINE)
_RENAMED = re.compile(r"^rename (?:from|to) (.*)$", re.MULTILINE)
_TESTING = re.compile(r"\b(?:pytest|unittest|doctest|tox|nox|runtests)\b|bin/test\b|\btest_\w+\.py")


@dataclass(slots=True)
class Figures:
    """One session, as far as it has come."""

    gold: Collection[str]
    """The files that the gold patch changes."""
    counted: bool = True
    """Whether the tokens told are counted ones."""
    steps: int = 0
    calls: int = 0
    malformed: int = 0
    model_seconds: float = 0.0
    worked: list[tuple[float, float]] = field(default_factory=list)
    """From when to when a model answered whose energy is known."""
    tool_seconds: float = 0.0
    tokens: int = 0
    dollars: float = 0.0
    found: bool = False
    edited: bool = False
    tested: bool = False
    finished: TurnFinished | None = None
    doing: str = ""
    _usage: Usage = field(default_factory=Usage)

    def take(self, event: Event) -> bool:
        """Count an event; whether it is worth telling."""
        match event:
            case StepStarted(number):
                self.steps, self.doing = number, "asks the model"
            case StepFinished():
                self.calls += event.calls
                self.malformed += len(event.malformed)
                self.model_seconds += event.seconds
                if event.cost.sources:
                    now = time.time()
                    self.worked.append((round(now - event.seconds, 3), round(now, 3)))
                if self.counted:
                    self.tokens += event.usage.evaluated + event.usage.output
                self.dollars += (event.cost.api_usd or 0.0) + (event.cost.electricity_usd or 0.0)
            case ToolStarted(call):
                self.doing = call.name
            case ToolFinished():
                self._took(event)
                self.doing = event.result.display
            case Switched():
                self.doing = f"goes on with {event.model}"
            case TurnFinished():
                self.finished = event
            case _:
                return False
        return True

    def progress(self, phase: Phase = Phase.WORK) -> Progress:
        return Progress(phase, self.steps, self.tokens, self.dollars, self.doing)

    def _took(self, event: ToolFinished) -> None:
        call, result = event.call, event.result
        self.tool_seconds += event.seconds
        touched = {*result.changed, str(call.arguments.get("path", "")).removeprefix("./")}
        self.found = self.found or (result.ok and not touched.isdisjoint(self.gold))
        self.edited = self.edited or bool(result.changed)
        words = call.arguments.get("argv", ())
        line = words if isinstance(words, str) else " ".join(map(str, words))
        self.tested = self.tested or call.name == "run_tests" or bool(_TESTING.search(line))


def files_of(patch: str) -> frozenset[str]:
    """The files that a patch changes, makes, removes or moves."""
    named = {*_CHANGED.findall(patch), *_RENAMED.findall(patch)}
    return frozenset(named - {"/dev/null"})


def lines_of(patch: str) -> int:
    """Lines that a patch adds or removes."""
    lines = patch.splitlines()
    return sum(line[:1] in ("+", "-") and line[:4] not in ("+++ ", "--- ") for line in lines)


def cause_of(
    status: str, summary: str, patch: str, grade: Grade | None, figures: Figures
) -> tuple[Cause, str]:
    """Why an attempt did not resolve its instance, and what went wrong beside the model.

    Args:
        status: How the turn ended.
        summary: What the session says of that.
    """
    outcome = grade.outcome if grade is not None else None
    blamed = grade.infrastructure if grade is not None else ""
    cause, trouble = Cause.WRONG_FIX, ""
    if outcome is Outcome.RESOLVED:
        cause = Cause.NONE
    elif outcome is Outcome.INVALID and blamed:
        cause, trouble = Cause.INFRASTRUCTURE, blamed
    elif status == Status.CONTEXT_LIMIT:
        cause, trouble = Cause.CONTEXT, summary
    elif status in (Status.MODEL_FAILED, Status.NO_MODEL, Status.NOT_APPROVED):
        cause, trouble = Cause.INFRASTRUCTURE, summary
    elif status in _LIMITS:
        cause = Cause.OUT_OF_STEPS
    elif figures.malformed and not figures.edited:
        cause = Cause.MALFORMED
    elif not patch.strip():
        cause = Cause.NO_PATCH
    elif outcome is Outcome.UNAPPLIED:
        cause = Cause.NOT_APPLIED
    elif figures.gold and files_of(patch).isdisjoint(figures.gold):
        cause = Cause.NOT_FOUND
    elif outcome is Outcome.TIMEOUT:
        cause = Cause.TIMED_OUT
    elif (
        grade is not None
        and grade.fail_to_pass
        and all(grade.fail_to_pass.values())
        and not all(grade.pass_to_pass.values())
    ):
        cause = Cause.BROKE_OTHERS
    return cause, trouble
