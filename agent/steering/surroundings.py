"""What a model is to know of a gap in the code: the issue, and what is before and behind it.

Must not know what belongs into the gap.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from agent.models.base import Gap

ISSUE, EARLIER = 2_500, 4_000
"""Characters of the issue, and of the code before a definition."""
BEHIND = 12
"""Lines of the code behind a gap."""


def issue(task: str) -> str:
    """The issue as a comment."""
    lines = fitting(task.splitlines(keepends=True), ISSUE)
    return "".join(f"# {line}" for line in lines).rstrip() + "\n\n\n"


def gap(
    known: str, path: str, lines: Sequence[str], start: int, first: int, end: int, piece: str
) -> Gap:
    """The gap that lines of a file leave. What stands before it is the same for all of one
    definition, so that it is read once.

    Args:
        known: What stands before the file.
        lines: Of the file, with their ends.
        start: Where the definition begins, counted from 0.
        first: Where the gap begins.
        end: The line behind it.
        piece: What is in it; what its first line has before that stays.
    """
    earlier = fitting(lines[start - 1 :: -1] if start else (), EARLIER)
    text = "".join(lines[first:end])
    margin = text[: len(text) - len(text.lstrip(" \t"))] if piece[:1].strip() else ""
    before = "".join((*reversed(earlier), *lines[start:first]))
    behind = "".join(lines[end : end + BEHIND])
    return Gap(f"{known}# {path}\n{before}{margin}", piece, f"\n{behind}")


def fitting(parts: Sequence[str], room: int) -> list[str]:
    """The first of these that have room for so many characters."""
    sizes = itertools.accumulate(map(len, parts))
    return [part for part, size in zip(parts, sizes, strict=True) if size <= room]
