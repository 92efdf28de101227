"""The tree of errors that end a command or a step, each with one line that says what to do.

AgentError
├── InputError              what the user gave cannot be used
├── ModelMissing            the model's weights are not on this machine
└── ModelError              the model could not answer
    ├── ModelFileError      the file is cut short, corrupt or not a model
    ├── ModelTooBig         it does not fit the memory there is
    ├── ContextOverflow     the request is longer than the model's window
    ├── WorkerDied          the model's process ended (transient)
    ├── WorkerSilent        the model's process stopped answering (transient)
    └── ServerError         a server did not answer as it should
        ├── RequestRefused      it takes no such request: 400, 413, 422
        ├── AccessRefused       the key is wrong, or may not do this: 401, 403
        ├── CreditSpent         nothing is left to pay with, or a spending limit is reached: 402
        ├── NoSuchModel         it does not have the model, or no longer: 404 (code 5)
        ├── AnswerRefused       the model declined to go on, or a filter stopped it
        ├── RateLimited         too much was asked in too short a time: 429 (transient)
        ├── ServerFailed        it is out of order, overloaded or not ready: 5xx, 529 (transient)
        ├── ServerSilent        it gave no sign of life for too long (transient)
        ├── Unreachable         nothing answers at its address (transient)
        └── ConnectionLost      the answer broke off (transient)
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from agent.models.base import Usage


class ExitCode(IntEnum):
    """What every command ends with."""

    VERIFIED = 0
    """Done; for `agent fix`, a test that failed passes and none that passed fails, or in plan mode
    there is a plan."""
    FAILED = 1
    """The tests still fail, or the agent gave up."""
    BAD_INPUT = 2
    """A path, an option or a configuration value cannot be used; or approval is needed, and there
    is nobody to ask and no `--yes`."""
    UNVERIFIED = 3
    """Changes were made, and there was nothing to verify them with."""
    LIMIT = 4
    """A limit (steps, tokens, seconds, dollars) was reached first."""
    MODEL_MISSING = 5
    """The model is not on this machine, or has no such name."""
    MODEL_FAILED = 6
    """The model is there and cannot be used: corrupt, too big, or its process keeps failing."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; the work so far is kept."""


class AgentError(Exception):
    """Base of all. `str(error)` is one line for the user."""

    exit_code = ExitCode.FAILED


class InputError(AgentError):
    """What the user gave cannot be used."""

    exit_code = ExitCode.BAD_INPUT


class ModelMissing(AgentError):
    """The model's weights are not on this machine, or the name is unknown."""

    exit_code = ExitCode.MODEL_MISSING


class ModelError(AgentError):
    """The model could not answer."""

    exit_code = ExitCode.MODEL_FAILED
    transient = False
    """Whether the same request may succeed when it is made again."""
    retries = 2
    """How often a transient error's request is made again."""
    usage: Usage | None = None
    """What the request took before it failed; None: nothing, or nobody told."""

    def having_taken(self, usage: Usage) -> Self:
        """The same error, of a request that took something."""
        self.usage = usage if usage.prompt or usage.output else None
        return self


class ModelFileError(ModelError):
    """The model's file is cut short, corrupt, or no model at all."""


class ModelTooBig(ModelError):
    """Weights, cache and buffers need more memory than there is."""


class ContextOverflow(ModelError):
    """The request and the answer's reserve are longer than the context window."""


class WorkerDied(ModelError):
    """The process that holds the model ended in the middle of its work."""

    transient = True


class WorkerSilent(ModelError):
    """The process that holds the model gave no sign of life for too long and was stopped."""

    transient = True


class ServerError(ModelError):
    """A server that was asked did not answer as it should."""

    retries = 3

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again; None if it did not say."""


class RequestRefused(ServerError):
    """The server does not take the request as it is, and never will."""


class AccessRefused(ServerError):
    """The key is missing, wrong or not allowed to do this."""


class CreditSpent(ServerError):
    """There is nothing left to pay with, or a limit on spending was reached."""


class NoSuchModel(ServerError):
    """The server does not have the model; it may have been retired."""

    exit_code = ExitCode.MODEL_MISSING


class AnswerRefused(ServerError):
    """The model declined to answer, or a filter stopped it."""


class RateLimited(ServerError):
    """More was asked than the account may ask in this time."""

    transient = True


class ServerFailed(ServerError):
    """The server is out of order, overloaded or still loading its model."""

    transient = True


class ServerSilent(ServerError):
    """The server gave no sign of life for too long."""

    transient = True
    retries = 1


class Unreachable(ServerError):
    """Nothing answers at the server's address."""

    transient = True


class ConnectionLost(ServerError):
    """The server's answer broke off before its end."""

    transient = True
