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
    ├── KeyRefused          the service does not accept the key, or there is none
    ├── Unreachable         nothing answers at the address (transient)
    ├── Overloaded          the service asks to wait (transient, with `retry_after`)
    ├── ServiceFailed       the service broke off or reports a fault of its own (transient)
    └── ServiceSilent       the service stopped answering (transient)
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What every command ends with."""

    VERIFIED = 0
    """Done; for `agent fix`, a test that failed passes and none that passed fails."""
    FAILED = 1
    """The tests still fail, or the agent gave up."""
    BAD_INPUT = 2
    """A path, an option or a configuration value cannot be used."""
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

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the service asked to wait before the next try; None if it named none."""


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


class KeyRefused(ModelError):
    """The service does not accept the key, or wants one and got none."""


class Unreachable(ModelError):
    """Nothing answers at the service's address."""

    transient = True


class Overloaded(ModelError):
    """The service is busy, still loading or counts too many requests: it asks to wait."""

    transient = True


class ServiceFailed(ModelError):
    """The service reports a fault of its own, or ended an answer before its end."""

    transient = True


class ServiceSilent(ModelError):
    """The service gave no sign of life for too long and was left."""

    transient = True
