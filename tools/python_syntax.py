"""Whether Python source is valid, judged by two parsers; its tree by Python's own.

The running Python knows best, except for syntax of other versions; the grammar accepts those, and
indentation that no Python does. Must not know symbols or edits.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from typing import TYPE_CHECKING

from tools.syntax import Problem

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_NEWER_NODES = {"type_parameter": (3, 12), "type_alias_statement": (3, 12)}
"""Syntax by the version that brought it."""
_OTHER_VERSIONS = (
    "Missing parentheses in call to",  # Python 2
    "multiple exception types must be parenthesized",  # Python 2 and from 3.14
)


def verdict(source: bytes, tree: Tree, error: Problem | None) -> Problem | None:
    """The first problem, in the running Python's words where it has any.

    Args:
        source: The module.
        tree: The grammar's parse of it.
        error: The first error in `tree`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # More than `ast.parse` does: a `return` outside a function is found only here.
            compile(source, "<source>", "exec", dont_inherit=True)
    except SyntaxError as refused:
        problem = Problem(max(refused.lineno or 1, 1), refused.msg)
        if error is not None:
            return problem if refused.lineno else error
        if isinstance(refused, IndentationError):
            return problem
        return None if _undecodable(source) or _other_version(problem, tree) else problem
    except (RecursionError, MemoryError, ValueError, OverflowError):
        return error
    return None


def _undecodable(source: bytes) -> bool:
    """Bytes that are not UTF-8 may be intended: they are no error of syntax."""
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _other_version(problem: Problem, tree: Tree) -> bool:
    """Whether the running Python may refuse what another version accepts."""
    if problem.message.startswith(_OTHER_VERSIONS):
        return True
    newer = {kind for kind, version in _NEWER_NODES.items() if sys.version_info < version}
    f_strings = sys.version_info < (3, 12)
    stack: list[Node] = [tree.root_node]
    while stack:
        node = stack.pop()
        if node.type in newer:
            return True
        if f_strings and node.type == "interpolation":
            string = node.parent or node
            if string.start_point.row < problem.line <= string.end_point.row + 1:
                return True
        stack.extend(node.children)
    return False


def parsed(code: str | bytes) -> ast.Module | None:
    """The tree of Python code; None if it is none, or too deep."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the code says, none is ours
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def source_lines(code: str) -> list[str]:
    """The lines of Python code with their ends, as its parser counts them."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", code)


def definition(code: str) -> tuple[str, ast.Module | None]:
    """The tree of a definition as it stands in its file, and the line that was put above it.

    What is indented is read beneath a line of ours: text in it may stand further left.
    """
    head = "if 1:\n" if code[:1] in (" ", "\t") else ""
    return head, parsed(head + code)
