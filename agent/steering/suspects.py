"""Which definitions must probably change: what failing tests call, what the task speaks of.

Owns the order of suspicion. Must not know how code is shown or changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import sqrt

from tools.outline import Frame, Index, Ranked
from tools.syntax import Kind, Symbol
from tools.testing.find_tests import is_test_path
from tools.testing.reports import TestCase, TestRun

CALLED = 2.0
"""Weight of being called by the failing tests and by no other, against the task's words (1)."""
TRACED = 0.5
"""Weight of standing in a failing test's traceback."""
MAX_CLASS_LINES = 30
"""A class longer than this is changed by its methods, not as a whole."""

Key = tuple[str, str]
"""A path and a symbol's name."""


def suspects(index: Index, task: str, run: TestRun | None, tests: str) -> tuple[Ranked, ...]:
    """Every symbol outside the tests, the likeliest to be wrong first.

    Args:
        index: Of the workspace as it is.
        task: The issue.
        run: The last run of the tests, if there was one.
        tests: The source of those that fail.
    """
    failing = run.failures if run is not None else ()
    frames = [Frame(path, line) for case in failing for path, line in case.frames]
    words = "\n".join((task, tests, *(case.message for case in failing[:2])))
    ranked = [item for item in index.rank(words, frames) if not is_test_path(item.path)]
    best = max((item.score for item in ranked), default=1.0) or 1.0
    called = _ochiai(index, run) if failing and run is not None else {}
    traced = {_at(index, frame.path, frame.line) for frame in frames}
    scored = []
    for item in ranked:
        key = (item.path, item.symbol.name)
        score = item.score / best + CALLED * called.get(key, 0.0) + TRACED * (key in traced)
        scored.append(replace(item, score=score))
    return tuple(sorted(scored, key=lambda item: -item.score))


def replaceable(item: Ranked, index: Index, source: bytes) -> bool:
    """Whether a model should be offered to rewrite this symbol.

    Functions and methods; tables and numbers; classes that are short and hold no methods, for
    those are changed one by one. A weak model that is offered a file's first lines takes them.
    """
    symbol = item.symbol
    match symbol.kind:
        case Kind.FUNCTION | Kind.METHOD:
            return True
        case Kind.VARIABLE:
            text = source[symbol.start : symbol.end].partition(b"=")[2]
            plain = symbol.name.rsplit(".", 1)[-1]
            return not plain.startswith("__") and re.search(rb"[\d\[{]", text) is not None
        case Kind.CLASS:
            lines = symbol.last_line - symbol.first_line + 1
            inside = f"{symbol.name}."
            methods = any(
                other.kind is Kind.METHOD and other.name.startswith(inside)
                for other in index.symbols(item.path)
            )
            return 2 < lines <= MAX_CLASS_LINES and not methods
        case Kind.IMPORTS:
            return False


def mentioned(text: str, items: Iterable[Ranked]) -> list[Ranked]:
    """Those whose names stand in a text as words, the most often named first."""
    words = Counter(re.findall(r"\w+", text))
    named = [(words[item.symbol.name.rsplit(".", 1)[-1]], item) for item in items]
    found = [(count, item) for count, item in named if count]
    return [item for _, item in sorted(found, key=lambda pair: -pair[0])]


def _ochiai(index: Index, run: TestRun) -> dict[Key, float]:
    """How closely being called goes with failing, 0 to 1, for each function that tests call.

    Failing calls over the root of (all failing tests times all tests that call it): the
    coefficient of Ochiai, as Abreu, Zoeteweij and van Gemund use it to locate faults (2007).
    """
    failing = Counter(key for case in run.failures for key in called(index, case))
    passed = run.passed
    passing = Counter(key for case in run.cases if case.id in passed for key in called(index, case))
    total = len(run.failures)
    return {key: n / sqrt(total * (n + passing[key])) for key, n in failing.items()}


def functions(index: Index) -> Iterator[tuple[str, Symbol]]:
    """The functions and methods outside the tests, and their paths."""
    for path in index.paths:
        if not is_test_path(path):
            for symbol in index.symbols(path):
                if symbol.kind in (Kind.FUNCTION, Kind.METHOD):
                    yield path, symbol


def called(index: Index, case: TestCase) -> set[Key]:
    """The functions of the repository that a test called, by path and name."""
    return {key for path, line in case.calls if (key := _at(index, path, line)) is not None}


def _at(index: Index, path: str, line: int) -> Key | None:
    """The innermost function that a line is in."""
    inside: Sequence[Symbol] = [
        symbol
        for symbol in index.symbols(path)
        if symbol.first_line <= line <= symbol.last_line
        and symbol.kind in (Kind.FUNCTION, Kind.METHOD)
    ]
    if not inside or is_test_path(path):
        return None
    return path, max(inside, key=lambda symbol: symbol.first_line).name
