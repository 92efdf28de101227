"""The points of an issue that lists several: a test often shows one of them alone.

Owns how they are told apart, and which of them are open. Must not know how one is seen to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from textwrap import dedent

from agent.steering.snippets import LONGEST
from agent.steering.suspects import Key
from tools.outline import Index
from tools.syntax import symbols
from tools.testing.find_tests import is_test_path
from tools.workspace import Change

MOST = 5
"""Points that are seen to; a longer list is a list of something else."""
LEAD = 400
"""Characters that stand before the list; of more the first line is enough."""
_ITEM = re.compile(r" {0,3}(?:\d{1,2}[.)]|\(\d{1,2}\)|[-*+])\s+(?=\S)")
_FENCE = re.compile(r" {0,6}(?:`{3,}|~{3,})")
_WISH = re.compile(
    r"\b(?:expect|should|must|want|wrong|instead|but|not|never|only|crash|fail|error"
    r"|(?:return|give|print|show|say|tell)s)|n't\b",
    re.IGNORECASE,
)
"""By which what is to be otherwise is told from a step that leads there."""
_CODE = re.compile(r"`([^`\n]+)`|\b(\w+)\(")


@dataclass(frozen=True, slots=True)
class Point:
    """One of several things that an issue asks for."""

    lead: str
    """What stands before the list."""
    text: str

    @property
    def task(self) -> str:
        return f"{self.lead}\n\n{self.text}".strip()

    def is_open(self, index: Index, seen: Collection[Key]) -> bool:
        """Whether it asks for something and names functions, none of which was seen to.

        Args:
            index: Of the workspace as it is.
            seen: What was changed, and what the tests call that failed.
        """
        code = " ".join(quoted or called for quoted, called in _CODE.findall(self.text))
        words = set(re.findall(r"\w+", code))
        named = {
            (path, symbol.name)
            for path in index.paths
            if not is_test_path(path)
            for symbol in index.symbols(path)
            if symbol.name.rpartition(".")[2] in words
        }
        return bool(named) and named.isdisjoint(seen) and _WISH.search(self.text) is not None


def points(task: str) -> tuple[Point, ...]:
    """What the list in an issue holds; nothing if there is no list of several."""
    lead: list[str] = []
    items: list[list[str]] = []
    fenced = ended = False
    for line in task[:LONGEST].splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        if not fenced and (mark := _ITEM.match(line)):
            items.append([" " * mark.end() + line[mark.end() :]])
            ended = False
            continue
        if not items:
            lead.append(line)
            continue
        # A paragraph at the margin is no part of the item before it.
        ended = ended or (line[:1].strip() != "" and not items[-1][-1].strip() and not fenced)
        if not ended:
            items[-1].append(line)
    before = "\n".join(lead).strip()
    if len(before) > LEAD:
        before = before.partition("\n")[0][:LEAD]
    if not 1 < len(items) <= MOST:
        return ()
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
