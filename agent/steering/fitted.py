"""Code that fits the tests instead of mending the fault: it gives the very value that one expects.

Must not know who wrote the code, nor whether the tests pass with it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tools.python_syntax import parsed

_USUAL = frozenset({*range(-10, 11), 12, 16, 24, 30, 31, 32, 60, 64, 100, 365, 366, 1000, 1024})
"""Numbers that mean something in many a rule."""
_DIGITS = 3
"""In a text that tells a value."""


def fitted(before: str, after: str, tests: Callable[[], str]) -> bool:
    """Whether changed Python code returns a value out of the tests.

    What stands in conditions, tables and calculations is left alone: a rule may rest on it.

    Args:
        before: A file's text.
        tests: The text of the tests; asked for where the code has such a value.
    """
    known = set(map(ast.dump, _answers(before)))
    new = [node for node in _answers(after) if ast.dump(node) not in known]
    values = [value for node in new for value in _values(node)]
    if not values:
        return False
    text = tests()
    return any(re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", text) for value in values)


def _answers(code: str) -> Iterator[ast.expr]:
    """The expressions without a variable that are returned."""
    tree = parsed(code)
    if tree is None:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Return(value=ast.expr() as value) if _constant(value):
                yield value


def _constant(node: ast.expr) -> bool:
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    called = {name for function in calls for name in ast.walk(function)}
    return all(part in called for part in ast.walk(node) if isinstance(part, ast.Name))


def _values(node: ast.expr) -> Iterator[str]:
    """What tells a value from any other: numbers that are not round, text with digits in it."""
    for part in ast.walk(node):
        match part:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as number) if number not in _USUAL:
                yield repr(number)
            case ast.Constant(value=str() as text) if len(re.findall(r"\d", text)) >= _DIGITS:
                yield text
