"""Import statements that code brings along, added to a file that lacks them.

Owns what counts as imported already and where a new statement goes. Must not know definitions.
"""

from __future__ import annotations

import ast
import re

from tools.syntax import Kind, Symbol, language_of

_WORD = re.compile(r"[\w$@]+")
_LISTED = re.compile(r"(?P<head>import\s[^{]*)\{(?P<names>[^}]*)\}(?P<tail>\s*from.*)")
_GO_SPEC = re.compile(r'(?:(?!import\b)[\w.]+[ \t]+)?"[^"\n]+"')
_PACKAGE = re.compile(rb"^\s*package\b[^\n]*\n", re.MULTILINE)
_HEADING = re.compile(rb"(?:[ \t]*(?:#(?!include|define|if)|//)[^\n]*\n|[ \t]*\n)*")


def added(path: str, source: str, found: tuple[Symbol, ...], wanted: str) -> list[tuple[int, str]]:
    """The insertions, as offsets in bytes and texts, that import what `wanted` does.

    Args:
        found: The symbols of `source`.
        wanted: Import statements.
    """
    data = source.encode()
    block = next((symbol for symbol in found if symbol.kind is Kind.IMPORTS), None)
    if language_of(path) == "python":
        top = {symbol.name for symbol in found if "." not in symbol.name}
        missing = _missing_python(source, top, wanted)
    else:
        there = data[block.start : block.end].decode() if block else ""
        missing = _missing(there, _go_specs(wanted) if language_of(path) == "go" else wanted)
    future = [line for line in missing if line.startswith("from __future__")]
    others = [line for line in missing if line not in future]
    if block is None:
        if not missing:
            return []
        place = _top(path, source)
        gap = "\n" if data[:place].strip() and not data[:place].endswith(b"\n\n") else ""
        after = "" if data[place:].startswith(b"\n") else "\n"
        return [(place, gap + "\n".join(future + others) + "\n" + after)]
    insertions = []
    if future:
        insertions.append((block.start, "\n".join(future) + "\n"))
    if others:
        insertions.append((block.end, "\n" + "\n".join(others)))
    return insertions


def _missing_python(source: str, defined: set[str], wanted: str) -> list[str]:
    try:
        statements = ast.parse(wanted).body
    except SyntaxError:
        return []
    try:
        there = _bound(ast.parse(source))
    except (SyntaxError, ValueError):
        there = {key for line in source.split("\n") for key in _bound_by_line(line)}
    missing = []
    for node in statements:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [
            alias
            for alias, key in zip(node.names, _keys(node), strict=True)
            if key not in there and (alias.asname or alias.name) not in defined
        ]
        if len(names) == len(node.names):
            missing.append(ast.get_source_segment(wanted, node) or ast.unparse(node))
        elif names:
            node.names = names
            missing.append(ast.unparse(node))
        there.update(_keys(node))
    return missing


def _bound(tree: ast.AST) -> set[str]:
    """What a module imports outside its functions and classes."""
    found: set[str] = set()
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(_keys(node))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))
    return found


def _bound_by_line(line: str) -> set[str]:
    try:
        return _bound(ast.parse(line))
    except (SyntaxError, ValueError):
        return set()


def _keys(node: ast.Import | ast.ImportFrom) -> list[str]:
    """One for each name: where from, what, and what it is called here."""
    origin = f"{'.' * node.level}{node.module or ''}:" if isinstance(node, ast.ImportFrom) else ""
    return [f"{origin}{alias.name} as {alias.asname or alias.name}" for alias in node.names]


def _missing(there: str, wanted: str) -> list[str]:
    """Statements with a word that the file's own do not have, without the names it has."""
    known = set(_WORD.findall(there))
    missing = []
    for text in _statements(wanted):
        if set(_WORD.findall(text)) <= known:
            continue
        listed = _LISTED.fullmatch(text)
        if listed:
            # A name that is imported twice is an error in JavaScript.
            names = [name.strip() for name in listed["names"].split(",")]
            names = [name for name in names if name and name.split()[-1] not in known]
            text = f"{listed['head']}{{ {', '.join(names)} }}{listed['tail']}"
        missing.append(text)
    return missing


def _go_specs(text: str) -> str:
    """Go's groups as a statement each."""
    return "\n".join(f"import {spec}" for spec in _GO_SPEC.findall(text))


def _statements(text: str) -> list[str]:
    """Lines, joined while a bracket is open."""
    whole: list[str] = []
    depth = 0
    for line in text.split("\n"):
        if depth > 0:
            whole[-1] += "\n" + line
        elif line.strip():
            whole.append(line)
        depth += sum(line.count(char) for char in "({") - sum(line.count(char) for char in ")}")
    return whole


def _top(path: str, source: str) -> int:
    """Where a first import goes: after the docstring, the package, the comments at the top."""
    data = source.encode()
    if language_of(path) == "python":
        try:
            body = ast.parse(source).body
        except (SyntaxError, ValueError):
            body = []
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            lines = data.split(b"\n")[: body[0].end_lineno]
            return min(len(b"\n".join(lines)) + 1, len(data))
    package = _PACKAGE.search(data)
    if package and language_of(path) in ("go", "java"):
        return package.end()
    heading = _HEADING.match(data)
    return heading.end() if heading else 0
