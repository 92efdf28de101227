"""Another variable of the same function, another attribute of the same object, another call."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from tools.editing.mends.neighbours import variable
from tools.editing.mends.source import Change, Function, Rank, Source, outside_text, parameters


def changes(function: Function, source: Source) -> Iterator[Change]:
    nodes = [node for part in function.body for node in outside_text(part)]
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names = sorted((stored | parameters(function)) - {"self", "cls"})
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    # A method is no substitute for a value, nor the other way round.
    attributes: defaultdict[tuple[str, bool], dict[str, None]] = defaultdict(dict)
    for node in nodes:
        if isinstance(node, ast.Attribute):
            attributes[source.text(node.value), node in called][node.attr] = None
    yield from _called(nodes, source)
    yield from _worked_out(function, nodes, set(names), source)
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in names:
                for other in names:
                    yield source.replace(Rank.LAST, node, other)
            case ast.Attribute(ctx=ast.Load()):
                base = source.text(node.value)
                for other in attributes[base, node in called]:
                    yield source.replace(Rank.LAST, node, f"{base}.{other}")


def _called(nodes: list[ast.AST], source: Source) -> Iterator[Change]:
    """What the functions of the module call with a variable of the same name: instead of what is
    called with it here, or where nothing is."""
    known = source.neighbours.calls
    about = {node: variable(node) for node in nodes if isinstance(node, ast.Call)}
    inside = {id(part) for node, name in about.items() if name for part in ast.walk(node)}
    for node in nodes:
        match node:
            case ast.Call():
                name, rank = about[node], Rank.USUAL
            case ast.Name(id=name, ctx=ast.Load()) if id(node) not in inside:
                rank = Rank.RARE
            case _:
                continue
        for text, other in known:
            if other == name:
                yield source.replace(rank, node, text)


def _worked_out(
    function: Function, nodes: list[ast.AST], names: set[str], source: Source
) -> Iterator[Change]:
    """What another function of the module works out of variables that are named as it wants them,
    where that is done by hand."""
    known = source.neighbours.functions
    for other, given in known:
        if other == function.name or not names.issuperset(given):
            continue
        for node in nodes:
            match node:
                case ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
                    if not isinstance(value, ast.Constant | ast.Name):
                        yield source.replace(Rank.RARE, value, f"{other}({', '.join(given)})")
