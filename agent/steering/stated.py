"""The values that an issue states, and a test's expectations brought to them.

A weak model that copies a value into a test copies it nearly; what the issue itself says is what is
wanted. Owns which parts of an issue are values. Must not know how a test is asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from agent.steering.snippets import blocks_and_prose
from tools.editing.mends.source import Source
from tools.python_syntax import parsed

NEAR = 0.75
"""How alike two values must be for the one to be meant by the other, of 1."""
OTHERS = 2
"""Values of the issue that are tried instead of one."""
SHORTEST = 4
"""Characters of a value that may be meant by another."""
LONGEST = 300
"""Characters of a value that are compared."""
_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)")
_REMARK = re.compile(r"#\s*(?:->|=>|==?|returns|gives)?\s*(.+)")
_EXCEPTION = re.compile(r"\b([A-Z]\w*(?:Error|Exception))\b")
_RAISES = re.compile(r"\b(?:raises|assertRaises)\(\s*([\w.]+)")

_SAME = re.compile(
    r"\b(?:unchanged|as (?:it|they) (?:is|are|was|were)|same|alone)\b", re.IGNORECASE
)

_COPIED = (str, list, tuple, dict, set)
"""What is copied wrongly; a number is right or wrong."""


def exceptions(text: str) -> frozenset[str]:
    """The exceptions that a text names."""
    return frozenset(_EXCEPTION.findall(text))


def versions(issue: str, test: str, *, shown: bool) -> Iterator[str]:
    """A test as it is, and with the issue's own values for what it expects first; the likeliest
    of them first. None that expects of a call only what it is given.

    A value that is nearly one that the issue states is that one, copied badly. An exception is the
    one that the issue names, if it names but one.

    Args:
        shown: Whether the issue shows the code that the test runs. Then a value that it states may
            be what comes of that now, and another that is like it what should.
    """
    match [*exceptions(issue)], _RAISES.search(test):
        case [only], re.Match() as found if found[1].rpartition(".")[2] != only:
            test = f"{test[: found.start(1)]}{only}{test[found.end(1) :]}"
    tree = parsed(test)
    expected = _expected(tree) if tree is not None else None
    if tree is None or expected is None:
        yield test
        return
    value, source = _literal(expected), Source(test.encode(), tree)
    before, after = source.between(0, source.start(expected)), source.between(source.end(expected))
    stated = [*_values(issue)]
    others = [f"{before}{other!r}{after}" for other in _near(value, stated)]
    if value not in stated:
        yield from others[:1]
        del others[:1]
    if not _echoed(tree, value, issue):
        yield test
    yield from others if shown else ()


def _echoed(tree: ast.Module, value: object, issue: str) -> bool:
    """Whether what is expected is what goes in, and the issue says it nowhere but there."""
    match assertions(tree)[0].test:
        case ast.Compare(left=ast.Call(args=args) as call) if value and type(value) in (str, int):
            given = {str(_literal(arg)) for arg in args if isinstance(arg, ast.Constant)}
            elsewhere = issue.replace('"', "'").replace(ast.unparse(call).replace('"', "'"), "")
            kept = _SAME.search(issue) is not None
            return str(value) in given and not kept and not _said(value, elsewhere)
    return False


def holds(issue: str, test: str) -> bool:
    """Whether what a test expects at last is what the issue states."""
    tree = parsed(test)
    if tree is None:
        return False
    raises = _RAISES.findall(test)
    if raises and not assertions(tree):
        return raises[-1].rpartition(".")[2] in exceptions(issue)
    expected = _expected(tree, last=True)
    if expected is None:
        return False
    value = _literal(expected)
    if isinstance(value, _COPIED) and any(value == other for other in _values(issue)):
        return True
    parts = [part.value for part in ast.walk(expected) if isinstance(part, ast.Constant)]
    return bool(parts) and all(_said(part, issue) for part in parts)


def _said(part: object, issue: str) -> bool:
    """Whether an issue holds a text, or a number or the like as a word."""
    if isinstance(part, str):
        return bool(part) and part in issue
    return re.search(rf"(?<![\w.]){re.escape(_written(part))}(?!\w|\.\d)", issue) is not None


def assertions(tree: ast.Module) -> list[ast.Assert]:
    """Those of a file's tests, in their order; a helper's are none."""
    tests: list[ast.AST] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    found = (part for node in tests or [tree] for part in ast.walk(node))
    return sorted(
        (part for part in found if isinstance(part, ast.Assert)), key=lambda part: part.lineno
    )


def _expected(tree: ast.Module, *, last: bool = False) -> ast.expr | None:
    """What the first or the last assertion compares with."""
    asserts = assertions(tree)
    match asserts[-1 if last else 0] if asserts else None:
        case ast.Assert(test=ast.Compare(ops=[ast.Eq() | ast.Is()], comparators=[right])):
            return right
    return None


def _near(value: object, stated: Iterable[object]) -> list[object]:
    """The stated values that this one may be meant to be, the likeliest first."""
    own = _written(value)
    if not isinstance(value, _COPIED) or not SHORTEST <= len(own) - 2 <= LONGEST:
        return []
    found: list[tuple[float, object]] = []
    for other in stated:
        told = _written(other)
        if len(told) > LONGEST:
            continue
        if isinstance(other, str) == isinstance(value, str) and other != value:
            likeness = SequenceMatcher(None, own, told, autojunk=False).ratio()
            if likeness >= NEAR and other not in (known for _, known in found):
                found.append((likeness, other))
    found.sort(key=lambda pair: -pair[0])
    return [other for _, other in found[:OTHERS]]


def _written(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # too long a number
        return ""


def _values(issue: str) -> Iterator[object]:
    """What it quotes, answers of the interpreter, lines and remarks of its blocks."""
    blocks, prose = blocks_and_prose(issue)
    for match in _QUOTED.finditer(prose):
        yield from _read(next(filter(None, match.groups())))
    for block in blocks:
        yield block.strip("\n")
        for line in block.splitlines():
            yield from _read(line.strip())
            for remark in _REMARK.finditer(line):
                yield from _read(remark[1])


def _read(text: str) -> Iterator[object]:
    tree = parsed(text)
    match tree and tree.body:
        case [ast.Expr(value=code)] if isinstance(value := _literal(code), _COPIED):
            yield value
        case _:
            yield text


def _literal(code: ast.expr) -> object:
    try:
        return ast.literal_eval(code)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
