"""What a guided model is shown: the code that matters for a task and the tests that fail.

Owns the choice of code within a token budget and the shape of a call that may change it. Must
not know how answers are asked for or judged.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from textwrap import dedent

from agent.messages import ToolCall
from agent.models.base import CallForm, Form
from agent.steering import lacking
from agent.steering.suspects import replaceable
from tools.errors import ToolError
from tools.outline import Index, Ranked
from tools.python_syntax import definition
from tools.syntax import Kind, Symbol, language_of, problem
from tools.testing.reports import TestCase, TestRun
from tools.text import SourceText
from tools.workspace import Workspace

MAX_TESTS = 2
"""Tests whose source is shown."""
MAX_TEST_LINES = 40
FENCE_TOKENS = 12
"""What a path and a fence around code take."""


@dataclass(frozen=True, slots=True)
class Material:
    """What is shown, and what of it may be replaced."""

    code: str
    """Markdown: each file's path and its code in a fence."""
    candidates: tuple[Ranked, ...]
    """The symbols in `code` that may be replaced, the likeliest first."""
    complete: bool
    """Whether every symbol that was ranked is shown."""


def gather(
    workspace: Workspace,
    index: Index,
    ranked: Sequence[Ranked],
    budget: int,
    count: Callable[[str], int],
) -> Material:
    """Show whole files when all of them fit in `budget` tokens, else the likeliest symbols."""
    sources = readable(workspace, dict.fromkeys(item.path for item in ranked))
    ranked = [item for item in ranked if item.path in sources]
    paths = list(sources)
    offered = [item for item in ranked if replaceable(item, index, sources[item.path])]
    whole = [_fence(path, decode(sources[path])) for path in paths]
    if sum(count(text) for text in whole) <= budget:
        return Material("\n\n".join(whole), tuple(offered), complete=True)
    chosen: list[Ranked] = []
    for item in offered:
        cost = count(_text(sources[item.path], item.symbol)) + FENCE_TOKENS
        if cost <= budget:
            budget -= cost
            chosen.append(item)
    shown = [
        _fence(path, _excerpt(sources[path], [it.symbol for it in chosen if it.path == path]))
        for path in dict.fromkeys(item.path for item in chosen)
    ]
    return Material("\n\n".join(shown), tuple(chosen), complete=False)


def failing_tests(workspace: Workspace, index: Index, run: TestRun | None) -> str:
    """The source of the first tests that fail; empty when it cannot be told where they are."""
    return sources(workspace, index, run.failures if run is not None else ())


def sources(workspace: Workspace, index: Index, cases: Iterable[TestCase]) -> str:
    """The source of the first of these tests, each in a fence."""
    return "\n\n".join(_fence(path, code) for path, code in tests(workspace, index, cases))


def tests(workspace: Workspace, index: Index, cases: Iterable[TestCase]) -> list[tuple[str, str]]:
    """The first of these tests of which it can be told where they are: paths and code."""
    found: list[tuple[str, str]] = []
    for case in cases:
        path, _, rest = case.id.partition("::")
        name = rest.split("[")[0].replace("::", ".")
        symbol = next((s for s in index.symbols(path) if s.name == name), None)
        if symbol is None:
            continue
        source = readable(workspace, [path]).get(path, b"")
        lines = _text(source, symbol).splitlines()[:MAX_TEST_LINES]
        if (test := (path, "\n".join(lines))) not in found:
            found.append(test)
        if len(found) == MAX_TESTS:
            break
    return found


def replacing(candidates: Iterable[Ranked], workspace: Workspace) -> CallForm:
    """The form of a call that replaces one of the candidates, its first words given."""
    headers: list[tuple[tuple[str, str | None], ...]] = []
    openings: list[str] = []
    languages: set[str] = set()
    for item in candidates:
        source = workspace.peek(item.path)
        headers.append((("path", item.path), ("symbol", item.symbol.name)))
        openings.append(_opening(source, item.symbol))
        languages.add(language_of(item.path) or "")
    return CallForm(
        "replace_symbol",
        tuple(headers),
        bodies=("code",),
        openings=tuple(openings),
        language=languages.pop() if len(languages) == 1 else "",
    )


def outline(offered: Sequence[Ranked]) -> str:
    """The definitions on offer, a line each below their files."""
    lines: list[str] = []
    for path in dict.fromkeys(item.path for item in offered):
        lines.append(path)
        lines += [f"  {it.symbol.signature}" for it in offered if it.path == path]
    return "\n".join(lines)


def choosing(offered: Sequence[Ranked]) -> CallForm:
    """The form of a call that asks to see one of the definitions on offer."""
    headers = tuple((("path", item.path), ("symbol", item.symbol.name)) for item in offered)
    return CallForm("show", headers)


def chosen(offered: Sequence[Ranked], calls: Sequence[ToolCall]) -> tuple[Ranked, ...]:
    """Those of the definitions on offer that the calls name, in their order."""
    by_name = {(item.path, item.symbol.name): item for item in offered}
    wanted = (
        by_name.get((str(call.arguments.get("path")), str(call.arguments.get("symbol"))))
        for call in calls
    )
    return tuple(dict.fromkeys(item for item in wanted if item))


