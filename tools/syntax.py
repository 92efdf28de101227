"""Source code as symbols: the functions, methods, classes and constants a file defines, and where.

Owns the grammars and what a symbol is. Must not know workspaces, ranking or edits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tools.grammars import (
    ENDINGS,
    GRAMMARS,
    Grammar,
    is_function_value,
    load,
    names,
    owner,
)

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

LONGEST_SOURCE = 2 * 1024 * 1024
"""Bytes; a longer file is generated, and parsing it would take seconds: it has no symbols."""
LONGEST_SIGNATURE = 200
"""Characters."""


class Kind(StrEnum):
    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    VARIABLE = "variable"
    """A module-level assignment, or one in a class body."""
    IMPORTS = "imports"
    """The block of import statements at a module's top; its name is `(imports)`."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition, whole: decorators included, the newline after it not."""

    name: str
    """Qualified within its file: `mean`, `Report.render`, `RATE`, `(imports)`."""
    kind: Kind
    start: int
    """Offset in bytes of the first byte of its first line, indentation included."""
    end: int
    """Offset in bytes just past its last character."""
    first_line: int
    """1-based, decorators included."""
    last_line: int
    signature: str
    """The line that names it, without decorators, without indentation, as written."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a file stops being valid source."""

    line: int
    """1-based."""
    message: str


def language_of(path: str) -> str | None:
    """The grammar for a path by its ending (`python`, `typescript`, …); None if there is none."""
    return ENDINGS.get(path.rpartition("/")[2].rpartition(".")[2].lower()) if "." in path else None


def symbols(path: str, source: bytes) -> tuple[Symbol, ...]:
    """All symbols in the order of the file; empty for a language without a grammar."""
    language = language_of(path)
    if language is None or len(source) > LONGEST_SOURCE:
        return ()
    return tuple(_Reader(GRAMMARS[language], source).read(_outer_tree(language, source).root_node))


def problem(path: str, source: bytes) -> Problem | None:
    """The first syntax error, or None; None too for a language without a grammar."""
    language = language_of(path)
    if language is None or len(source) > LONGEST_SOURCE:
        return None
    if (zero := source.find(b"\0")) >= 0:
        return Problem(source.count(b"\n", 0, zero) + 1, "the file holds a zero byte")
    tree = _parse(language, source)
    if language == "python":
        # 10 ms; only needed when Python has been edited
        from tools.python_syntax import verdict

        return verdict(source, tree, _first_error(tree.root_node))
    return _first_error(tree.root_node)


def _outer_tree(language: str, source: bytes) -> Tree:
    """A tree that is right but for what is inside functions."""
    if language == "python":
        # 5 ms; only needed when there is Python to parse
        from tools.python_bodies import without_bodies

        tree = _parse(language, without_bodies(source))
        if not tree.root_node.has_error:
            return tree
    return _parse(language, source)


def _parse(language: str, source: bytes) -> Tree:
    # 15 ms; only needed when there is something to parse
    from tree_sitter import Parser

    return Parser(load(language)).parse(source)


