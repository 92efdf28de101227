"""Symbols and syntax errors of real source text, in every language that has a grammar."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.grammars import GRAMMARS
from tools.syntax import Kind, Symbol, language_of, problem, symbols

PYTHON = b'''"""Doc."""
# A comment.
from __future__ import annotations

import os, sys  # two
from a import (
    b,
)

try:
    import fast
except ImportError:
    fast = None

RATE: float = 1.0  # a year
low, high = 1, 2
first = second = 3


@cached
# why
@retry(3)
async def load(
    path,
):
    def inner():
        pass

    return path  # end
    # after


class Report(Base):
    """What it is."""

    title = "x"
    pages: int

    @property
    def size(self): return 1

    class Part:
        def draw(self):
            pass

    if DEBUG:
        def dump(self): ...
'''


def names(path: str, source: bytes) -> list[tuple[str, str]]:
    return [(symbol.kind.value, symbol.name) for symbol in symbols(path, source)]


def text(source: bytes, symbol: Symbol) -> str:
    return source[symbol.start : symbol.end].decode()


def only(path: str, source: bytes, name: str) -> Symbol:
    (found,) = (symbol for symbol in symbols(path, source) if symbol.name == name)
    return found


class TestPython:
    def test_all_kinds_in_order(self) -> None:
        assert names("a.py", PYTHON) == [
            ("imports", "(imports)"),
            ("variable", "fast"),
            ("variable", "RATE"),
            ("variable", "low"),
            ("variable", "high"),
            ("variable", "first"),
            ("variable", "second"),
            ("function", "load"),
            ("class", "Report"),
            ("variable", "Report.title"),
            ("variable", "Report.pages"),
            ("method", "Report.size"),
            ("class", "Report.Part"),
            ("method", "Report.Part.draw"),
            ("method", "Report.dump"),
        ]

    def test_spans_hold_decorators_and_trailing_comments(self) -> None:
        load = only("a.py", PYTHON, "load")
        assert text(PYTHON, load).startswith("@cached\n# why\n@retry(3)\nasync def load(")
        assert text(PYTHON, load).endswith("return path  # end\n    # after")
        assert load.signature == "async def load("
        assert PYTHON.splitlines()[load.first_line - 1] == b"@cached"
        assert PYTHON.splitlines()[load.last_line - 1] == b"    # after"
        assert text(PYTHON, only("a.py", PYTHON, "RATE")) == "RATE: float = 1.0  # a year"

    def test_a_method_starts_with_its_indentation(self) -> None:
        size = only("a.py", PYTHON, "Report.size")
        assert text(PYTHON, size) == "    @property\n    def size(self): return 1"

    def test_imports_are_the_first_run(self) -> None:
        imports = only("a.py", PYTHON, "(imports)")
        assert (imports.first_line, imports.last_line) == (3, 8)
        assert text(PYTHON, imports).endswith("    b,\n)")

    @pytest.mark.parametrize("source", [b"", b"x = 1\n", b"def f(): pass\nimport late\n"])
    def test_no_imports_at_the_top(self, source: bytes) -> None:
        assert "(imports)" not in {symbol.name for symbol in symbols("a.py", source)}

    @pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("ending", [b"", b"\n", b"\n\n\n"])
    def test_every_byte_outside_a_span_is_outside(
        self, newline: bytes, mark: bytes, ending: bytes
    ) -> None:
        source = mark + (b"def f():\n    return 1\n\n\ndef g():\n    return 2" + ending).replace(
            b"\n", newline
        )
        spans = [source[symbol.start : symbol.end] for symbol in symbols("a.py", source)]
        assert spans == [
            b"def f():" + newline + b"    return 1",
            b"def g():" + newline + b"    return 2",
        ]
        assert mark + (newline * 3).join(spans) + ending.replace(b"\n", newline) == source

    def test_bytes_that_are_not_utf_8(self) -> None:
        source = b"# caf\xe9\nNAME = 'caf\xe9'\ndef f():\n    return '\xff'\n"
        assert names("a.py", source) == [("variable", "NAME"), ("function", "f")]
        assert problem("a.py", source) is None

    def test_a_symbol_that_shares_its_line_is_left_out(self) -> None:
        assert names("a.py", b"a = 1; b = 2\nclass C: x = 1\n") == [
            ("variable", "a"),
            ("class", "C"),
        ]

    def test_what_is_whole_is_found_in_a_broken_file(self) -> None:
        found = names("a.py", b"def f():\n    return 1\n\ndef g(:\n\ndef h():\n    return 2\n")
        assert ("function", "f") in found
        assert ("function", "h") in found


OTHERS: dict[str, tuple[bytes, list[tuple[str, str, int, int]]]] = {
    "a.js": (
        b""""use strict";
