"""Slips of a statement: what it keeps, adds up, leaves open behind a loop, catches, does early."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from tools.editing.mends.source import (
    Change,
    Function,
    Rank,
    Source,
    beginning,
    parameters,
    with_defaults,
)

_COLLECTS = ("append", "add", "extend")
_TAKES = ("remove", "pop", "discard", "popitem", "clear")
_MOVES = ast.Assign | ast.AugAssign | ast.Expr | ast.If | ast.For
"""Statements that may stand in the wrong order."""
_ENDS = ast.Return | ast.Assign | ast.AugAssign | ast.Expr
"""Statements that may belong behind a loop."""


def changes(node: ast.AST, source: Source, function: Function | None) -> Iterator[Change]:
    """Those of one node, without what is in it.

    Args:
        function: The innermost that it is in.
    """
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _own_defaults(node, source)
        case ast.Assign():
            yield from _assigned(node, source, function)
        case ast.AugAssign():
            yield from _added(node, source)
        case ast.Return(value=ast.expr() as value):
            if isinstance(value, ast.Attribute):
                yield source.copy(Rank.RARE, value, value)
            yield from _bounded(value, source)
        case ast.For() | ast.While():
            yield from _loop(node, source)
        case ast.ExceptHandler():
            yield from _caught(node, source)
        case ast.If(orelse=[ast.If() as other]) if source.text(other).startswith("elif"):
            start = source.start(other)
            yield Change(Rank.RARE, start, start + len("elif"), "if")
        case ast.Continue():
            yield source.replace(Rank.RARE, node, "break")
        case ast.Break():
            yield source.replace(Rank.RARE, node, "continue")
        case ast.Expr(value=ast.Call()):
            yield source.replace(Rank.RARE, node, "pass")
            if function is not None and function.body[-1] is node:
                yield source.replace(Rank.USUAL, node, f"return {source.text(node)}")
    for name in ("body", "orelse"):
        part = getattr(node, name, None)
        if isinstance(part, list):  # a lambda's body is none
            yield from _swapped(part, source)


def _assigned(node: ast.Assign, source: Source, function: Function | None) -> Iterator[Change]:
    (target, *_), value = node.targets, node.value
    given = parameters(function) if function is not None else set()
    if isinstance(target, ast.Attribute):
        shared = isinstance(value, ast.Name) and value.id in given
    else:
        shared = isinstance(value, ast.Attribute | ast.IfExp | ast.Subscript)
    if shared:
        yield source.copy(Rank.RARE, value, value)
    yield from _bounded(value, source)
    match value:  # what is taken out of a list is no longer in it
        case ast.Subscript(value=whole, slice=ast.Constant() | ast.UnaryOp() as place):
            text = f"{source.text(whole)}.pop({source.text(place)})"
            yield source.replace(Rank.USUAL, value, text)


def _added(node: ast.AugAssign, source: Source) -> Iterator[Change]:
    target, value = source.text(node.target), source.text(node.value)
    yield source.replace(Rank.USUAL, node, f"{target} = {value}")
    if isinstance(node.op, ast.Add | ast.Sub):
        sign = "-" if isinstance(node.op, ast.Add) else "+"
        yield source.replace(Rank.USUAL, node, f"{target} {sign}= {value}")
    yield source.replace(Rank.RARE, node, "pass")


def _bounded(node: ast.expr, source: Source) -> Iterator[Change]:
    """A sum or a product that is rounded, or never below nothing."""
    if isinstance(node, ast.BinOp):
        text = source.text(node)
        for new in (f"round({text}, 2)", f"round({text})", f"max({text}, 0)", f"abs({text})"):
            yield source.replace(Rank.RARE, node, new)
        if isinstance(node.op, ast.Sub):  # both ends count, or neither
            yield source.replace(Rank.USUAL, node, f"{text} + 1")
            yield source.replace(Rank.USUAL, node, f"{text} - 1")


def _loop(node: ast.For | ast.While, source: Source) -> Iterator[Change]:
    """Sums in a loop; its last statement behind it; what it collects once more behind it."""
    margin, last = source.margin(node), node.body[-1]
    if node.orelse:
        return
    if len(node.body) > 1 and isinstance(last, _ENDS) and source.margin(last):
        start = source.line(last.lineno)
        text = f"{margin}{source.text(last)}"
        yield Change(Rank.USUAL, start, source.end(last), text)
    at = source.end(node)
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Name | ast.Attribute | ast.Call):
        changing = any(isinstance(p, ast.Attribute) and p.attr in _TAKES for p in ast.walk(node))
        if changing or any(isinstance(part, ast.Delete) for part in ast.walk(node)):
            yield source.replace(Rank.LIKELY, node.iter, f"list({source.text(node.iter)})")
    for part in ast.walk(node):
        match part:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value):
                if not isinstance(value, ast.Constant | ast.List | ast.Dict):
                    text = f"{source.text(target)} += {source.text(value)}"
                    yield source.replace(Rank.RARE, part, text)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name), args=args)):
                if name not in _COLLECTS:
                    continue
                used = [n.id for a in args for n in ast.walk(a) if isinstance(n, ast.Name)]
                for test in (t for n in dict.fromkeys(used) for t in (f"{n} is not None", n)):
                    text = f"\n{margin}if {test}:\n{margin}    {source.text(part)}"
                    yield Change(Rank.RARE, at, at, text)


def _swapped(body: list[ast.stmt], source: Source) -> Iterator[Change]:
    for one, other in pairwise(body):
        told = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
        if isinstance(one, _MOVES) and isinstance(other, _MOVES) and not told:
            gap = source.between(source.end(one), source.start(other))
            text = f"{source.text(other)}{gap}{source.text(one)}"
            yield Change(Rank.RARE, source.start(one), source.end(other), text)


def _caught(node: ast.ExceptHandler, source: Source) -> Iterator[Change]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    caught = [source.text(kind) for kind in kinds if kind is not None]
    if source.error and node.type is not None and source.error not in caught:
        text = f"({', '.join([*caught, source.error])})"
        yield source.replace(Rank.LIKELY, node.type, text)


def _own_defaults(node: Function, source: Source) -> Iterator[Change]:
    """A new object at each call instead of one that all calls share."""
    at, margin = beginning(node, source)
    for name, default in with_defaults(node):
        # Else the body stands behind the head, on one line.
        if isinstance(default, ast.List | ast.Dict | ast.Set) and at >= source.end(default):
            value = source.text(default)
            rest = source.between(source.end(default), at)
            text = f"None{rest}{margin}if {name} is None:\n{margin}    {name} = {value}\n"
            yield Change(Rank.LIKELY, source.start(default), at, text)
