"""Whether a request that failed is made again, and after how long.

Owns the one policy there is, for every kind of model. Must not know how anyone is asked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from agent.errors import ModelError, ServerError

FIRST = 0.5
"""Seconds before the first repetition; each further one waits twice as long."""
JITTER = 0.25
"""The share of a pause that is left to chance, so that clients do not return all at once."""
LONGEST = 60.0
"""The most seconds that a server may ask for; beyond that the user decides."""


@dataclass(slots=True)
class Patience:
    """What is left of it for one request."""

    failures: int = 0

    def pause(self, error: ModelError) -> float | None:
        """Seconds to wait before the request is made again; None to give up.

        A process of our own is started anew at once; a server is left alone for a while.
        """
        self.failures += 1
        if not error.transient or self.failures > error.retries:
            return None
        if not isinstance(error, ServerError):
            return 0.0
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= LONGEST else None
        doubled: float = FIRST * 2 ** (self.failures - 1)
        return doubled * (1 - JITTER * random.random())
