"""Calls that are made again and again: warned of, then ended.

Owns the count. Must not know what a tool does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from agent.messages import ToolCall
from tools.base import ToolResult

WARN_AFTER = 3
STOP_AFTER = 5


class Repeats:
    """Counts equal calls since the last new change, so that A-B-A-B is caught too."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._changes: set[str] = set()
        """The calls that changed files, so that changing to and fro counts as no progress."""

    def mark(self, call: ToolCall, result: ToolResult) -> ToolResult:
        """Count a call; its result, with a warning where it was made too often."""
        key = _key(call)
        if result.changed and key not in self._changes:
            self._calls.clear()
            self._changes.add(key)
        self._calls[key] += 1
        if self._calls[key] < WARN_AFTER:
            return result
        warning = f"You made this same call {self._calls[key]} times. Do something else."
        return replace(result, output=f"{result.output}\n{warning}")

    def too_many(self, call: ToolCall) -> bool:
        return self._calls[_key(call)] >= STOP_AFTER


def _key(call: ToolCall) -> str:
    return f"{call.name} {sorted(call.arguments.items())!r}"
