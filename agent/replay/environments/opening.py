"""From an instance to the kind of environment that it is worked on in.

Owns the choice. Must not know how any of them works.
"""

from __future__ import annotations

from contextlib import suppress

from agent import private
from agent.replay.environments.base import Environment
from agent.replay.environments.function import FunctionEnvironment
from agent.replay.instance import FunctionTask, Instance
from agent.replay.jobs import Where
from tools.base import Cancel


def open_environment(instance: Instance, where: Where) -> Environment:
    """The environment for an instance; nothing is made yet.

    Raises:
        Unavailable: This machine has nothing of this kind.
    """
    if isinstance(instance.task, FunctionTask):
        return FunctionEnvironment()
    # Only for tasks of a repository.
    if where.kind == "docker":
        from agent.replay.environments.docker import DockerEnvironment

        return DockerEnvironment(where.cache)
    from agent.replay.environments.local import LocalEnvironment

    return LocalEnvironment(where.cache, where.mirrors)


def unfit(instance: Instance, where: Where, cancel: Cancel) -> str:
    """Why an instance cannot be judged there, in one line; empty: it can.

    Raises:
        Unavailable: It cannot be found out.
        Cancelled: `cancel` was set.
    """
    environment = open_environment(instance, where)
    if isinstance(environment, FunctionEnvironment):
        return environment.validate(instance, cancel)
    # Only for tasks of a repository.
    from agent.replay.environments.local import LocalEnvironment
    from agent.replay.environments.validation import validate

    if not isinstance(environment, LocalEnvironment):
        return validate(environment, instance, cancel)
    mark = environment.mark(instance)
    if mark.exists():
        return ""
    why = validate(environment, instance, cancel)
    if not why:
        with suppress(OSError):  # it is found out again
            private.write(mark, b"")
    return why
