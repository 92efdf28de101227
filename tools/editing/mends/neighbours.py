"""What the other functions of a module do, and one of them may have forgotten.

Owns what of a module is worth taking over. Must not know into which definition it goes.
"""

from __future__ import annotations

import ast
import builtins
import itertools
from collections.abc import Iterable, Iterator
from textwrap import dedent
from typing import TypeVar

from tools.editing.mends.source import (
    ALONE,
    Function,
    Guard,
    Neighbours,
    Source,
    names,
    outside_text,
    parameters,
)
from tools.python_syntax import parsed

MOST = 40
"""Things of a kind that are worth trying."""
LONGEST = 60
"""Characters of a call."""
_BUILT_IN = frozenset(dir(builtins))
_Item = TypeVar("_Item")


def neighbours(module: str) -> Neighbours:
    """What the functions of a module do, each once."""
    tree = parsed(module)
    try:
        return _found(module, tree) if tree is not None else ALONE
    except (RecursionError, ValueError):  # too deep, or too long a number
        return ALONE


def _found(module: str, tree: ast.Module) -> Neighbours:
    source = Source(module.encode(), tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    found = (guard for node in functions for guard in guards(node, source))
    calls = (
        (text, name)
        for node in functions
        for part in node.body
        for call in outside_text(part)
        if isinstance(call, ast.Call) and (name := variable(call))
        if len(text := source.text(call)) <= LONGEST and "\n" not in text
    )
    constants = [
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int | float)
    ]
    statements = (
        (source.text(part), frozenset(names(part) - _BUILT_IN))
        for node in functions
        for part in ast.walk(node)
        if isinstance(part, ast.Assign | ast.AugAssign | ast.Expr) and _of_self(part)
    )
    own = (
        (node.name, tuple(argument.arg for argument in node.args.args))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.args.args
    )
    return Neighbours(
        _first(found),
        _first(calls),
        _first(own),
        _first(constants),
        _first(_numbers(tree)),
        _first(_shared(tree, source)),
        _first(item for item in statements if "\n" not in item[0]),
    )


def _first(items: Iterable[_Item]) -> tuple[_Item, ...]:
    """Each once, and not more than are worth trying."""
    return tuple(itertools.islice(dict.fromkeys(items), MOST))


def guards(function: Function, source: Source) -> Iterator[Guard]:
    """Those of a function."""
    given = parameters(function) - {"self", "cls"}
    for node in function.body[ast.get_docstring(function) is not None :]:
        match node:
            case ast.If(body=[ast.Raise() | ast.Return()], orelse=[], test=test):
                if names(test) & given:
                    text = dedent(source.margin(node) + source.text(node))
                    yield Guard(text, frozenset(names(node) & given))
            case _:
                return


def _numbers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield repr(node.value)


def _shared(tree: ast.Module, source: Source) -> Iterator[str]:
    for holder in ast.walk(tree):
        if isinstance(holder, ast.ClassDef) and not holder.decorator_list:
            for node in holder.body:
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=name)],
                        value=ast.List() | ast.Dict() | ast.Set() | ast.Call() as value,
                    ):
                        yield f"self.{name} = {source.text(value)}"


def _of_self(node: ast.stmt) -> bool:
    """Whether a statement does something to the object that it stands in."""
    match node:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute() as target)):
            pass
        case _:
            return False
    return not isinstance(target, ast.Name) and "self" in names(target)


def variable(node: ast.Call) -> str:
    """The one variable that a call is about; empty if there is none, or another."""
    called = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    used = {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and id(part) not in called
    }
    used -= {"self", "cls", *_BUILT_IN}
    return used.pop() if len(used) == 1 else ""