import a from "b";
import { c } from "d";
export default function main() { return 1 }
export class Shop extends Base {
  static rate = 1;
  #sum = () => 2;
  constructor() { }
}
const load = async () => { }, tax = 2;
exports.save = function () {};
function* walk() {}
""",
        [
            ("imports", "(imports)", 2, 3),
            ("function", "main", 4, 4),
            ("class", "Shop", 5, 9),
            ("variable", "Shop.rate", 6, 6),
            ("method", "Shop.#sum", 7, 7),
            ("method", "Shop.constructor", 8, 8),
            ("function", "load", 10, 10),
            ("variable", "tax", 10, 10),
            ("function", "save", 11, 11),
            ("function", "walk", 12, 12),
        ],
    ),
    "a.ts": (
        b"""import b from "b";
@Dec()
export class Shop<T> {
  @Input() name: string;
  @Out()
  open(): void {}
}
export interface Open { x: number; run(): void }
export type Size = string;
enum Door { A, B }
namespace Far {
  export function reach() {}
}
declare function g(): void;
""",
        [
            ("imports", "(imports)", 1, 1),
            ("class", "Shop", 2, 7),
            ("variable", "Shop.name", 4, 4),
            ("method", "Shop.open", 5, 6),
            ("class", "Open", 8, 8),
            ("variable", "Size", 9, 9),
            ("class", "Door", 10, 10),
            ("class", "Far", 11, 13),
            ("method", "Far.reach", 12, 12),
            ("function", "g", 14, 14),
        ],
    ),
    "a.tsx": (
        b"export const App = (p: Props) => <b>{p.x}</b>;\n",
        [("function", "App", 1, 1)],
    ),
    "a.go": (
        b"""package main

import (
\t"fmt"
)
const A = 1
var (
\tB = 2
\tC, D int
)
type S struct { x int }
func F(x int) {}
func (s *S) M() int { return 1 }
""",
        [
            ("imports", "(imports)", 3, 5),
            ("variable", "A", 6, 6),
            ("variable", "B", 8, 8),
            ("variable", "C", 9, 9),
            ("variable", "D", 9, 9),
            ("class", "S", 11, 11),
            ("function", "F", 12, 12),
            ("method", "S.M", 13, 13),
        ],
    ),
    "a.rs": (
        b"""use std::fmt;
use a::b;
#[derive(Debug)]
pub struct S<T> { a: T }
impl<T> fmt::Display for S<T> {
    #[inline]
    fn fmt(&self) -> u8 { 1 }
}
pub const X: u8 = 1;
mod m {
    pub fn inner() {}
}
""",
        [
            ("imports", "(imports)", 1, 2),
            ("class", "S", 3, 4),
            ("method", "S.fmt", 6, 7),
            ("variable", "X", 9, 9),
            ("class", "m", 10, 12),
            ("method", "m.inner", 11, 11),
        ],
    ),
    "A.java": (
        b"""package x;
import java.util.*;
@Anno
public class A extends B {
  private static final int X = 1;
  @Override
  public int m(int a) { return 1; }
  A() {}
  interface I { void w(); }
}
""",
        [
            ("imports", "(imports)", 2, 2),
            ("class", "A", 3, 10),
            ("variable", "A.X", 5, 5),
            ("method", "A.m", 6, 7),
            ("method", "A.A", 8, 8),
            ("class", "A.I", 9, 9),
        ],
    ),
    "a.h": (
        b"""#ifndef X
