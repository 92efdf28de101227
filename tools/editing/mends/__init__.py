"""Small changes of a Python definition that mend the commonest faults.

A boundary, a condition, a constant, the wrong variable, something shared that should be a copy:
most faults are one of a few slips, and a run of the tests is cheaper than an answer. The templates
are of the kind of TBar's (Liu et al., "Revisiting Template-Based Automated Program Repair", 2019).
Owns which definitions come of them, and in what order. Must not know whether a change mends
anything.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from tools.editing.mends import expressions, guarding, statements, texts, variables
from tools.editing.mends.source import ALONE, Change, Function, Neighbours, Rank, Source
from tools.python_syntax import definition, parsed


def mends(
    code: str,
    error: str = "",
    ranks: Collection[Rank] = tuple(Rank),
    around: Neighbours = ALONE,
) -> Iterator[str]:
    """The definition with one small change each, the likeliest first; none if it is no Python.

    Args:
        code: A function, a class or a statement, as it stands in its file.
        error: The exception that it lets through, where that is the fault.
        ranks: The changes that are wanted.
        around: What the functions of its module do.
    """
    head, tree = definition(code)
    if tree is None:
        return
    first = tree.body[0] if head else None
    body = first.body if isinstance(first, ast.If) else tree.body
    source = Source((head + code).encode(), tree, error, around)
    wanted = (change for part in body for change in _changes(part, source) if change.rank in ranks)
    try:
        changes, same, twins = sorted(wanted), _told(tree), _twins(tree)
    except (RecursionError, ValueError):  # too deep, or too long a number
        return
    made: set[str] = set()
    for change in changes:
        text = source.changed(change)
        changed = parsed(text)
        if text in made or changed is None or _told(changed) == same or _twins(changed) > twins:
            continue
        made.add(text)
        text = text.removeprefix(head)
        yield f"{change.imports}\n\n\n{text}" if change.imports else text


def _told(tree: ast.AST) -> str:
    """What a tree says, wherever it stands; empty if it is too deep."""
    try:
        return ast.dump(tree)
    except (RecursionError, ValueError):
        return ""


def _changes(node: ast.AST, source: Source, function: Function | None = None) -> Iterator[Change]:
    """Those of a node and of all in it; `function` is the innermost that it is in."""
    yield from expressions.changes(node, source)
    yield from statements.changes(node, source, function)
    if isinstance(node, ast.JoinedStr):
        yield from texts.changes(node, source)
    if isinstance(node, Function):
        yield from guarding.changes(node, source)
        if function is None:
            yield from variables.changes(node, source)
        function = node
    for part in _parts(node):
        yield from _changes(part, source, function)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.JoinedStr() | ast.arg():
            pass  # what stands in the one has been read; a type changes nothing
        case ast.AnnAssign(value=value):
            yield from () if value is None else (value,)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from (*node.decorator_list, node.args, *node.body)
        case _:
            yield from ast.iter_child_nodes(node)


def _twins(tree: ast.AST) -> int:
    """How often the same stands twice where two are meant: `x < x`, `(a, a)`, `f(a, a)`."""
    count = 0
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=[right]) | ast.BinOp(left=left, right=right):
                parts = [left, right]
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.Call(args=parts):
                pass
            case _:
                continue
        told = [_told(part) for part in parts if not isinstance(part, ast.Constant)]
        count += len(told) - len(set(told))
    return count
