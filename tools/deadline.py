"""When work must end: the user's wish, or the time.

Owns the moment. Must not know what is under way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tools.base import Cancel


@dataclass(slots=True)
class Deadline:
    """Set when the user cancels or the time is up; a `Cancel` itself."""

    cancel: Cancel
    """The user's own flag."""
    at: float
    """As `time.monotonic` has it; infinity for no limit."""

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def is_set(self) -> bool:
        return self.cancel.is_set() or self.passed
