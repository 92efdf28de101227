"""The same slip in other places: an expression that a change replaced, a guard that it put in.

An issue often tells of two symptoms, of which a test shows one. Owns which places are alike. Must
not know how the first was found.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from agent.steering import material
from agent.steering.bench import Bench
from agent.steering.moves import Move, Reply, Rewind, Tell, use
from agent.steering.suspects import functions
from agent.verify import compare
from tools.editing.mends.expressions import overlapping
from tools.editing.mends.guarding import guarded
from tools.editing.mends.neighbours import guards
from tools.editing.mends.source import Function, Guard, Source, names, outside_text
from tools.outline import Index
from tools.python_syntax import definition, parsed
from tools.syntax import Symbol, language_of
from tools.testing.find_tests import is_test_path
from tools.testing.reports import TestRun
from tools.text import changed_span

LEAST_WORDS = 2
"""Names in an expression; one with fewer stands in many places for many reasons."""
LEAST_LETTERS = 4
"""Of a name, below which it may stand in a text by chance."""

_NAME = re.compile(rb"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Slip:
    """An expression that was wrong."""

    old: bytes
    new: bytes
    start: int
    """Where it stood in its file."""


def mend(bench: Bench, task: str, run: TestRun, checkpoint: int) -> Generator[Move, Reply, TestRun]:
    """Mend the slip in the definitions that the task speaks of too, unless a test minds.

    Args:
        run: The tests with the change that is in the tree.
        checkpoint: Before that change.

    Returns:
        The run with what is in the tree now.
    """
    changes = [
        (change.path, change.before, change.after)
        for change in bench.workspace.changes(since=checkpoint)
        if change.before is not None and change.after is not None and not is_test_path(change.path)
    ]
    if len(changes) != 1:
        return run
    ((where, old, new),) = changes
    wrong, guard = slip(old, new), missed(old, new)
    index = bench.index()
    calls = []
    for path, symbol in spoken_of(task, index):
        data = bench.workspace.peek(path)
        mended = code = data[symbol.start : symbol.end]
        if guard is not None and path == where:
            with suppress(UnicodeDecodeError):
                mended = guarded(code.decode(), guard).encode()
        elif wrong is not None and not (path == where and symbol.start <= wrong.start < symbol.end):
            mended = corrected(code, wrong)
        if mended != code:
            with suppress(UnicodeDecodeError):
                calls.append(bench.replacing(path, symbol.name, mended.decode()))
    if not calls:
        return run
    bench.hold(run)
    before = bench.workspace.checkpoint()
    yield Tell("The same stands elsewhere in what the issue speaks of: mending it there too.")
    for call in calls:
        yield from use(call, by_model=False, needed=False)
    after = yield from bench.test()
    if compare(run, after).broken or after.failed > run.failed:
        yield Rewind(0, before, "The tests mind that: it is left as it was there.")
        bench.judge.see(run)
        after = run
    bench.reserve = None
    return after


def slip(before: bytes, after: bytes) -> Slip | None:
    """The expression that a change of a Python file replaced; None if it is another change."""
    start, end, _ = changed_span(before, after)
    more = len(after) - len(before)
    now = set(_spans(after))
    around = [
        (last - first, first, last)
        for first, last in _spans(before)
        if first <= start and last >= end and (first, last + more) in now
    ]
    if not around:
        return None
    for _, first, last in sorted(around):
        if len(_words(before[first:last])) >= LEAST_WORDS:
            return Slip(before[first:last], after[first : last + more], first)
    return None


def missed(before: bytes, after: bytes) -> Guard | None:
    """The guard that a change of a Python file put into a function; None if it is another."""
    had, has = (_guards(material.decode(data)) for data in (before, after))
    new = [guard for name, own in has.items() for guard in own if guard not in had.get(name, ())]
    return new[0] if len(new) == 1 else None


def _guards(module: str) -> dict[str, list[Guard]]:
    """Those of each function, by its name."""
    tree = parsed(module)
    if tree is None:
        return {}
    source = Source(module.encode(), tree)
    return {
        f"{getattr(holder, 'name', '')}.{node.name}": list(guards(node, source))
        for holder in ast.walk(tree)
        if isinstance(holder, ast.Module | ast.ClassDef)
        for node in holder.body
        if isinstance(node, Function)
    }


def corrected(code: bytes, wrong: Slip) -> bytes:
    """A definition with the slip mended wherever it stands; the same if it does not.

    Where another function was called, it is called for what goes by one of the same names, too:
    after `int(minutes)` became `round(minutes)`, `int(leg.minutes())` becomes what it should be.
    After `a <= d and c <= b` became `a < d and c < b`, whatever asks for an overlap does it so.
    """
    if not _names(wrong.new) - _names(wrong.old) <= _names(code) | set(dir(builtins)):
        return code  # what the new one takes is not there
    old, new = (text.partition(b"(") for text in (wrong.old, wrong.new))
    words = _words(old[2]) if old[1:] == new[1:] and _NAME.fullmatch(old[0]) else set()
    strict = _other_way(wrong.old) == wrong.new
    for first, last in sorted(set(_spans(code)), reverse=True):
        there = code[first:last]
        if there == wrong.old and not code.startswith(wrong.new, first):
            code = code[:first] + wrong.new + code[last:]
        elif there.startswith(old[0] + b"(") and words & _words(there[len(old[0]) :]):
            code = code[:first] + new[0] + code[first + len(old[0]) :]
        elif strict and (b"=" in there) == (b"=" in wrong.old) and (other := _other_way(there)):
            code = code[:first] + other + code[last:]
    return code


def _other_way(code: bytes) -> bytes:
    """A condition that asks whether spans overlap, with the other boundaries; else empty."""
    tree = parsed(code)
    match tree and tree.body:
        case [ast.Expr(value=ast.BoolOp() as node)] if tree is not None:
            return (overlapping(node, Source(code, tree)) or "").encode()
    return b""


def _words(code: bytes) -> set[bytes]:
    return set(_NAME.findall(code)) - {b"self", b"cls"}


def spoken_of(task: str, index: Index) -> Iterator[tuple[str, Symbol]]:
    """The functions of Python outside the tests whose name, class or file stands in a task."""
    words = {word for word in re.findall(r"\w+", task.casefold()) if len(word) >= LEAST_LETTERS}
    for path, symbol in functions(index):
        names = {PurePosixPath(path).stem, *symbol.name.split(".")}
        if language_of(path) == "python" and words & set(map(str.casefold, names)):
            yield path, symbol


def _names(code: bytes) -> set[str]:
    tree = parsed(code.strip())
    return names(tree) if tree else set()


def _spans(code: bytes) -> Iterator[tuple[int, int]]:
    """Where the expressions begin and end; none if it is no Python."""
    try:
        head, tree = definition(code.decode())
    except UnicodeDecodeError:
        return
    if tree is None:
        return
    source = Source(head.encode() + code, tree)
    with suppress(RecursionError):
        for node in outside_text(tree):
            read = isinstance(getattr(node, "ctx", None), ast.Load | None)
            if isinstance(node, ast.expr) and read:
                yield source.start(node) - len(head), source.end(node) - len(head)
