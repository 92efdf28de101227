"""Attempts to reckon with."""

from __future__ import annotations

from agent.replay.environments.base import Grade, Outcome
from agent.replay.results import Attempt, Cause


def attempt(
    instance: str = "one",
    model: str = "gold",
    number: int = 1,
    cause: Cause = Cause.NONE,
    **values: object,
) -> Attempt:
    """An attempt that came to this."""
    outcome = Outcome.RESOLVED if cause is Cause.NONE else Outcome.UNRESOLVED
    grade = Grade(outcome, {"test_a": cause is Cause.NONE}, log="1 passed\n")
    given = {"status": "unverified", "patch": "--- a\n+++ b\n", "grade": grade, **values}
    return Attempt(instance, model, number, cause=cause, **given)  # type: ignore[arg-type]
