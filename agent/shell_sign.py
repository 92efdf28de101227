"""How a line for a shell is written: behind a sign.

Owns the sign. Must not know how a line is run, and stay quick to import: a person's first frame
waits for it.
"""

from __future__ import annotations

SIGN = "!"
"""Begins a line for a shell; two of them keep it from the model."""


def read(text: str) -> tuple[str, bool]:
    """The line behind the sign, and whether the model is to know of it."""
    line = text.strip().removeprefix(SIGN)
    return line.removeprefix(SIGN).strip(), not line.startswith(SIGN)
