"""Slips in an f-string: in the values that stand in it, and in how they are written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from tools.editing.mends import expressions
from tools.editing.mends.source import Change, Rank, Source
from tools.python_syntax import parsed

_FIELD = re.compile(rb"(?<!\{)\{([^\s{}:!][^{}:!]*)(![rsa])?(:[^{}]*)?\}")
_WRITTEN = (":02d", ":.2f")
"""How a number is written where it is left to itself."""
_NUMBER = re.compile(r"\d+(?=[a-z%]?$)")


def changes(node: ast.JoinedStr, source: Source) -> Iterator[Change]:
    """Those of one text. Before Python 3.12 the places of what stands in it are wrong."""
    start = source.start(node)
    for field in _FIELD.finditer(source.text(node).encode()):
        tree = parsed(field[1])
        if tree is None:
            continue
        inner = Source(field[1], tree, source.error, source.neighbours)
        at, end = start + field.start(1), start + field.end() - 1
        for part in ast.walk(tree):
            for change in expressions.changes(part, inner):
                yield replace(change, start=at + change.start, end=at + change.end)
        form = (field[3] or b"").decode()
        if not form:
            yield from (Change(Rank.USUAL, end, end, new) for new in _WRITTEN)
        if number := _NUMBER.search(form):
            for other in (int(number[0]) + 1, int(number[0]) - 1):
                text = f"{form[: number.start()]}{other}{form[number.end() :]}"
                yield Change(Rank.RARE, end - len(form), end, text)
