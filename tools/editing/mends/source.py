"""The text of a definition, what its module holds besides, and changes by the nodes of its tree.

Must not know which changes are worth making.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = ast.expr | ast.stmt
_COMMENT = re.compile(rb"#[^\r\n]*")


class Rank(IntEnum):
    """How often a change of a kind is the one that is wanted."""

    LIKELY = 0
    USUAL = 1
    RARE = 2
    LAST = 3
    """There are many of the kind, and one of them often passes a test by chance."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Bytes that are replaced."""

    rank: Rank
    start: int
    end: int
    text: str
    imports: str = ""
    """A line that the new text needs."""


@dataclass(frozen=True, slots=True)
class Guard:
    """An `if` at a function's beginning that ends it."""

    text: str
    given: frozenset[str]
    """The function's parameters that it asks about."""

    def about(self, name: str) -> Guard:
        """The same guard of another parameter, where it asks about one."""
        (own,) = self.given
        return Guard(re.sub(rf"\b{own}\b", name, self.text), frozenset((name,)))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a module does besides, of which a definition may have forgotten something."""

    guards: tuple[Guard, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    """What is called with one variable, and that variable."""
    functions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Functions of the module itself, with their parameters."""
    constants: tuple[str, ...] = ()
    """Numbers that have a name in the module."""
    numbers: tuple[str, ...] = ()
    """Numbers that stand in it."""
    shared: tuple[str, ...] = ()
    """What a class has and each of its objects should: statements of an `__init__`."""
    statements: tuple[tuple[str, frozenset[str]], ...] = ()
    """What is done to an object, and the names that it takes."""


ALONE = Neighbours()


class Source:
    """A definition as bytes, with its tree."""

    def __init__(
        self,
        data: bytes,
        tree: ast.Module,
        error: str = "",
        neighbours: Neighbours = ALONE,
    ) -> None:
        self.error = error
        """The exception that the definition lets through; empty where that is not known."""
        self.neighbours = neighbours
        """What the functions of its module do."""
        self.defaults = {
            default
            for node in ast.walk(tree)
            if isinstance(node, Function)
            for _, default in with_defaults(node)
        }
        """What parameters are where a call does not give them."""
        self._data = data
        self._lines = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", data))]

    def changed(self, change: Change) -> str:
        data = self._data[: change.start] + change.text.encode() + self._data[change.end :]
        return data.decode()

    # --- places

    def start(self, node: Node) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: Node) -> int:
        return self._lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def text(self, node: Node) -> str:
        return self.between(self.start(node), self.end(node))

    def between(self, start: int, end: int | None = None) -> str:
        return self._data[start:end].decode()

    def line(self, number: int) -> int:
        """Where a line begins; they are counted from 1."""
        return self._lines[number - 1]

    def margin(self, node: ast.stmt) -> str:
        """The blanks before a statement; empty where another stands on the same line."""
        before = self.between(self.line(node.lineno), self.start(node))
        return "" if before.strip() else before

    def operands(self, node: ast.expr, values: Sequence[ast.expr], old: str) -> list[str]:
        """The operands with the brackets around each."""
        ends = [self._operator(*pair, old) for pair in pairwise(values)]
        starts = [self.start(node), *(end for _, end in ends)]
        stops = [*(start for start, _ in ends), self.end(node)]
        return [self.between(a, b).strip(" \t\r\n\\") for a, b in zip(starts, stops, strict=True)]

    def _operator(self, left: ast.expr, right: ast.expr, old: str) -> tuple[int, int]:
        """Where the operator between two operands stands."""
        start, end = self.end(left), self.start(right)
        between = _COMMENT.sub(lambda match: b" " * len(match[0]), self._data[start:end])
        words = rb"[\s\\]+".join(re.escape(word.encode()) for word in old.split())
        match = re.search(words, between)
        return (start + match.start(), start + match.end()) if match else (start, end)

    # --- changes

    def replace(self, rank: Rank, node: Node, text: str, imports: str = "") -> Change:
        return Change(rank, self.start(node), self.end(node), text, imports)

    def operator(self, rank: Rank, left: ast.expr, right: ast.expr, old: str, new: str) -> Change:
        """Another operator between two operands."""
        start, end = self._operator(left, right, old)
        return Change(rank, start, end, new)

    def copy(self, rank: Rank, node: ast.expr, copied: ast.expr) -> Change:
        return self.replace(rank, node, f"copy.deepcopy({self.text(copied)})", "import copy")


def with_defaults(node: Function) -> Iterator[tuple[str, ast.expr]]:
    """A function's parameters that have a default."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    last = arguments[len(arguments) - len(node.args.defaults) :]
    for argument, default in zip(last, node.args.defaults, strict=True):
        yield argument.arg, default
    for argument, other in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if other is not None:
            yield argument.arg, other


def beginning(node: Function, source: Source) -> tuple[int, str]:
    """Where a function's first statement may be put before the others, and the blanks before each;
    none if its body stands on the line of its head."""
    told = ast.get_docstring(node) is not None and len(node.body) > 1
    first = node.body[1 if told else 0]
    decorators = getattr(first, "decorator_list", ())
    at = source.line(min((part.lineno for part in decorators), default=first.lineno))
    margin = source.between(at, source.start(first))
    if at <= source.start(node):
        return at, ""
    return at, margin[: len(margin) - len(margin.lstrip(" \t"))]


def parameters(node: Function) -> set[str]:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return {argument.arg for argument in arguments}


def outside_text(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it but what stands in an f-string: before Python 3.12 the places of that
    are wrong."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for part in ast.iter_child_nodes(node):
            yield from outside_text(part)


def names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def plain(node: ast.expr) -> bool:
    """Whether it may be None as well as something empty."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
