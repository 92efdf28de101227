"""Which symbol is meant by a name that a model wrote.

Owns the tolerance for such names and what is said when one is not found. Must not know edits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

from tools.errors import ToolError
from tools.syntax import Symbol

_KEYWORD = re.compile(r"^(?:(?:async|export|default|pub)\s+)*(?:def|class|func|fn|function)\s+")
_FEW = 15
"""Top-level names that are all listed when one was not found."""


def find(path: str, found: Sequence[Symbol], name: str) -> list[Symbol]:
    """The definitions with that name, several where a file defines it more than once.

    Args:
        name: Qualified, or not if that leaves no doubt.

    Raises:
        ToolError: There is none, or the name is ambiguous; it lists those that are near.
    """
    wanted = _KEYWORD.sub("", name.strip()).replace("::", ".").replace("#", ".")
    wanted = wanted.partition("(")[0].strip() if wanted != "(imports)" else wanted
    module, _, inner = wanted.partition(".")
    names = list(dict.fromkeys(symbol.name for symbol in found))
    if wanted not in names and module == PurePosixPath(path).stem and inner in names:
        wanted = inner
    if wanted not in names:
        same = [other for other in names if other.endswith(f".{wanted}")]
        if len(same) > 1:
            raise ToolError(f"{path} has several {wanted}: {', '.join(same)}. Name one of them.")
        if not same:
            raise ToolError(_not_found(path, names, wanted))
        wanted = same[0]
    return [symbol for symbol in found if symbol.name == wanted]


def _not_found(path: str, names: list[str], wanted: str) -> str:
    last = wanted.rpartition(".")[2]
    near = [*get_close_matches(wanted, names, 3)]
    near += [name for name in names if name.rpartition(".")[2].casefold() == last.casefold()]
    tails = get_close_matches(last, [name.rpartition(".")[2] for name in names], 3)
    near += [name for name in names if name.rpartition(".")[2] in tails]
    message = f"{path} does not define {wanted}."
    if near:
        message += f" Nearest: {', '.join(list(dict.fromkeys(near))[:5])}."
    top = [name for name in names if "." not in name]
    if not names:
        message += " It defines nothing."
    elif len(top) <= _FEW:
        message += f" It defines: {', '.join(top)}."
    return message
