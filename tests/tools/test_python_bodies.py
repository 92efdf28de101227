"""Emptying functions changes nothing but their insides, for any source and in linear time."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from tools.python_bodies import without_bodies
from tools.syntax import symbols

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "\ndef f():\n    a = 1\n    go()  # why\n",
            "\ndef f():\n    (    \n       )  # why\n",
        ),
        (
            "\nasync def f(\n    a,\n):\n  # x\n  go()\n",
            "\nasync def f(\n    a,\n):\n  # x\n  (  )\n",
        ),
        (
            "\nclass A:\n  def f():\n    go()\n  b = 1\n",
            "\nclass A:\n  def f():\n    (  )\n  b = 1\n",
        ),
        ("\r\ndef f():\r\n\tgo()\r\n", "\r\ndef f():\r\n\t(  )\r\n"),
        ("\nA = \"'''\"\ndef f():\n  '''\nx\n'''\n", "\nA = \"'''\"\ndef f():\n  (  \n \n  )\n"),
    ],
)
def test_only_the_code_inside_functions_goes(source: str, expected: str) -> None:
    assert without_bodies(source.encode()).decode() == expected


@pytest.mark.parametrize(
    "source",
    [
        "\ndef f(): return 1\nif a:\n    b = 1\n",
        "\ndef f():\n    a\nb = 1\n",
        "\nA = '''\ndef f():\n    go()'''\nB = '''\n'''\n",
        "\ndef f():\n    '''\n    go()\n",
        "\n# def f():\n    go()\n",
    ],
)
def test_what_is_no_function_stays(source: str) -> None:
    assert without_bodies(source.encode()).decode() == source


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/*.py")), ids=lambda path: path.name)
def test_functions_are_where_python_finds_them(path: Path) -> None:
    source = path.read_bytes()
    found = {
        (symbol.name, symbol.first_line, symbol.last_line)
        for symbol in symbols(path.name, source)
        if symbol.kind in ("function", "method", "class")
    }
    expected: set[tuple[str, int, int]] = set()
    queue: list[tuple[str, ast.AST]] = [("", ast.parse(source))]
    while queue:
        prefix, node = queue.pop()
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([inner.lineno, *(mark.lineno for mark in inner.decorator_list)])
                expected.add((prefix + inner.name, first, inner.end_lineno or 0))
                if isinstance(inner, ast.ClassDef):
                    queue.append((f"{prefix}{inner.name}.", inner))
            elif isinstance(inner, ast.stmt):
                queue.append((prefix, inner))
    assert found == expected


def test_a_body_that_was_cut_short_is_read_whole() -> None:
    source = b"import a\n\n\ndef f():\n    go(\n1,\n)\n    more()\n\n\ndef g():\n    go()\n"
    assert b"1,\n)" in without_bodies(source)
    found = symbols("a.py", source)
    assert [(each.name, each.last_line) for each in found] == [
        ("(imports)", 1),
        ("f", 8),
        ("g", 12),
    ]


@pytest.mark.parametrize(
    "unit",
    [
        "\"'",
        "\"\"\"'''",
        '"\\',
        "'\\\n\"\\\n",
        "\ndef f(\n a\n",
        "\ndef f():\n x='''\n",
        "\ndef f():\n#\n",
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    source = (unit * (500_000 // len(unit))).encode()
    start = time.process_time()
    without_bodies(source)
    assert time.process_time() - start < 2


def test_nesting_takes_no_longer() -> None:
    source = b"".join(b"\n" + b" " * depth + b"def f(" for depth in range(1000))
    start = time.process_time()
    without_bodies(source)
    assert time.process_time() - start < 2
