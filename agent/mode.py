"""The modes: what happens without a question.

Must stay quick to import: a session is wanted in one before anything of it is loaded.
"""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What happens without a question."""

    PLAN = "plan"
    """Nothing is changed or run; the model reads and describes what it would do."""
    ASK = "ask"
    """Edits and commands ask."""
    EDIT = "edit"
    """Edits are free, commands ask."""
    AUTO = "auto"
    """Edits are free, and commands in a sandbox that holds."""
