"""The code that an issue shows: what was done, and whose value is said to be wrong.

Most issues show the calls that go wrong. A test made of them leaves a model no more to write than
what should have come of it, where a weak model's own tests are wrong as often as right. Owns which
parts of an issue's text are Python. Must not know how a test is laid out or asked for.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from textwrap import dedent

LONGEST = 65_536
"""Characters of an issue that are read: what GitHub lets one hold."""
LINES = 200
"""Lines of a block that are read."""
TRIES = 5
"""How often a block is cut before what is no Python."""
FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_UNUSABLE = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
"""What cannot stand in an assertion, or would change what stands after it."""
_PROMPT = re.compile(r"^(>>>|\.\.\.)(?: |$)")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A value that the issue speaks of."""

    before: str
    """The statements that come before it, a line each or more; may be empty."""
    value: str
    """An expression on one line."""


def snippets(issue: str) -> tuple[Snippet, ...]:
    """What the issue's code blocks end with, print or remark on, the last of each first; then the
    calls in its prose. An interpreter's silence is an answer, too, once it has answered."""
    found: list[Snippet] = []
    context: list[str] = []
    blocks, prose = blocks_and_prose(issue)
    for block in blocks:
        context = []
        here: list[Snippet] = []
        shown = _shown(block)
        prompted = ">>>" in block
        nodes = _parse("\n".join(text for text, _ in shown))
        for number, node in enumerate(nodes):
            value = _value(node)
            printed = isinstance(node, ast.Expr) and value is not node.value
            remarked = any(remark for _, remark in shown[node.lineno - 1 : node.end_lineno])
            silent = prompted and bool(here)
            if value is not None and (printed or remarked or silent or number == len(nodes) - 1):
                here.append(Snippet("\n".join(context), _plain(value)))
            if not printed:
                context.append(ast.unparse(node))
        found += reversed(here)
    for match in _INLINE.finditer(prose):
        for node in _parse(match[1])[:1]:
            value = _value(node)
            calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
            if value is not None and any(call.args or call.keywords for call in calls):
                found.append(Snippet("\n".join(context), _plain(value)))
    return tuple(dict.fromkeys(found))


def blocks_and_prose(issue: str) -> tuple[list[str], str]:
    """The blocks of code, fenced or indented, and what is not fenced."""
    blocks: list[list[str]] = []
    prose: list[str] = []
    fence = ""
    blank, indented = True, False
    for line in issue[:LONGEST].replace("\r\n", "\n").split("\n"):
        text = line.lstrip(" \t")
        if fence:
            if text.startswith(fence):
                fence = ""
            else:
                blocks[-1].append(line)
            continue
        if match := FENCE.match(line):
            fence = match[1]
            blocks.append([])
            indented = False
        else:
            prose.append(line)
            if line.startswith(("    ", "\t")) and blank and not indented:
                blocks.append([])
                indented = True
            elif text and not line.startswith(("    ", "\t")):
                indented = False
            if indented:
                blocks[-1].append(line)
        blank = not text
    return [dedent("\n".join(block[:LINES])) for block in blocks], "\n".join(prose)


def _shown(block: str) -> list[tuple[str, bool]]:
    """The block's lines of code, and whether something is remarked on each: a comment, or an
    answer of the interpreter."""
    lines = block.splitlines()
    prompts = any(line.startswith(">>>") for line in lines)
    shown: list[tuple[str, bool]] = []
    for line in lines:
        if not prompts or _PROMPT.match(line):
            shown.append((_PROMPT.sub("", line), "#" in line))
        elif shown and line.strip():
            shown[-1] = (shown[-1][0], True)
    return shown


def _parse(code: str) -> list[ast.stmt]:
    """The statements up to the first line that is no Python."""
    lines = code.splitlines()
    for _ in range(TRIES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the code says, none is ours
                tree = ast.parse("\n".join(lines))
            ast.unparse(tree)  # too deep, or too long a number, here rather than later
        except SyntaxError as error:
            del lines[min(len(lines), error.lineno or 1) - 1 :]
        except (ValueError, RecursionError, MemoryError):
            break
        else:
            return tree.body
    return []


def _value(node: ast.stmt) -> ast.expr | None:
    """The expression that a statement shows; what a `print` prints."""
    if not isinstance(node, ast.Expr) or any(
        isinstance(part, _UNUSABLE) for part in ast.walk(node)
    ):
        return None
    match node.value:
        case ast.Call(func=ast.Name(id="print"), args=args, keywords=keywords):
            one = len(args) == 1 and not keywords and not isinstance(args[0], ast.Starred)
            return args[0] if one else None
        case ast.Call() | ast.Attribute() | ast.Subscript() | ast.Compare() | ast.BinOp():
            return node.value
        case _:
            return None


def _plain(value: ast.expr) -> str:
    """The expression as the left side of a comparison; the text of what is only named, for that
    is what its print shows."""
    text = ast.unparse(value)
    if isinstance(value, ast.Name):
        return f"str({text})"
    return text if isinstance(value, ast.Call | ast.Attribute | ast.Subscript) else f"({text})"