def asked_for(call: ToolCall, form: Form) -> bool:
    """Whether a call is one of those the form allows; a model may write others when it is free."""
    wanted = (call.name, *(call.arguments.get(name) for name in ("path", "symbol")))
    return any(
        wanted == (allowed.tool, *(dict(header).get(name) for name in ("path", "symbol")))
        for allowed in form.calls
        for header in allowed.headers
    )


def unusable(workspace: Workspace, index: Index, call: ToolCall) -> str:
    """Why it is not worth making a call to replace a symbol; empty if it is.

    The same code, or code that does not parse, needs no tool to be refused.
    """
    path, name = str(call.arguments.get("path")), call.arguments.get("symbol")
    code = str(call.arguments.get("code", ""))
    symbol = next((symbol for symbol in index.symbols(path) if symbol.name == name), None)
    if call.name != "replace_symbol" or symbol is None:
        return ""
    same = f"The code you gave for {name} is the code that is there: it changes nothing."
    there = _text(workspace.peek(path), symbol)
    if _squeezed(there) == _squeezed(code) or does(path, there) == does(path, code) != "":
        return same
    if wrong := problem(path, dedent(code).encode()):
        return f"Line {wrong.line} of your {name} does not parse: {wrong.message}"
    # What follows the definition in the file may have been written along with it.
    from tools.editing.splice import splice  # 40 ms; only needed to edit

    text = SourceText.of(workspace.peek(path)).text
    with suppress(ToolError):  # the tool says so
        return same if splice(path, text, symbol.name, code).text == text else ""
    return ""


def complete(workspace: Workspace, index: Index, call: ToolCall) -> ToolCall:
    """A call to replace a symbol, its code with the imports that it lacks."""
    if call.name != "replace_symbol":
        return call
    path, code = str(call.arguments.get("path")), str(call.arguments.get("code", ""))
    lines = imports(workspace, index, path, text_of(workspace, path), dedent(code))
    if not lines:
        return call
    return replace(call, arguments={**call.arguments, "code": f"{lines}\n\n\n{dedent(code)}"})


def imports(workspace: Workspace, index: Index, path: str, before: str, code: str) -> str:
    """The imports that code in a file lacks, a line each; `before` is what the file holds."""
    return lacking.imports(
        path, before, code, index.paths, index.symbols, lambda other: text_of(workspace, other)
    )


def text_of(workspace: Workspace, path: str) -> str:
    """A file's text; empty if it may not be shown."""
    return decode(readable(workspace, [path]).get(path, b""))


def readable(workspace: Workspace, paths: Iterable[str]) -> dict[str, bytes]:
    """The files among these that may be shown: no binaries, no secrets."""
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            found[path] = workspace.peek(path)
        except ToolError:
            continue
    return found


def _squeezed(code: str) -> list[str]:
    return [line.strip() for line in code.splitlines() if line.strip()]


def does(path: str, code: str) -> str:
    """What a definition in Python comes to, whatever is said about it; empty if that is unknown."""
    _, tree = definition(dedent(code)) if language_of(path) == "python" else ("", None)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    try:
        return ast.dump(tree) if tree is not None else ""
    except (RecursionError, ValueError):  # too deep, or too long a number
        return ""


def varying(item: Ranked, workspace: Workspace, number: int) -> CallForm:
    """The form of a call that keeps a symbol but for its `number`-th most doubtful place."""
    code = _text(workspace.peek(item.path), item.symbol)
    lines = code.split("\n")
    named = next((n for n, line in enumerate(lines) if item.symbol.signature in line), 0)
    fixed = set(range(named + (item.symbol.kind is not Kind.VARIABLE)))
    for match in re.finditer(r"(\"\"\"|''').*?\1", code, re.DOTALL):
        first = code.count("\n", 0, match.start())
        fixed |= set(range(first, first + match[0].count("\n") + 1))
    editable = tuple(
        number
        for number, line in enumerate(lines)
        if number not in fixed and line.strip() and not line.strip().startswith(("#", "//"))
    )
    return replace(
        replacing([item], workspace), original=f"{code}\n", editable=editable, variant=number
    )


def _opening(source: bytes, symbol: Symbol) -> str:
    """What the replacement must begin with: the definition's words up to what may change."""
    text = _text(source, symbol)
    at = text.find(symbol.signature)
    if at < 0 or symbol.kind is Kind.IMPORTS:
        return ""
    indent = text[:at].rsplit("\n", 1)[-1]
    ends = {Kind.VARIABLE: "=", Kind.CLASS: symbol.name.rsplit(".", 1)[-1]}
    head, end, _ = symbol.signature.partition(ends.get(symbol.kind, "("))
    return indent + head + end if end else ""


def _excerpt(source: bytes, symbols: Sequence[Symbol]) -> str:
    """The symbols in the order of the file, an ellipsis where something is left out."""
    pieces: list[str] = []
    end = 0
    for symbol in sorted(symbols, key=lambda s: (s.start, -s.end)):
        if symbol.start < end:
            continue
        if source[end : symbol.start].strip():
            pieces.append("...")
        pieces.append(_text(source, symbol))
        end = symbol.end
    return "\n\n".join(pieces)


def _text(source: bytes, symbol: Symbol) -> str:
    return decode(source[symbol.start : symbol.end])


def decode(source: bytes) -> str:
    return source.decode("utf-8", "replace").replace("\r\n", "\n")


def _fence(path: str, code: str) -> str:
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", code))])
    return f"{path}\n{ticks}{language_of(path) or ''}\n{code.strip(chr(10))}\n{ticks}"
