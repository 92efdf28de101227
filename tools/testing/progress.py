"""How far a test run is, by what its runner has printed so far.

Owns the marks of pytest and unittest. Must not know how runs are started; what a run came to is
read elsewhere, and more surely.
"""

from __future__ import annotations

import re

_DOTS = re.compile(r"^(?:\S+\.py )?([.FEsxX]+)(?: +\[ *\d+%\])?$", re.MULTILINE)
"""pytest: a mark for each test."""
_WORDS = re.compile(r" \.\.\. (?:(ok)|FAIL|ERROR)$", re.MULTILINE)
"""unittest with `-v`: a line for each."""


def so_far(printed: str) -> str:
    """`12 passed, 1 failed`; empty where that cannot be told."""
    marks = "".join(_DOTS.findall(printed))
    ends = _WORDS.findall(printed)
    passed = marks.count(".") + sum(map(bool, ends))
    failed = marks.count("F") + marks.count("E") + len(ends) - sum(map(bool, ends))
    told = [f"{passed:,} passed"] if passed or failed else []
    return ", ".join([*told, f"{failed:,} failed"] if failed else told)
