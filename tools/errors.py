"""How a tool's work ends without a result.

Must stay quick to import: whoever shows a text may meet them.
"""

from __future__ import annotations


class ToolError(Exception):
    """A tool could not do what was asked; the message tells the model what to do instead."""


class Cancelled(Exception):
    """The user interrupted while a tool was at work."""
