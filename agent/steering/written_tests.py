"""Tests that a model writes where none of the project's own shows an issue.

Owns where such a test goes, how it begins, and what it takes from those there are. Must not know
how tests are asked for or run, nor whether one shows the issue.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from textwrap import indent

from agent.steering import lacking, material
from agent.steering.borrowed import asking, borrowed
from agent.steering.snippets import Snippet
from agent.steering.stated import assertions
from agent.steering.suspects import called
from tools.outline import Index, Ranked
from tools.python_syntax import parsed, source_lines
from tools.syntax import Kind
from tools.testing.commands import Runner
from tools.testing.find_tests import is_test_path
from tools.testing.reports import TestCase, TestRun
from tools.workspace import Workspace

MAX_GIVEN = 5
"""Names of an issue's code that are taken from the tests there are."""


def like_tests(workspace: Workspace, index: Index, run: TestRun, ranked: Sequence[Ranked]) -> str:
    """The source of the passing tests nearest to what a test of the issue would be: those that
    call the likeliest suspects."""
    likely = {(item.path, item.symbol.name): 1 / n for n, item in enumerate(ranked[:5], start=1)}

    def nearness(case: TestCase) -> float:
        return sum(likely.get(key, 0.0) for key in called(index, case))

    passed = (case for case in run.cases if case.id in run.passed)
    return material.sources(workspace, index, sorted(passed, key=nearness, reverse=True))


def new_test(
    workspace: Workspace,
    index: Index,
    run: TestRun,
    ranked: Sequence[Ranked],
    snippet: Snippet | None = None,
) -> tuple[str, str]:
    """Where a new test goes, and how its file begins: beside the tests there are and as they do.

    Args:
        snippet: What the issue shows; the test then does that and asserts its value, up to the
            equals sign. The opening is empty if that takes names which mean nothing here.
    """
    ordered = _nearest_tests(index, run, ranked)
    for path in ordered:
        imports = [s for s in index.symbols(path) if s.kind is Kind.IMPORTS]
        source = material.readable(workspace, [path]).get(path, b"") if imports else b""
        if source:
            place = _free_name(workspace, PurePosixPath(path).parent.as_posix())
            head = material.decode(source[: imports[0].end])
            if snippet is None:
                return place, f"{head}\n\n\n{_test_head(run)}"
            return place, _asserting(workspace, index, run, place, head, ordered, snippet)
    beside = any(path.startswith("tests/") for path in ordered)
    return _free_name(workspace, "tests" if beside else "."), ""


def _nearest_tests(index: Index, run: TestRun, ranked: Sequence[Ranked]) -> list[str]:
    """The files of Python's tests that ran, those that are named as the likeliest suspects first;
    all there are if none ran."""
    tests = [path for path in index.paths if is_test_path(path) and path.endswith(".py")]
    ran = [path for path in tests if any(case.id.startswith(path) for case in run.cases)]
    likely = {PurePosixPath(item.path).stem for item in ranked[:5]}
    return sorted(
        ran or tests,
        key=lambda path: not any(stem in PurePosixPath(path).stem for stem in likely),
    )


def _sources(workspace: Workspace, index: Index, ordered: Sequence[str]) -> dict[str, str]:
    """Those files' text, and that of what pytest gives to them."""
    common = [path for path in index.paths if PurePosixPath(path).name == "conftest.py"]
    return {path: material.text_of(workspace, path) for path in (*ordered, *common)}


def _asserting(
    workspace: Workspace,
    index: Index,
    run: TestRun,
    place: str,
    head: str,
    tests: Sequence[str],
    snippet: Snippet,
) -> str:
    """The opening of a test that does what the issue shows; empty if it cannot be told how."""
    made = re.match(r"(\w+)\(", snippet.value)
    if made and not hasattr(builtins, made[1]) and not _is_function(index, made[1]):
        return ""  # an object, of which nothing is asked
    before, value = snippet.before, snippet.value
    sources = _sources(workspace, index, tests)
    try:
        for _ in range(MAX_GIVEN):
            names = lacking.unknown(head, f"{before}\n{value}")
            taken = borrowed(names, sources)
            names = lacking.unknown(f"{head}\n{taken.code}", f"{before}\n{value}")
            others = [name for name in names if name not in taken.fixtures]
            given = dict.fromkeys(filter(None, (_given(sources, it) for it in others)))
            if not given:
                break
            before = "\n".join(filter(None, [*given, before]))
        code = f"{before}\n{value}"
        imports = material.imports(workspace, index, place, head, f"{taken.code}\n{code}")
        lacks = lacking.unknown(f"{head}\n{imports}\n{taken.code}", code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    if set(lacks) - set(taken.fixtures) or (taken.fixtures and run.runner is Runner.UNITTEST):
        return ""
    body = f"{before}\nassert {value} == ".lstrip()
    test = _test_head(run, taken.fixtures)
    margin = test.rpartition("\n")[2]
    top = f"{head}\n{imports}" if imports else head
    return "\n\n\n".join(filter(None, (top, taken.code, f"{test}{indent(body, margin).lstrip()}")))


def complete(workspace: Workspace, index: Index, run: TestRun, path: str, content: str) -> str:
    """A test's file with what it lacks of what the tests there are have: fixtures, constants,
    imports."""
    try:
        names = lacking.unknown("", content)
    except (SyntaxError, ValueError, RecursionError):
        return content
    taken = borrowed(names, _sources(workspace, index, _nearest_tests(index, run, ())))
    if run.runner is not Runner.UNITTEST:
        content = asking(content, taken.fixtures)
    first = re.search(r"^(?:@|def |class )", content, re.MULTILINE)
    at = first.start() if first else len(content)
    head, rest = content[:at].rstrip(), content[at:]
    lines = material.imports(workspace, index, path, "", f"{head}\n\n\n{taken.code}\n\n\n{rest}")
    top = f"{head}\n{lines}".strip()
    return "\n\n\n".join(filter(None, (top, taken.code, rest)))


def _is_function(index: Index, name: str) -> bool:
    return any(
        symbol.name == name and symbol.kind is Kind.FUNCTION
        for path in index.paths
        for symbol in index.symbols(path)
    )


def _given(tests: Mapping[str, str], name: str) -> str:
    """How the tests there are make what they call by this name; empty if none does."""
    made = re.compile(rf"^[ \t]+({name} = .+)$", re.MULTILINE)
    for source in tests.values():
        for match in made.finditer(source):
            with suppress(SyntaxError, ValueError):
                return ast.unparse(ast.parse(match[1]))
    return ""


def _free_name(workspace: Workspace, folder: str) -> str:
    start = "" if folder == "." else f"{folder}/"
    names = (f"{start}test_issue{end}.py" for end in ("", *(f"_{n}" for n in range(2, 1000))))
    return next(name for name in names if not workspace.exists(name))


def _test_head(run: TestRun, fixtures: Sequence[str] = ()) -> str:
    if run.runner is Runner.UNITTEST:
        return "class IssueTest(unittest.TestCase):\n    def test_issue(self):\n        "
    return f"def test_issue({', '.join(fixtures)}):\n    "


def shortened(content: str) -> str:
    """A test's file without what follows its first assertion."""
    tree = parsed(content)
    ends = [node.end_lineno for node in assertions(tree)] if tree is not None else []
    return "".join(source_lines(content)[: ends[0] if ends else None])
