"""Statements as the model would have written them itself, tried against the tests that fail.

A model that writes a function again copies what is wrong with it. One that was trained to fill
gaps is given the code around a statement instead, and writes what it would put there (so Xia and
Zhang's AlphaRepair, "Less Training, More Repairing Please", 2022). Owns what it sees of the code,
and which definitions come of its texts. Must not know how gaps are filled, nor how changes are
tried.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent

from agent.messages import AssistantMessage, UserMessage
from agent.models.base import INFILL, Gap, Infill
from agent.prompts import fill
from agent.steering import material, surroundings
from agent.steering.bench import Bench, first_failure
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Reply, Rewind, ask
from tools.mend import Definition
from tools.outline import Ranked
from tools.python_syntax import parsed, source_lines
from tools.syntax import language_of
from tools.testing.reports import TestCase, TestRun

STATEMENTS = 48
"""For which others are asked for; on two cores of a CPU one takes three seconds."""
TOGETHER = 12
"""Statements, at least, of which all others are tried at once."""
SECONDS = 30.0
"""What one such trial may take."""
OTHERS = 4_000
"""Characters of other files."""
_SOUND = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.TryStar),
    *(ast.Raise, ast.Pass, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal),
)
"""Statements that are seldom wrong, at least in what stands before their bodies."""
_REMARK = re.compile(r"(#[^\"'\r\n]*?)\s*$")
"""A comment at a line's end; one with quotes in it may be a text."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement of a definition; of one with a body, what stands before that."""

    item: Ranked
    lines: tuple[str, ...]
    """Of the file, with their ends."""
    first: int
    """The line where it begins, counted from 0."""
    end: int
    """The line behind it."""
    remark: str
    """The comment at its end."""

    @property
    def margin(self) -> str:
        line = self.lines[self.first]
        return line[: len(line) - len(line.lstrip())]

    @property
    def text(self) -> str:
        text = "".join(self.lines[self.first : self.end]).strip()
        return text.removesuffix(self.remark).rstrip()

    def definition(self, text: str) -> str:
        """The definition that it is in, with another text in its place."""
        symbol = self.item.symbol
        before = self.lines[symbol.first_line - 1 : self.first]
        after = self.lines[self.end : symbol.last_line]
        remark = f"  {self.remark}" if self.remark else ""
        return "".join((*before, f"{self.margin}{text}{remark}\n", *after))


@dataclass(slots=True)
class Infilling:
    """What is asked about the statements of one piece of code, each of them once."""

    bench: Bench
    shown: Material
    run: TestRun
    """The tests as they are."""
    good: Callable[[TestRun], bool]
    """Whether a run of all tests with a change is good enough."""
    tests: bool
    """Whether the model sees the first test that fails."""
    _seen: set[tuple[str, int]] = field(default_factory=set)
    """The lines where statements begin that were asked about."""

    def improve(
        self, items: Iterable[Ranked], most: int = STATEMENTS
    ) -> Generator[Move, Reply, TestRun | None]:
        """Try other statements of definitions, the likeliest first.

        Args:
            items: Those of the code that is shown.
            most: How many statements, those that were asked about before not counted.

        Returns:
            The run with the change that stands in the tree; None if none helped.
        """
        bench = self.bench
        if not bench.spec.infills:
            return None
        case = first_failure(self.run) if self.tests else None
        checkpoint = bench.workspace.checkpoint()
        every = itertools.islice(_statements(bench, items, self._seen), most)
        for some in _batches(every):
            if bench.edits_ask() or not bench.can_try(self.run):
                return None  # what the model writes here is run before it is shown
            names = ", ".join(dict.fromkeys(f"`{one.item.symbol.name}`" for one in some))
            gaps = tuple(_gaps(bench, self.shown, case, some))
            question = UserMessage(fill("guided_infill", symbols=names))
            answer = yield from ask(Ask(question, infill=Infill(gaps, stop=("  #",))))
            places = _places(bench, _said(answer, some))
            yield Rewind(0, checkpoint, "Trying what the model would have written instead.")
            after = None
            if places:
                after = yield from bench.try_changes(places, self.run, self.good, SECONDS)
            if after is not None:
                return after
        return None


def _batches(statements: Iterable[_Statement]) -> Iterator[list[_Statement]]:
    """Those of whole definitions, some definitions together; in the order of their files."""
    batch: list[_Statement] = []
    for _, group in itertools.groupby(statements, key=lambda one: one.item):
        batch.extend(group)
        if len(batch) >= TOGETHER:
            yield sorted(batch, key=lambda one: (one.item.path, one.first))
            batch = []
    if batch:
        yield sorted(batch, key=lambda one: (one.item.path, one.first))


