"""What a new test takes from the tests there are: their fixtures, constants and helpers.

Owns which of them it needs and how it comes to them. Must not know what the test is of.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from agent.steering import lacking
from tools.python_syntax import parsed, source_lines

MAX_FILES = 100
"""Test files, the nearest first, from which something is taken."""
BUILT_IN = frozenset(
    ("tmp_path", "tmp_path_factory", "monkeypatch", "capsys", "capfd", "caplog", "recwarn")
)
"""pytest's own fixtures that tests ask for by name."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What a test needs besides its imports."""

    code: str = ""
    """Definitions that stand before it, as they stand in the tests there are."""
    fixtures: tuple[str, ...] = ()
    """What it asks for by its parameters."""


@dataclass(frozen=True, slots=True)
class _Definition:
    text: str
    needs: tuple[str, ...]
    fixture: bool
    given: bool
    """Whether pytest gives it to every test beneath its folder."""


def borrowed(names: Iterable[str], tests: Mapping[str, str]) -> Borrowed:
    """What of the test files gives these names a meaning.

    Args:
        names: Those that mean nothing in the new test.
        tests: Source by path, the nearest first.
    """
    names = dict.fromkeys(names)
    if not names:
        return Borrowed()
    known: dict[str, _Definition] = {}
    for path, source in itertools.islice(tests.items(), MAX_FILES):
        for name, found in _definitions(path, source).items():
            known.setdefault(name, found)
    wanted = [name for name in names if name in known or name in BUILT_IN]
    fixtures = tuple(name for name in wanted if name not in known or known[name].fixture)
    needed: dict[str, None] = {}
    while wanted:
        name = wanted.pop()
        if name not in known or known[name].given or name in needed:
            continue
        needed[name] = None
        wanted += known[name].needs
    text = "\n\n\n".join(found.text for name, found in known.items() if name in needed)
    return Borrowed(text, fixtures)


def asking(content: str, fixtures: Iterable[str]) -> str:
    """A file of tests, whose functions ask for those of the fixtures that they use."""
    tree = parsed(content)
    lines = source_lines(content)
    for node in tree.body if tree is not None else ():
        if not isinstance(node, _Function) or not node.name.startswith("test"):
            continue
        used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        has = {argument.arg for argument in node.args.args}
        more = [name for name in fixtures if name in used - has]
        head, bracket, rest = lines[node.lineno - 1].partition("(")
        if more and bracket:
            comma = "" if rest.lstrip().startswith(")") else ", "
            lines[node.lineno - 1] = f"{head}({', '.join(more)}{comma}{rest}"
    return "".join(lines)


@functools.lru_cache(maxsize=2 * MAX_FILES)
def _definitions(path: str, source: str) -> dict[str, _Definition]:
    """What a file of tests defines besides tests."""
    tree = parsed(source)
    lines = source_lines(source)
    common = PurePosixPath(path).name == "conftest.py"
    found: dict[str, _Definition] = {}
    for node in tree.body if tree is not None else ():
        fixture = False
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                fixture = any(map(_is_fixture, node.decorator_list))
                if name.startswith("test") and not fixture:
                    continue
            case ast.ClassDef(name=name):
                if name.startswith("Test"):
                    continue
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case _:
                continue
        decorators = getattr(node, "decorator_list", ())
        first = min((part.lineno for part in decorators), default=node.lineno)
        text = "".join(lines[first - 1 : node.end_lineno]).rstrip()
        try:
            needs = [*lacking.unknown("", text)]
        except (SyntaxError, ValueError, RecursionError):  # it stands on another's line
            continue
        if fixture and isinstance(node, _Function):
            needs += [argument.arg for argument in node.args.args]
        found[name] = _Definition(text, tuple(needs), fixture, fixture and common)
    return found


def _is_fixture(node: ast.expr) -> bool:
    match node.func if isinstance(node, ast.Call) else node:
        case ast.Name(id="fixture") | ast.Attribute(attr="fixture"):
            return True
    return False
