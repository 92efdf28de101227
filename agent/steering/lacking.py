"""The imports that new Python code needs and does not bring.

A weak model that writes one function forgets what its module must import for it. Owns which names
the code lacks and where they may come from. Must not know how code is put into a file.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from keyword import iskeyword
from os.path import commonprefix
from pathlib import PurePosixPath

from tools.syntax import Kind, Symbol, language_of
from tools.testing.find_tests import holds_tests, is_test_path

MAX_FILES = 200
"""Files in which an import of the same name, or its definition, is looked for."""
STANDARD = (
    "collections", "copy", "datetime", "decimal", "functools", "itertools", "math", "re",
    "contextlib", "dataclasses", "enum", "fractions", "heapq", "bisect", "operator", "pathlib",
    "string", "textwrap", "typing", "unicodedata",
)  # fmt: skip
"""Modules of the standard library whose names are known without their module."""


def imports(
    path: str,
    source: str,
    code: str,
    paths: Iterable[str],
    symbols: Callable[[str], Iterable[Symbol]],
    read: Callable[[str], str],
) -> str:
    """Import statements, a line each, for the names that `code` would lack in a file.

    The repository's own imports and definitions come before the standard library, near files before
    far ones, and code that is no test takes nothing from the tests. A name that is found nowhere is
    left: the tests will tell.

    Args:
        source: The file as it is.
        code: The new definition.
        paths: Where the repository's code lies.
        symbols: A path's definitions.
        read: A path's text; empty if it cannot be read.
    """
    if language_of(path) != "python":
        return ""
    try:
        module, given = ast.parse(source), ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    missing = _missing(module, given)
    if not missing:
        return ""
    others = [
        other
        for other in paths
        if language_of(other) == "python"
        and other != path
        and (is_test_path(path) or not is_test_path(other))
    ]
    others.sort(key=lambda other: -len(commonprefix((path, other))))  # noqa: RUF071 - letters do
    others = others[:MAX_FILES]
    read = functools.cache(read)
    lines = []
    for name, asked in missing.items():
        found = (
            _imported_elsewhere(name, path, others, read)
            or _defined_elsewhere(name, path, others, symbols)
            or _standard(name, asked=asked)
        )
        if found:
            lines.append(found)
    return "\n".join(lines)


def unknown(source: str, code: str) -> tuple[str, ...]:
    """The names that `code` reads and neither it nor its file gives a meaning.

    Raises:
        SyntaxError: One of them is no Python.
    """
    return tuple(_missing(ast.parse(source), ast.parse(code)))


def _missing(module: ast.AST, given: ast.AST) -> dict[str, bool]:
    known = {*_bound(module), *_bound(given), *dir(builtins)}
    if "*" in known:  # which may bring anything
        return {}
    return {
        name: asked
        for name, asked in _used(given).items()
        if name not in known and not name.startswith("__")  # those are each module's own
    }


def _used(tree: ast.AST) -> dict[str, bool]:
    """The names that are read, and whether each is only ever asked for its attributes."""
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used[node.id] = used.get(node.id, True) and id(node) in asked
    return used


def _bound(tree: ast.AST) -> Iterator[str]:
    """Every name that is given a meaning anywhere in the code."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]


def _imported_elsewhere(
    name: str, path: str, others: list[str], read: Callable[[str], str]
) -> str | None:
    # Most files only use the name, and to parse one takes a hundred times as long.
    imported = re.compile(rf"^(?:from|import)\b(?:.*|[^(\n]*\([^)]*)\b{name}\b", re.MULTILINE)
    for other in others:
        text = read(other)
        if name not in text or not imported.search(text):
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            near = PurePosixPath(other).parent == PurePosixPath(path).parent
            if isinstance(node, ast.ImportFrom) and node.level and not near:
                continue  # would mean another module from here
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    node.names = [alias]
                    return ast.unparse(node)
    return None


def _defined_elsewhere(
    name: str, path: str, others: list[str], symbols: Callable[[str], Iterable[Symbol]]
) -> str | None:
    homes = [
        other
        for other in others
        if not holds_tests(other)
        and any(s.name == name and s.kind is not Kind.IMPORTS for s in symbols(other))
    ]
    if len(homes) != 1:
        return None
    home = PurePosixPath(homes[0])
    parts = [part for part in home.with_suffix("").parts if part != "src"]
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or any(not part.isidentifier() or iskeyword(part) for part in parts):
        return None
    near = home.parent == PurePosixPath(path).parent and home.parent.name
    if near and home.stem == parts[-1] and str(home.parent / "__init__.py") in {path, *others}:
        return f"from .{home.stem} import {name}"
    return f"from {'.'.join(parts)} import {name}"


def _standard(name: str, *, asked: bool) -> str | None:
    if asked and name in sys.stdlib_module_names:
        return f"import {name}"
    if name.startswith("_"):
        return None
    for module in map(import_module, STANDARD):
        public = getattr(module, "__all__", None)
        if name in public if public is not None else hasattr(module, name):
            return f"from {module.__name__} import {name}"
    return None
