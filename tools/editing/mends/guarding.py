"""What a function does not look out for: a guard that its neighbours have, an exception."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from textwrap import indent

from tools.editing.mends.neighbours import guards
from tools.editing.mends.source import Change, Function, Rank, Source, beginning, parameters

_Simple = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return
_Raising = ast.Call | ast.Subscript | ast.BinOp
_SLIPS = frozenset(("TypeError", "AttributeError", "IndexError", "ZeroDivisionError"))
"""Exceptions that more often tell of a fault than of something to expect."""


def changes(function: Function, source: Source) -> Iterator[Change]:
    """Those of a function whose body stands below its head."""
    yield from _guarded(function, source)
    if source.error:
        yield from _handled(function.body, source, _ends(function), looped=False)


def _guarded(function: Function, source: Source) -> Iterator[Change]:
    """The neighbours' guards, of parameters of the same name and then of others."""
    has = {guard.text for guard in guards(function, source)}
    own = sorted(parameters(function) - {"self", "cls"})
    at, margin = beginning(function, source)
    if not margin:
        return
    for guard in source.neighbours.guards if source.neighbours is not None else ():
        others = [guard.about(name) for name in own] if len(guard.given) == 1 else []
        for number, one in enumerate((guard, *others)):
            if one.given <= set(own) and one.text not in has:
                has.add(one.text)
                rank = Rank.USUAL if number == 0 else Rank.RARE
                yield Change(rank, at, at, f"{indent(one.text, margin)}\n")


def _handled(
    body: list[ast.stmt], source: Source, ends: list[str], *, looped: bool
) -> Iterator[Change]:
    """Each statement that may raise the exception, with a handler around it."""
    rank = Rank.RARE if source.error in _SLIPS else Rank.USUAL
    for node in body:
        margin = source.margin(node)
        text = source.text(node)
        plain = isinstance(node, _Simple) and '"""' not in text and "'''" not in text
        raising = any(isinstance(part, _Raising) for part in ast.walk(node))
        if plain and raising and margin:
            inner = indent(text, "    ").lstrip()
            for end in ["continue", *ends] if looped else ends:
                handled = f"try:\n{margin}    {inner}\n{margin}except {source.error}:\n"
                yield source.replace(rank, node, f"{handled}{margin}    {end}")
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            yield from _handled(node.body, source, ends, looped=True)
        elif isinstance(node, ast.If | ast.With | ast.AsyncWith):
            yield from _handled(node.body, source, ends, looped=looped)
            yield from _handled(getattr(node, "orelse", []), source, ends, looped=looped)


def _ends(function: Function) -> list[str]:
    """How the function ends without a result: as elsewhere in it, else with None."""
    found = {
        ast.unparse(node): None
        for node in ast.walk(function)
        if isinstance(node, ast.Return)
        and not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node))
    }
    return [*found] or ["return None"]