#define X
#include <stdio.h>
struct foo { int a; };
typedef struct { int q; } bar_t;
static int *f(int a) { return 0; }
int proto(void);
int g = 1;
#endif
""",
        [
            ("variable", "X", 2, 2),
            ("imports", "(imports)", 3, 3),
            ("class", "foo", 4, 4),
            ("class", "bar_t", 5, 5),
            ("function", "f", 6, 6),
            ("function", "proto", 7, 7),
            ("variable", "g", 8, 8),
        ],
    ),
}


class TestOtherLanguages:
    @pytest.mark.parametrize("path", OTHERS)
    def test_symbols(self, path: str) -> None:
        source, expected = OTHERS[path]
        found = [
            (symbol.kind.value, symbol.name, symbol.first_line, symbol.last_line)
            for symbol in symbols(path, source)
        ]
        assert found == expected
        assert problem(path, source) is None

    @pytest.mark.parametrize("path", OTHERS)
    def test_a_missing_brace_has_a_line(self, path: str) -> None:
        source, _ = OTHERS[path]
        found = problem(path, source + b"}}} )\n")
        assert found is not None
        assert found.line >= source.count(b"\n")

    def test_every_grammar_has_an_example(self) -> None:
        languages = {language_of(path) for path in (*OTHERS, "a.py")}
        assert languages == set(GRAMMARS)


class TestLanguageOf:
    @pytest.mark.parametrize(
        ("path", "language"),
        [
            ("a/b.py", "python"),
            ("stub.PYI", "python"),
            ("a.mjs", "javascript"),
            ("README.md", None),
            ("py", None),
            ("a.py/Makefile", None),
            ("", None),
        ],
    )
    def test_by_ending(self, path: str, language: str | None) -> None:
        assert language_of(path) == language

    def test_text_has_neither_symbols_nor_problems(self) -> None:
        assert symbols("notes.txt", b"def f(:") == ()
        assert problem("notes.txt", b"def f(:") is None


class TestPythonProblems:
    @pytest.mark.parametrize(
        ("source", "line", "words"),
        [
            (b"x = 1\ny = (\n", 2, "never closed"),
            (b"def f():\nreturn 1\n", 2, "indented block"),
            (b"def f():\n    x = 1\n  return x\n", 3, "unindent"),
            (b"def f():\n    pass\n\nreturn 1\n", 4, "outside function"),
            (b"def f(a, a):\n    pass\n", 1, "duplicate argument"),
            (b"f(a=1, 2)\n", 1, "positional argument"),
            (b"if x = 1:\n    pass\n", 1, "invalid syntax"),
            (b"x = 1\n\0\n", 2, "zero byte"),
        ],
    )
    def test_refused(self, source: bytes, line: int, words: str) -> None:
        found = problem("a.py", source)
        assert found is not None
        assert found.line == line
        assert words in found.message

    @pytest.mark.parametrize(
        "source",
        [
            b"",
            PYTHON,
            b"x = '\\d'\n",  # warned of, valid
            b"type X = int\ndef f[T](x: T) -> T: ...\n",  # 3.12
            b"x = f'{y['a']}'\n",  # 3.12
            b"try:\n    pass\nexcept A, B:\n    pass\n",  # 3.14, or 2
            b"print 'x'\n",  # 2
        ],
    )
    def test_accepted_whatever_python_runs(self, source: bytes) -> None:
        assert problem("a.py", source) is None


class TestHostile:
    @pytest.mark.parametrize(
        "source",
        [
            b"(" * 100_000,
            b"x = " + b"-" * 50_000 + b"1\n",
            b"x = " + b"[" * 20_000 + b"]" * 20_000,
            b"if 1:\n" * 2_000,
            "x = 'é'\n".encode("utf-16"),
            bytes(range(256)) * 200,
            b"x" * 10_000_000,
            b"class A:\n" + b"".join(b" def f%d(self): pass\n" % n for n in range(5_000)),
        ],
        ids=["parens", "minus", "lists", "ifs", "utf-16", "bytes", "long line", "many"],
    )
    def test_never_raises(self, source: bytes) -> None:
        for path in ("a.py", "a.js", "a.c"):
            symbols(path, source)
            problem(path, source)

    def test_a_signature_is_never_long(self) -> None:
        (found,) = symbols("a.py", b"x = '" + b"y" * 100_000 + b"'\n")
        assert found.kind is Kind.VARIABLE
        assert len(found.signature) == 200


def test_importing_loads_no_grammar() -> None:
    code = (
        "import sys, tools.syntax; print([m for m in sys.modules if m.startswith('tree_sitter')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
