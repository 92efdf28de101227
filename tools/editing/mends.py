"""Small changes of a Python definition that mend the commonest faults.

A boundary, a condition, an operator, a constant, something shared that should be a copy: most
faults are one of a few slips, and a run of the tests is cheaper than an answer. The templates are
of the kind of TBar's (Liu et al., "Revisiting Template-Based Automated Program Repair", 2019). Owns
the templates and their order. Must not know whether a change mends anything.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

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
    ast.FloorDiv: ("//", ("/",)),
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LIKELY, _USUAL, _RARE = range(3)
_COMMENT = re.compile(rb"#[^\r\n]*")


@dataclass(frozen=True, slots=True, order=True)
class _Change:
    rank: int
    start: int
    """In bytes."""
    end: int
    text: str
    imports: str = ""


def mends(code: str, error: str = "", *, likely: bool | None = None) -> Iterator[str]:
    """The definition with one small change each, the likeliest first; none if it is no Python.

    Args:
        code: A function, a class or a statement, as it stands in its file.
        error: The exception that it lets through, where that is the fault.
        likely: The likely changes alone, or the others alone; None: all.
    """
    # What is indented is read beneath a line of ours: text in it may stand further left.
    head = "if 1:\n" if code[:1] in (" ", "\t") else ""
    tree = _parsed(head + code)
    if tree is None:
        return
    first = tree.body[0] if head else None
    found = _Finder((head + code).encode(), error)
    try:
        for statement in first.body if isinstance(first, ast.If) else tree.body:
            found.visit(statement)
        same = ast.dump(tree)
    except RecursionError:
        return
    made: set[str] = set()
    for change in sorted(found.changes):
        if likely is not None and likely is not (change.rank == _LIKELY):
            continue
        data = found.source[: change.start] + change.text.encode() + found.source[change.end :]
        text = data.decode()
        changed = _parsed(text)
        if text in made or changed is None or ast.dump(changed) == same:
            continue
        made.add(text)
        text = text.removeprefix(head)
        yield f"{change.imports}\n\n\n{text}" if change.imports else text


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the code says, none is ours
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(slots=True)
class _Finder(ast.NodeVisitor):
    source: bytes
    error: str
    changes: list[_Change] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _parameters: set[str] = field(default_factory=set)
    _defaults: list[ast.expr] = field(default_factory=list)

    def __post_init__(self) -> None:
        ends = re.finditer(rb"\r\n|\r|\n", self.source)
        self._lines = [0, *(match.end() for match in ends)]

    # --- places

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def _of(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self._start(node) : self._end(node)].decode()

    def _replace(self, rank: int, node: ast.expr | ast.stmt, text: str, imports: str = "") -> None:
        self.changes.append(_Change(rank, self._start(node), self._end(node), text, imports))

    def _operator(self, left: ast.expr, right: ast.expr, old: str) -> tuple[int, int]:
        """Where the operator between two operands stands."""
        start, end = self._end(left), self._start(right)
        between = _COMMENT.sub(lambda match: b" " * len(match[0]), self.source[start:end])
        words = rb"[\s\\]+".join(re.escape(word.encode()) for word in old.split())
        match = re.search(words, between)
        return (start + match.start(), start + match.end()) if match else (start, end)

    def _between(self, rank: int, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Another operator between two operands."""
        start, end = self._operator(left, right, old)
        self.changes.append(_Change(rank, start, end, new))

    def _operands(self, node: ast.expr, values: list[ast.expr], old: str) -> list[str]:
        """The operands with the brackets around each."""
        ends = [self._operator(*pair, old) for pair in pairwise(values)]
        starts = [self._start(node), *(end for _, end in ends)]
        stops = [*(start for start, _ in ends), self._end(node)]
        return [
            self.source[a:b].decode().strip(" \t\r\n\\") for a, b in zip(starts, stops, strict=True)
        ]

    # --- templates

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            old, others = _COMPARISONS[type(operator)]
            for number, new in enumerate(others):
                boundary = number == 0 and old[0] in "<>"
                self._between(_LIKELY if boundary else _USUAL, left, right, old, new)
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            self._between(_LIKELY, left, right, old, new)
        values = self._operands(node, node.values, old)
        if old == "or" and len(values) == 2 and _plain(node.values[0]):
            self._replace(
                _USUAL, node, f"({values[0]} if {values[0]} is not None else {values[1]})"
            )
        for number in range(len(values)):
            others = values[:number] + values[number + 1 :]
            self._replace(_RARE, node, f" {old} ".join(others))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        sign = {ast.Not: "not", ast.USub: "-"}.get(type(node.op))
        if sign == "not" and _plain(node.operand):  # what is empty may not be what is missing
            self._replace(_LIKELY, node, f"{self._of(node.operand)} is None")
        if sign:
            self._replace(_USUAL, node, self._of(node).removeprefix(sign).lstrip())
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        old, others = _OPERATORS.get(type(node.op), ("", ()))
        one = isinstance(node.right, ast.Constant) and node.right.value == 1
        if one and isinstance(node.op, ast.Add | ast.Sub):
            self._replace(_LIKELY, node, self._operands(node, [node.left, node.right], old)[0])
        for new in others:
            self._between(_LIKELY if one else _USUAL, node.left, node.right, old, new)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool(value):  # a default is what most calls rest on
                self._replace(_RARE if node in self._defaults else _LIKELY, node, str(not value))
            case int(value):
                self._replace(_USUAL, node, str(value + 1))
                self._replace(_USUAL, node, str(value - 1))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.slice, ast.Slice):
            bounds = node.slice.lower, node.slice.upper
            for bound in bounds:
                self._shift(_LIKELY, bound)
            if bounds == (None, None):
                self._copy(node, node.value)
        else:
            self._shift(_RARE, node.slice)
        self.generic_visit(node)

    def _shift(self, rank: int, node: ast.expr | None) -> None:
        """One more and one less."""
        if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
            return  # the number itself is changed
        if node is None or not (isinstance(node, ast.BinOp) or _plain(node)):
            return
        text = self._of(node)
        self._replace(rank, node, f"{text} + 1")
        self._replace(rank, node, f"{text} - 1")

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Name(id="range"), args=args):
                for argument in args:
                    self._shift(_LIKELY, argument)
            case ast.Call(func=ast.Name(id="list" | "dict" | "set"), args=[ast.expr() as copied]):
                self._copy(node, copied)
            case ast.Call(func=ast.Attribute(value=copied, attr="copy"), args=[]):
                self._copy(node, copied)
            case ast.Call(func=ast.Attribute(attr="split" | "rsplit"), args=[ast.expr() as at]):
                self._replace(_USUAL, at, f"{self._of(at)}, 1")
            case ast.Call(func=ast.Name(id=name) as function) if name in _NAMES:
                self._replace(_USUAL, function, _NAMES[name])
        self.generic_visit(node)

    def _copy(self, node: ast.expr, copied: ast.expr, rank: int = _USUAL) -> None:
        self._replace(rank, node, f"copy.deepcopy({self._of(copied)})", "import copy")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Left out: before Python 3.12 the places in it are wrong."""

    def visit_arg(self, node: ast.arg) -> None:
        """Left out: a type changes nothing."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self._parameters
        arguments = [*node.args.posonlyargs, *node.args.args]
        self._parameters = {argument.arg for argument in (*arguments, *node.args.kwonlyargs)}
        defaults = [
            *zip(
                arguments[len(arguments) - len(node.args.defaults) :],
                node.args.defaults,
                strict=True,
            ),
            *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
        ]
        self._defaults += [default for _, default in defaults if default is not None]
        for argument, default in defaults:
            if isinstance(default, ast.List | ast.Dict | ast.Set):
                self._own_default(node, argument.arg, default)
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)
        self._parameters = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def _own_default(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, default: ast.expr
    ) -> None:
        """A new object at each call instead of one that all calls share."""
        told = ast.get_docstring(node) is not None and len(node.body) > 1
        first = node.body[1 if told else 0]
        begun = min(
            (part.lineno for part in getattr(first, "decorator_list", ())), default=first.lineno
        )
        at = self._lines[begun - 1]
        margin = self.source[at : self._start(first)].decode()
        margin = margin[: len(margin) - len(margin.lstrip(" \t"))]
        if at < self._end(default):
            return  # the body stands behind the head, on one line
        value, text = self._of(default), self.source[self._end(default) : at].decode()
        made = f"None{text}{margin}if {name} is None:\n{margin}    {name} = {value}\n"
        self.changes.append(_Change(_LIKELY, self._start(default), at, made))

    def visit_Assign(self, node: ast.Assign) -> None:
        kept = isinstance(node.targets[0], ast.Attribute)
        if kept and isinstance(node.value, ast.Name) and node.value.id in self._parameters:
            self._copy(node.value, node.value, _RARE)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if isinstance(node.value, ast.Attribute):
            self._copy(node.value, node.value, _RARE)
        self.generic_visit(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        if isinstance(node.value, ast.Attribute):
            self._copy(node.value, node.value, _RARE)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        text = self._of(test)
        if _plain(test):
            self._replace(_USUAL, test, f"{text} is not None")
        if not isinstance(test, ast.UnaryOp | ast.Compare):
            self._replace(_RARE, test, f"not ({text})")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        caught = [self._of(kind) for kind in kinds if kind is not None]
        if self.error and node.type is not None and self.error not in caught:
            self._replace(_LIKELY, node.type, f"({', '.join([*caught, self.error])})")
        self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(_RARE, node, "break")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(_RARE, node, "continue")

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._replace(_RARE, node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(_RARE, node, "pass")
        self.generic_visit(node)


def _plain(node: ast.expr) -> bool:
    """Whether it may be None as well as something empty."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
