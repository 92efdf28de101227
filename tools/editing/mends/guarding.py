"""What a function does not look out for: what comes in, what its neighbours refuse, an error."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator
from textwrap import indent

from tools.editing.mends.neighbours import guards
from tools.editing.mends.source import Change, Function, Guard, Rank, Source, beginning, parameters
from tools.python_syntax import definition

_Simple = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return
_Raising = ast.Call | ast.Subscript | ast.BinOp
_SLIPS = frozenset(("TypeError", "AttributeError", "IndexError", "ZeroDivisionError"))
"""Exceptions that more often tell of a fault than of something to expect."""


def changes(function: Function, source: Source) -> Iterator[Change]:
    """Those of a function whose body stands below its head."""
    at, margin = beginning(function, source)
    if not margin:
        return
    for text in (*_normalised(function, source), *_guards(function, source)):
        yield Change(Rank.USUAL, at, at, f"{indent(text, margin)}\n")
    yield from _forgotten(function, source, margin)
    if function.name == "__init__":
        for text in source.neighbours.shared:
            yield Change(Rank.LIKELY, at, at, f"{indent(text, margin)}\n")
    if source.error:
        yield from _handled(function.body, source, _ends(function), looped=False)
        for body in _bodies(function):
            yield from _empty(body, source)


def guarded(code: str, guard: Guard) -> str:
    """A function with a guard before all else; the same if it has it, or no such parameters."""
    head, tree = definition(code)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)] if tree else []
    if tree is None or not functions:
        return code
    function, source = functions[0], Source((head + code).encode(), tree)
    has = {other.text for other in guards(function, source)}
    at, margin = beginning(function, source)
    if not margin or guard.text in has or not guard.given <= parameters(function):
        return code
    change = Change(Rank.USUAL, at, at, f"{indent(guard.text, margin)}\n")
    return source.changed(change).removeprefix(head)


def _normalised(function: Function, source: Source) -> Iterator[str]:
    """A parameter that is brought into one form before it is used more than once."""
    known = source.neighbours.calls
    used = Counter(part.id for part in ast.walk(function) if isinstance(part, ast.Name))
    for argument in (*function.args.posonlyargs, *function.args.args):
        name, kind = argument.arg, argument.annotation
        if used[name] < 2 or name in ("self", "cls"):
            continue
        if kind is None or "str" in ast.unparse(kind):
            yield f"{name} = {name}.lower()"
            yield f"{name} = {name}.strip()"
        yield from (f"{name} = {text}" for text, other in known if other == name)


def _forgotten(function: Function, source: Source, margin: str) -> Iterator[Change]:
    """What the neighbours do to the object, behind the function's guards and at its end."""
    given = parameters(function)
    known = source.neighbours.statements
    guarding = (isinstance(node, ast.If) or _is_text(node) for node in function.body)
    first = function.body[min(sum(itertools.takewhile(bool, guarding)), len(function.body) - 1)]
    last = function.body[-1]
    own = {source.text(node) for node in ast.walk(function) if isinstance(node, _Simple)}
    for text, names in known:
        if names <= given and text not in own:
            for at in {source.line(first.lineno), source.line(last.lineno)}:
                yield Change(Rank.RARE, at, at, f"{margin}{text}\n")
            if not isinstance(last, ast.Return):
                end = source.end(last)
                yield Change(Rank.RARE, end, end, f"\n{margin}{text}")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _guards(function: Function, source: Source) -> Iterator[str]:
    """The neighbours' guards, of parameters of the same name and then of others."""
    has = {guard.text for guard in guards(function, source)}
    own = sorted(parameters(function) - {"self", "cls"})
    for guard in source.neighbours.guards:
        others = [guard.about(name) for name in own] if len(guard.given) == 1 else []
        for one in (guard, *others):
            if one.given <= set(own) and one.text not in has:
                has.add(one.text)
                yield one.text


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


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for part in ast.walk(node):
        for name in ("body", "orelse"):
            body = getattr(part, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _empty(body: list[ast.stmt], source: Source) -> Iterator[Change]:
    """What is empty goes the way of what an `if` sends away already."""
    for number, node in enumerate(body):
        match node:
            case ast.If(body=[ast.Return() | ast.Continue() | ast.Raise()], orelse=[], test=test):
                condition = source.text(test)
                later = (part for rest in body[number + 1 :] for part in ast.walk(rest))
                for value in dict.fromkeys(_converted(later, source)):
                    text = f"{condition} or not {value}"
                    yield source.replace(Rank.LIKELY, test, text)


def _converted(nodes: Iterator[ast.AST], source: Source) -> Iterator[str]:
    """What is given to a function, alone."""
    for node in nodes:
        match node:
            case ast.Call(args=[ast.Name() | ast.Subscript() | ast.Attribute() as value]):
                yield source.text(value)


def _ends(function: Function) -> list[str]:
    """How the function ends without a result: as elsewhere in it, else with None."""
    found = {
        ast.unparse(node): None
        for node in ast.walk(function)
        if isinstance(node, ast.Return)
        and not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node))
    }
    return [*found] or ["return None"]
