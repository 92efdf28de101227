"""Slips within an expression: comparisons, conditions, operators, constants, calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from tools.editing.mends.source import Change, Rank, Source, plain

_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_OPERATORS: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("/",)),
    ast.Div: ("/", ("//", "*")),
    ast.FloorDiv: ("//", ("/", "%")),
    ast.Mod: ("%", ("//",)),
    ast.BitOr: ("|", ("&", "-")),
    ast.BitAnd: ("&", ("|", "-")),
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NORMAL = ("lower", "upper", "casefold", "strip")
_SWAPPED = {
    "startswith": "endswith", "endswith": "startswith", "find": "rfind", "rfind": "find",
    "index": "rindex", "partition": "rpartition", "rpartition": "partition", "split": "rsplit",
    "rsplit": "split", "lstrip": "removeprefix", "rstrip": "removesuffix", "title": "capitalize",
    "upper": "lower", "lower": "upper", "append": "extend", "extend": "append", "add": "discard",
    "discard": "add", "keys": "values", "values": "keys", "union": "intersection",
    "intersection": "union", "issubset": "issuperset", "issuperset": "issubset",
    "ljust": "rjust", "rjust": "ljust", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
"""Methods that are taken for one another."""
_UNITS = ("7", "12", "24", "60", "100", "1000", "3600")
"""Numbers by which what is measured is converted."""
_UNREADABLE = ("ValueError", "TypeError", "InvalidOperation")
"""What comes of reading a value that is not there."""
_COUNTED = 12
"""The largest number that is taken for a count."""
_KEYED = ("append", "add", "get", "setdefault")


def changes(node: ast.AST, source: Source) -> Iterator[Change]:
    """Those of one node, without what is in it."""
    match node:
        case ast.Compare():
            yield from _comparison(node, source)
        case ast.BoolOp():
            yield from _boolean(node, source)
        case ast.UnaryOp():
            yield from _unary(node, source)
        case ast.BinOp():
            yield from _arithmetic(node, source)
        case ast.Constant():
            yield from _constant(node, source)
        case ast.Subscript():
            yield from _subscript(node, source)
        case ast.Call():
            yield from _call(node, source)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _condition(test, source)
        case ast.DictComp(value=ast.Attribute() as value):
            yield source.copy(Rank.RARE, value, value)


def _comparison(node: ast.Compare, source: Source) -> Iterator[Change]:
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        old, others = _COMPARISONS[type(operator)]
        for number, new in enumerate(others):
            boundary = number == 0 and old[0] in "<>"
            rank = Rank.LIKELY if boundary else Rank.USUAL
            yield source.operator(rank, left, right, old, new)
        if isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            yield from _normalised(left, source)
            yield from _normalised(right, source)
        left = right
    if len(node.ops) == 1 and isinstance(left, ast.Constant) and left.value is None:
        # What is empty may be missing as well.
        sign = "not " if isinstance(node.ops[0], ast.Is) else ""
        operands = source.operands(node, [node.left, left], _COMPARISONS[type(node.ops[0])][0])
        yield source.replace(Rank.USUAL, node, f"{sign}{operands[0]}")


def _normalised(node: ast.expr, source: Source) -> Iterator[Change]:
    """Case and blanks left aside."""
    if not plain(node):
        return
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) if name in _NORMAL:
            return
    for calls in ("lower()", "upper()", "strip()", "strip().lower()"):
        yield source.replace(Rank.RARE, node, f"{source.text(node)}.{calls}")


def _boolean(node: ast.BoolOp, source: Source) -> Iterator[Change]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in pairwise(node.values):
        yield source.operator(Rank.LIKELY, left, right, old, new)
    values = source.operands(node, node.values, old)
    if old == "or" and len(values) == 2 and plain(node.values[0]):
        text = f"({values[0]} if {values[0]} is not None else {values[1]})"
        yield source.replace(Rank.USUAL, node, text)
    for number in range(len(values)):
        others = values[:number] + values[number + 1 :]
        yield source.replace(Rank.RARE, node, f" {old} ".join(others))
    if (asked := overlapping(node, source)) is not None:
        yield source.replace(Rank.LIKELY, node, asked)


def overlapping(node: ast.BoolOp, source: Source) -> str | None:
    """Comparisons of different things, with a boundary each, all with the other: whether two spans
    overlap is asked so. None where something else is asked."""
    between = "and" if isinstance(node.op, ast.And) else "or"
    told: list[str] = []
    asked: set[str] = set()
    strict: set[bool] = set()
    for part in node.values:
        if not isinstance(part, ast.Compare) or len(part.ops) != 1:
            return None
        if any(map(_is_constant, (part.left, *part.comparators))):
            return None  # no span begins or ends there
        old, others = _COMPARISONS[type(part.ops[0])]
        left, right = source.operands(part, [part.left, *part.comparators], old)
        if old[0] not in "<>" or asked & {left, right}:
            return None
        asked |= {left, right}
        strict.add(len(old) == 1)
        told.append(f"{left} {others[0]} {right}")
    return f" {between} ".join(told) if len(strict) == 1 else None


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _unary(node: ast.UnaryOp, source: Source) -> Iterator[Change]:
    sign = {ast.Not: "not", ast.USub: "-"}.get(type(node.op))
    if sign == "not" and plain(node.operand):  # what is empty may not be what is missing
        yield source.replace(Rank.LIKELY, node, f"{source.text(node.operand)} is None")
    if sign:
        text = source.text(node).removeprefix(sign).lstrip()
        yield source.replace(Rank.USUAL, node, text)


def _arithmetic(node: ast.BinOp, source: Source) -> Iterator[Change]:
    old, others = _OPERATORS.get(type(node.op), ("", ()))
    one = isinstance(node.right, ast.Constant) and node.right.value == 1
    match node:  # one object in many places
        case ast.BinOp(
            left=ast.List(elts=[ast.List() | ast.Dict() | ast.Set() | ast.Call() as each])
        ):
            text = f"[{source.text(each)} for _ in range({source.text(node.right)})]"
            yield source.replace(Rank.LIKELY, node, text)
    match node:  # what is begun counts as a whole
        case ast.BinOp(op=ast.Add(), left=ast.BinOp(op=ast.FloorDiv()) as parts) if one:
            yield source.replace(Rank.LIKELY, node, _rounded_up(parts, source))
        case ast.BinOp(op=ast.FloorDiv()):
            yield source.replace(Rank.USUAL, node, _rounded_up(node, source))
    if one and isinstance(node.op, ast.Add | ast.Sub):
        left = source.operands(node, [node.left, node.right], old)[0]
        yield source.replace(Rank.LIKELY, node, left)
    for new in others:
        rank = Rank.LIKELY if one else Rank.USUAL
        yield source.operator(rank, node.left, node.right, old, new)
    match node:  # a rate, the other way round
        case ast.BinOp(left=ast.BinOp(op=ast.Mult()) as product, op=ast.Div()):
            rate = source.operands(node, [product, node.right], "/")[1]
            left, right = source.operands(product, [product.left, product.right], "*")
            yield source.replace(Rank.USUAL, node, f"{left} * {rate} / {right}")
    if isinstance(node.op, ast.Add | ast.Sub) and plain(node.left):
        yield from _share(node, source, old)
    for name in source.neighbours.constants:
        for part in (node.left, node.right):
            if plain(part) and source.text(part) != name:
                yield source.replace(Rank.RARE, part, f"({name} - {source.text(part)})")
    if source.error == "ZeroDivisionError" and isinstance(node.op, ast.Div | ast.FloorDiv):
        left, right = source.operands(node, [node.left, node.right], old)
        for nothing in ("0.0", "0") if isinstance(node.op, ast.Div) else ("0",):
            text = f"({left} {old} {right} if {right} else {nothing})"
            yield source.replace(Rank.LIKELY, node, text)


def _share(node: ast.BinOp, source: Source, sign: str) -> Iterator[Change]:
    """A part of something that is added to it or taken from it, where only a number was."""
    left, right = source.operands(node, [node.left, node.right], sign)
    match node.right:
        case ast.BinOp(op=ast.Div() | ast.Mult()):
            yield source.replace(Rank.USUAL, node, f"{left} {sign} {left} * {right}")
        case ast.Name() | ast.Attribute() | ast.Subscript():
            yield source.replace(Rank.RARE, node, f"{left} {sign} {left} * {right}")


def _rounded_up(node: ast.BinOp, source: Source) -> str:
    left, right = source.operands(node, [node.left, node.right], "//")
    if isinstance(node.left, ast.BinOp) and not left.startswith("("):
        left = f"({left})"
    return f"-(-{left} // {right})"


def _constant(node: ast.Constant, source: Source) -> Iterator[Change]:
    match node.value:
        case bool(value):  # a default is what most calls rest on
            rank = Rank.RARE if node in source.defaults else Rank.LIKELY
            yield source.replace(rank, node, str(not value))
        case int(value):
            # A large number is rarely wrong by one, and then passes a test by chance.
            rank = Rank.USUAL if abs(value) <= _COUNTED else Rank.LAST
            yield source.replace(rank, node, str(value + 1))
            yield source.replace(rank, node, str(value - 1))
            around = source.neighbours.numbers
            for other in (*around, *_UNITS) if abs(value) > 1 else ():
                yield source.replace(Rank.LAST, node, other)


def _subscript(node: ast.Subscript, source: Source) -> Iterator[Change]:
    match node.slice:
        case ast.Slice(lower=None, upper=None):
            yield source.copy(Rank.USUAL, node, node.value)
        case ast.Slice(lower=lower, upper=upper):
            yield from _shifted(Rank.LIKELY, lower, source)
            yield from _shifted(Rank.LIKELY, upper, source)
        case key:
            yield from _shifted(Rank.RARE, key, source)
            if source.error == "KeyError" and isinstance(node.ctx, ast.Load):
                for default in ("", ", 0"):
                    text = f"{source.text(node.value)}.get({source.text(key)}{default})"
                    yield source.replace(Rank.LIKELY, node, text)


def _shifted(rank: Rank, node: ast.expr | None, source: Source) -> Iterator[Change]:
    """One more and one less."""
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        return  # the number itself is changed
    if node is not None and (isinstance(node, ast.BinOp) or plain(node)):
        text = source.text(node)
        yield source.replace(rank, node, f"{text} + 1")
        yield source.replace(rank, node, f"{text} - 1")


def _call(node: ast.Call, source: Source) -> Iterator[Change]:
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args):
            for argument in args:
                yield from _shifted(Rank.LIKELY, argument, source)
        case ast.Call(func=ast.Name(id="list" | "dict" | "set"), args=[ast.expr() as copied]):
            yield source.copy(Rank.USUAL, node, copied)
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="dict"), attr="fromkeys"),
            args=[names, ast.List() | ast.Dict() | ast.Set() | ast.Call() as each],
        ):
            text = f"{{key: {source.text(each)} for key in {source.text(names)}}}"
            yield source.replace(Rank.LIKELY, node, text)
        case ast.Call(func=ast.Attribute(value=copied, attr="copy"), args=[]):
            yield source.copy(Rank.USUAL, node, copied)
        case ast.Call(func=ast.Attribute(attr="split" | "rsplit"), args=[ast.expr() as at]):
            yield source.replace(Rank.USUAL, at, f"{source.text(at)}, 1")
        case ast.Call(func=ast.Name(id="int") as function, args=[_]):
            yield source.replace(Rank.USUAL, function, "round")
            yield source.replace(Rank.USUAL, function, "math.ceil", "import math")
        case ast.Call(func=ast.Name(id="round"), args=[ast.expr() as rounded]):
            yield source.replace(Rank.USUAL, node, f"round({source.text(rounded)}, 2)")
        case ast.Call(func=ast.Name(id="sorted") | ast.Attribute(attr="sort")):
            yield from _sorted(node, source)
        case ast.Call(func=ast.Name(id=name) as function) if name in _NAMES:
            yield source.replace(Rank.USUAL, function, _NAMES[name])
            if source.error == "ValueError" and len(node.args) == 1 and name in ("min", "max"):
                yield _with_keyword(node, "default=0", source, Rank.LIKELY)
        case ast.Call(func=ast.Attribute(attr=name), args=[key, *_]) if name in _KEYED:
            yield from _normalised(key, source)
    match node:  # a distance, not a rise
        case ast.Call(
            func=ast.Name(id="max" | "min"),
            args=[ast.Constant(value=0), ast.BinOp(op=ast.Sub()) as rise]
            | [ast.BinOp(op=ast.Sub()) as rise, ast.Constant(value=0)],
        ):
            yield source.replace(Rank.USUAL, node, f"abs({source.text(rise)})")
    match node:  # what is empty has no value
        case ast.Call(args=[ast.Name() | ast.Attribute() | ast.Subscript() as value], keywords=[]):
            for other in ("None", "0") if source.error in _UNREADABLE else ():
                text = f"({source.text(node)} if {source.text(value)} else {other})"
                yield source.replace(Rank.LIKELY, node, text)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _SWAPPED:
        end = source.end(node.func)
        yield Change(Rank.USUAL, end - len(node.func.attr), end, _SWAPPED[node.func.attr])
    if len(node.args) == 2 and not node.keywords:
        first, second = node.args
        text = f"{source.text(second)}, {source.text(first)}"
        yield Change(Rank.RARE, source.start(first), source.end(second), text)


def _sorted(node: ast.Call, source: Source) -> Iterator[Change]:
    """The other way round, by all or by one of its keys."""
    given = {keyword.arg: keyword for keyword in node.keywords}
    match node.args:  # each once
        case [ast.GeneratorExp() as every]:  # its place is that of the brackets, too
            yield source.replace(Rank.RARE, every, f"({{{source.text(every)[1:-1]}}})")
        case [whole]:
            yield source.replace(Rank.RARE, whole, f"set({source.text(whole)})")
    if "key" not in given:
        for text in ("str.lower", "int", "len"):
            yield _with_keyword(node, f"key={text}", source, Rank.RARE)
    if "reverse" not in given:
        yield _with_keyword(node, "reverse=True", source)
    match given.get("key"):
        case ast.keyword(value=ast.Lambda(body=ast.Tuple(elts=keys))):
            pass
        case _:
            return
    if "reverse" not in given:
        for key in keys:
            if not isinstance(key, ast.UnaryOp):  # else its sign is taken away
                yield source.replace(Rank.USUAL, key, f"-{source.text(key)}")
    elif isinstance(keys[0], ast.UnaryOp):
        return
    elif given["reverse"] is node.keywords[-1] and len(node.keywords) > 1:
        start, end = source.end(node.keywords[-2].value), source.end(given["reverse"].value)
        before = source.between(source.start(keys[0]), start)
        yield Change(Rank.LIKELY, source.start(keys[0]), end, f"-{before}")
        if len(keys) > 2:
            down = [f"-{source.text(key)}" for key in keys[:-1]]
            rest = source.between(source.end(keys[-1]), start)
            text = f"{', '.join([*down, source.text(keys[-1])])}{rest}"
            yield Change(Rank.LIKELY, source.start(keys[0]), end, text)


def _with_keyword(node: ast.Call, keyword: str, source: Source, rank: Rank = Rank.USUAL) -> Change:
    head = source.text(node)[:-1].rstrip().rstrip(",")
    comma = ", " if node.args or node.keywords else ""
    return source.replace(rank, node, f"{head}{comma}{keyword})")


def _condition(test: ast.expr, source: Source) -> Iterator[Change]:
    text = source.text(test)
    if plain(test):
        yield source.replace(Rank.USUAL, test, f"{text} is not None")
    if not isinstance(test, ast.UnaryOp | ast.Compare):
        yield source.replace(Rank.RARE, test, f"not ({text})")
