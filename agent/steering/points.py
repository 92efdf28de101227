"""The points of an issue that lists several: a test often shows one of them alone.

Owns how they are told apart, and which of them are open. Must not know how one is seen to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from textwrap import dedent

from agent.steering.snippets import FENCE, LONGEST, snippets
from agent.steering.suspects import Key, functions
from tools.outline import Index
from tools.syntax import symbols
from tools.workspace import Change

MOST = 5
"""Points that are seen to; a longer list is a list of something else."""
LEAD = 400
"""Characters that stand before the list; of more the first line is enough."""
_ITEM = re.compile(r"( {0,3})(?:\d{1,2}[.)]|\(\d{1,2}\)|[-*+])\s+(?=[^\s*-])")
_WISH = re.compile(
    r"\b(?:expect|should|instead|wrong|crash|fail|error|(?:return|give|print|show|say|tell)s)",
    re.IGNORECASE,
)
"""By which what is to be otherwise is told from a step that leads there."""
_KEPT = re.compile(r"\b(?:not change|unchanged|stay|remain|keep)", re.IGNORECASE)
_CODE = re.compile(r"`([^`\n]+)`|\b(\w+)\(")


@dataclass(frozen=True, slots=True)
class Point:
    """One of several things that an issue asks for."""

    lead: str
    """What stands before the list."""
    text: str

    @property
    def task(self) -> str:
        """The point as an issue of its own, without code that is about others."""
        lead = self.lead
        if len(lead) > LEAD or snippets(lead):
            lead = lead.partition("\n")[0][:LEAD]
        return self.text if snippets(lead) else f"{lead}\n\n{self.text}".strip()

    def is_open(self, index: Index, seen: Collection[Key]) -> bool:
        """Whether it asks for something and names functions or their class, none of which was
        seen to.

        Args:
            index: Of the workspace as it is.
            seen: What was changed, and what the tests call that failed.
        """
        code = " ".join(quoted or called for quoted, called in _CODE.findall(self.text))
        words = set(re.findall(r"\w+", code))
        if not words or not _WISH.search(self.text) or _KEPT.search(self.text):
            return False
        there = [(path, symbol.name) for path, symbol in functions(index)]
        named = {key for key in there if key[1].rpartition(".")[2] in words}
        named = named or {key for key in there if words & set(key[1].split("."))}
        return bool(named) and named.isdisjoint(seen)


def points(task: str) -> tuple[Point, ...]:
    """What the first list of several in an issue holds; nothing if there is none."""
    lead: list[str] = []
    items: list[list[str]] = []
    fence, margin = "", 0
    for line in task[:LONGEST].splitlines():
        mark = None if fence else _ITEM.match(line)
        if fence:
            fence = "" if line.lstrip().startswith(fence) else fence
        elif match := FENCE.match(line):
            fence = match[1]
        elif items and line[:1].strip() and not mark and not items[-1][-1].strip():
            if len(items) > 1:
                break  # a paragraph at the margin
            lead += ["", *items.pop()]
        if mark and (not items or len(mark[1]) <= margin):
            margin = len(mark[1]) if not items else margin
            items.append([" " * mark.end() + line[mark.end() :]])
        else:
            (items[-1] if items else lead).append(line)
    if not 1 < len(items) <= MOST:
        return ()
    before = "\n".join(lead).strip()
    return tuple(Point(before, dedent("\n".join(item)).strip()) for item in items)


def changed(changes: Iterable[Change]) -> set[Key]:
    """The definitions that are not what they were."""
    found: set[Key] = set()
    for change in changes:
        before, after = (_texts(change.path, data or b"") for data in (change.before, change.after))
        found |= {(change.path, name) for name, _ in before ^ after}
    return found


def _texts(path: str, data: bytes) -> set[tuple[str, bytes]]:
    return {(symbol.name, data[symbol.start : symbol.end]) for symbol in symbols(path, data)}
