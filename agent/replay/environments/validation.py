"""Whether an instance can be counted in an environment.

Owns the rule. Must not know how an environment grades.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from agent.replay.environments.base import Environment, Grade, Outcome
from agent.replay.instance import Instance, RepositoryTask
from tools.base import Cancel


@runtime_checkable
class Unpatched(Environment, Protocol):
    """An environment that can also grade what was left alone."""

    def unpatched(self, instance: Instance, cancel: Cancel) -> Grade:
        """Run the tests in a tree that nothing was changed in.

        Raises:
            Unavailable, Cancelled: As `grade`.
        """
        ...


def validate(environment: Environment, instance: Instance, cancel: Cancel) -> str:
    """Why an instance is unfit here, in one line; empty: it is fit.

    Raises:
        Unavailable: It cannot be found out.
        Cancelled: `cancel` was set.
    """
    if not isinstance(instance.task, RepositoryTask) or not isinstance(environment, Unpatched):
        raise TypeError(f"{instance.id} is no task of a repository")
    gold = environment.grade(instance, instance.task.patch, cancel)
    if gold.outcome is not Outcome.RESOLVED:
        return f"its gold patch does not resolve it here: {explained(gold)}"
    if environment.unpatched(instance, cancel).outcome is Outcome.RESOLVED:
        return "its tests pass here without a patch"
    return ""


def explained(grade: Grade) -> str:
    """Why a patch counts as it does, in a few words."""
    failed = [
        name for tests in (grade.fail_to_pass, grade.pass_to_pass) for name, ok in tests.items()
        if not ok
    ]  # fmt: skip
    if not failed:
        return f"{grade.outcome}{f', {grade.infrastructure}' if grade.infrastructure else ''}"
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{failed[0]}{more} failed"