class _Reader:
    """Finds the symbols of one parsed file, without descending into functions."""

    def __init__(self, grammar: Grammar, source: bytes) -> None:
        self.grammar = grammar
        self.source = source
        comment = re.escape(grammar.comment)
        self.rest = re.compile(rb"[ \t]*;?[ \t]*(?:" + comment + rb"[^\r\n]*)?(?=\r?\n|\Z)")

    def read(self, root: Node) -> list[Symbol]:
        found = [*self._imports(root), *self._definitions(root)]
        found.sort(key=lambda symbol: (symbol.start, -symbol.end))
        return found

    def _definitions(self, root: Node) -> Iterator[Symbol]:
        """Depth first, with a stack of its own: source may nest deeper than Python can recurse."""
        grammar = self.grammar
        stack: list[tuple[Node, Node | None, str, bool]] = []

        def push(parent: Node, prefix: str, in_type: bool) -> None:
            first: Node | None = None
            children: list[tuple[Node, Node | None, str, bool]] = []
            for child in parent.named_children:
                if child.type in grammar.marks:
                    first = first or child
                else:
                    children.append((child, first, prefix, in_type))
                    first = None
            stack.extend(reversed(children))

        push(root, "", False)
        while stack:
            node, first, prefix, in_type = stack.pop()
            kind = node.type
            if kind in grammar.wrappers:
                inner = node.child_by_field_name(grammar.wrappers[kind])
                parts = [inner] if inner is not None else node.named_children
                whole = first or node if len(parts) == 1 else None
                stack.extend((part, whole, prefix, in_type) for part in reversed(parts))
            elif kind in grammar.blocks or kind == "ERROR":
                push(node, prefix, in_type)
            elif kind == "expression_statement" and _is_namespace(node):
                stack.append((node.named_children[0], first or node, prefix, in_type))
            elif kind in grammar.scopes:
                body, qualifier = node.child_by_field_name("body"), owner(node)
                if body is not None and qualifier is not None:
                    push(body, f"{prefix}{self._text(qualifier)}.", True)
            elif kind in grammar.functions or kind in grammar.types or kind in grammar.variables:
                for symbol in self._symbols(node, first, prefix, in_type):
                    yield symbol
                    body = node.child_by_field_name("body")
                    if kind in grammar.types and body is not None:
                        push(body, f"{symbol.name}.", True)

    def _symbols(
        self, node: Node, first: Node | None, prefix: str, in_type: bool
    ) -> Iterator[Symbol]:
        outer = first if first is not None else node
        end = max(outer.end_byte, node.end_byte)
        for name in names(node):
            text = self._text(name)
            if node.type in self.grammar.types:
                kind = Kind.CLASS
            elif node.type in self.grammar.functions or is_function_value(node, name):
                kind = Kind.METHOD if in_type else Kind.FUNCTION
                receiver = owner(node) if node.type == "method_declaration" else None
                if receiver is not None:
                    text, kind = f"{self._text(receiver)}.{text}", Kind.METHOD
            else:
                kind = Kind.VARIABLE
            symbol = self._symbol(prefix + text, kind, outer, end, name)
            if symbol is not None:
                yield symbol

    def _imports(self, root: Node) -> Iterator[Symbol]:
        """The first run of imports that only comments, blank lines and a preamble precede."""
        run: list[Node] = []
        stack = list(reversed(root.named_children))
        while stack:
            node = stack.pop()
            if node.type in self.grammar.imports:
                run.append(node)
            elif node.is_extra:
                continue
            elif run:
                break
            elif node.type == "preproc_ifdef":  # the guard round a C header
                stack.extend(reversed(node.named_children[1:]))
            elif node.type not in self.grammar.preamble:
                break
        if run:
            symbol = self._symbol("(imports)", Kind.IMPORTS, run[0], run[-1].end_byte, run[0])
            if symbol is not None:
                yield symbol

    def _symbol(self, name: str, kind: Kind, first: Node, end: int, named: Node) -> Symbol | None:
        """None when other code stands before it on its line: it cannot be replaced by lines."""
        source, start = self.source, first.start_byte
        line = source.rfind(b"\n", 0, start) + 1
        if line == 0 and source.startswith(b"\xef\xbb\xbf"):
            line = 3
        if source[line:start].strip(b" \t\f"):
            return None
        rest = self.rest.match(source, end)
        if rest is not None:
            end = rest.end()
        while end > start and source[end - 1] in b"\r\n":
            end -= 1
        first_line = first.start_point.row + 1
        top = source.rfind(b"\n", 0, named.start_byte) + 1
        bottom = source.find(b"\n", named.start_byte)
        signature = source[top : bottom if bottom >= 0 else len(source)]
        text = signature.decode("utf-8", "replace").lstrip("\ufeff").strip()[:LONGEST_SIGNATURE]
        last_line = first_line + source.count(b"\n", line, end)
        return Symbol(name, kind, line, end, first_line, last_line, text)

    def _text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _is_namespace(statement: Node) -> bool:
    """TypeScript's `namespace N { … }` is parsed as an expression."""
    inner = statement.named_child(0)
    return inner is not None and inner.type == "internal_module"


def _first_error(root: Node) -> Problem | None:
    if not root.has_error:
        return None
    node = root
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error), None)
        if inner is None:
            break
        node = inner
    line = node.start_point.row + 1
    if node.is_missing:
        return Problem(line, f"expected {node.type!r}")
    text = (node.text or b"").decode("utf-8", "replace").strip().split("\n")[0][:40]
    return Problem(line, f"unexpected {text!r}" if text else "syntax error")