def _statements(
    bench: Bench, items: Iterable[Ranked], seen: set[tuple[str, int]]
) -> Iterator[_Statement]:
    """Those of definitions that were not seen before; what is given is seen."""
    for item in items:
        if language_of(item.path) != "python":
            continue
        text = material.text_of(bench.workspace, item.path).removeprefix("\ufeff")
        tree, lines = parsed(text), tuple(source_lines(text))
        first, last = item.symbol.first_line, item.symbol.last_line
        nodes = [
            node
            for node in ast.walk(tree or ast.Module([], []))
            if isinstance(node, ast.stmt) and not isinstance(node, _SOUND) and not _is_text(node)
            if first <= node.lineno <= last and (item.path, node.lineno) not in seen
        ]
        end = 0
        for number in sorted({node.lineno for node in nodes}):
            seen.add((item.path, number))
            if number <= end:
                continue  # it is a part of the one before
            end = max(_end(node, lines) for node in nodes if node.lineno == number)
            remark = _REMARK.search(lines[end - 1]) if end == number else None
            yield _Statement(item, lines, number - 1, end, remark[1] if remark else "")


def _end(node: ast.stmt, lines: Sequence[str]) -> int:
    """The line where a statement ends, counted from 1; of one with a body, the last before that."""
    match node:
        case ast.If(test=head) | ast.While(test=head):
            pass
        case ast.For(iter=head) | ast.AsyncFor(iter=head) | ast.Match(subject=head):
            pass
        case ast.With(items=[*_, item]) | ast.AsyncWith(items=[*_, item]):
            head = item.context_expr
        case _:
            return node.end_lineno or node.lineno
    body = node.cases[0].pattern if isinstance(node, ast.Match) else node.body[0]
    for number in range(head.end_lineno or head.lineno, body.lineno):
        if _REMARK.sub("", lines[number - 1]).rstrip().endswith(":"):
            return number
    return node.end_lineno or node.lineno  # the body stands on the same line


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _gaps(
    bench: Bench,
    shown: Material,
    case: TestCase | None,
    statements: Sequence[_Statement],
) -> Iterator[Gap]:
    """The gaps that statements leave, behind what is to be known of the task."""
    tests = [
        _file(*test)
        for test in material.tests(bench.workspace, bench.index(), [case] if case else [])
    ]
    files = {
        path: _file(path, material.text_of(bench.workspace, path))
        for path in dict.fromkeys(item.path for item in shown.candidates)
    }
    for one in statements:
        path, start = one.item.path, one.item.symbol.first_line - 1
        others = [file for other, file in files.items() if other != path]
        parts = (surroundings.issue(bench.task), *surroundings.fitting(others, OTHERS), *tests)
        known = "".join(parts)
        yield surroundings.gap(known, path, one.lines, start, one.first, one.end, one.text)


def _file(path: str, code: str) -> str:
    return f"# {path}\n{code.rstrip()}\n\n\n"


def _said(
    answer: AssistantMessage, statements: Sequence[_Statement]
) -> list[tuple[_Statement, str]]:
    """The texts of an answer and what they are for, the likeliest first."""
    found: list[tuple[float, _Statement, str]] = []
    for call in answer.calls:
        match call.arguments:
            case {"gap": int(gap), "text": str(text), "probability": float(likely)} if (
                call.name == INFILL and 0 <= gap < len(statements) and text.strip()
            ):
                found.append((likely, statements[gap], text))
    found.sort(key=lambda one: -one[0])
    return [(statement, text) for _, statement, text in found]


def _places(bench: Bench, said: Iterable[tuple[_Statement, str]]) -> list[Definition]:
    """The definitions that come of the texts: those that do something else, with imports that they
    lack."""
    found: dict[tuple[str, str, str], Definition] = {}
    index = bench.index()
    for one, text in said:
        path, symbol = one.item.path, one.item.symbol.name
        old = material.does(path, one.definition(one.text))
        lines = text.split("\n")
        for size in range(len(lines), 0, -1):  # it may have gone on for too long
            code = one.definition("\n".join(lines[:size]))
            if (does := material.does(path, code)) not in ("", old):
                imports = material.imports(
                    bench.workspace, index, path, "".join(one.lines), dedent(code)
                )
                whole = f"{imports}\n\n\n{code}" if imports else code
                found[path, symbol, does] = Definition(path=path, symbol=symbol, code=whole)
    return [*found.values()]
