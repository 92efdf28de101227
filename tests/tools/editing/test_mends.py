"""Small changes of a definition: which there are, in what order, and that each of them parses."""

from __future__ import annotations

import ast
import re
import time
from difflib import ndiff
from pathlib import Path

import pytest

from tools.editing.mends import expressions as module
from tools.editing.mends import mends
from tools.syntax import Kind, symbols


def changed(code: str, error: str = "") -> list[str]:
    """The lines that each change brings, without their margin."""
    return [
        "\n".join(line[2:].strip() for line in ndiff(code.split("\n"), new) if line[0] == "+")
        for new in (text.split("\n") for text in mends(code, error))
    ]


def inside(line: str) -> str:
    return f"def f(a, b, c):\n    {line}\n"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("return a < b", "return a <= b"),
        ("return a < b", "return a > b"),
        ("return a <= b", "return a < b"),
        ("return a > b", "return a >= b"),
        ("return a >= b", "return a > b"),
        ("return a == b", "return a != b"),
        ("return a != b", "return a == b"),
        ("return a is b", "return a is not b"),
        ("return a is not b", "return a is b"),
        ("return a in b", "return a not in b"),
        ("return a not in b", "return a in b"),
        ("return a < b <= c", "return a < b < c"),
        ("return a and b", "return a or b"),
        ("return a or b", "return a and b"),
        ("return a and b and c", "return a and c"),
        ("return a or b", "return (a if a is not None else b)"),
        ("return not a", "return a"),
        ("return not a", "return a is None"),
        ("return -a", "return a"),
        ("return a + 1", "return a"),
        ("return a - 1", "return a + 1"),
        ("return a + b", "return a - b"),
        ("return a * b", "return a / b"),
        ("return a / b", "return a // b"),
        ("return a / b", "return a * b"),
        ("return a // b", "return a / b"),
        ("return True", "return False"),
        ("return 7", "return 8"),
        ("return 7", "return 6"),
        ("return a[b:]", "return a[b + 1:]"),
        ("return a[:b]", "return a[:b - 1]"),
        ("return a[b]", "return a[b - 1]"),
        ("return range(a)", "return range(a + 1)"),
        ("return a.split(b)", "return a.split(b, 1)"),
        ("return min(a, b)", "return max(a, b)"),
        ("return any(a)", "return all(a)"),
        ("return a[:]", "return copy.deepcopy(a)"),
        ("return list(a)", "return copy.deepcopy(a)"),
        ("return a.copy()", "return copy.deepcopy(a)"),
        ("a.rows = b", "a.rows = copy.deepcopy(b)"),
        ("return a.rows", "return copy.deepcopy(a.rows)"),
        ("return {k: a.rows for k in b}", "return {k: copy.deepcopy(a.rows) for k in b}"),
        ("return b if a else c", "return b if a is not None else c"),
        ("return b if a else c", "return b if not (a) else c"),
        ("a.append(b)", "pass"),
        ("a += b", "pass"),
        ("a += b", "a = b"),
        ("a += b", "a -= b"),
        ("return a is None", "return not a"),
        ("return a is not None", "return a"),
        ("return a == b", "return a.lower() == b"),
        ("return a[b] in c", "return a[b].strip().lower() in c"),
        ("return a // b + 1", "return -(-a // b)"),
        ("return (a + b) // c", "return -(-(a + b) // c)"),
        ("return int(a / b)", "return round(a / b)"),
        ("return round(a)", "return round(a, 2)"),
        ("return a * b", "return round(a * b, 2)"),
        ("return a - b", "return max(a - b, 0)"),
        ("return sorted(a)", "return sorted(a, reverse=True)"),
        ("return sorted(a)", "return sorted(set(a))"),
        ("return sorted(x.b for x in a if x)", "return sorted({x.b for x in a if x})"),
        ("return max(0, a - b)", "return abs(a - b)"),
        ("return min(a - b, 0)", "return abs(a - b)"),
        ("a.sort(key=b,)", "a.sort(key=b, reverse=True)"),
        ("a.sort(key=lambda x: (x.b, x.c))", "a.sort(key=lambda x: (x.b, -x.c))"),
        (
            "return sorted(a, key=lambda x: (x.b, x.c), reverse=True)",
            "return sorted(a, key=lambda x: (-x.b, x.c))",
        ),
        (
            "return sorted(a, key=lambda x: (x.b, x.c, x.d), reverse=True)",
            "return sorted(a, key=lambda x: (-x.b, -x.c, x.d))",
        ),
        ("first = a.b[0]", "first = a.b.pop(0)"),
        ("last = a[-1]", "last = a.pop(-1)"),
        ("return a.split('.')[0]", "return a.rsplit('.')[0]"),
        ("return a.lstrip(b)", "return a.removeprefix(b)"),
        ("return a // 60", "return a % 60"),
        ("return a % 60", "return a % 100"),
        ("return a | b", "return a & b"),
        ("return [[]] * a", "return [[] for _ in range(a)]"),
        ("return dict.fromkeys(a, [])", "return {key: [] for key in a}"),
        ("return sorted(a)", "return sorted(a, key=str.lower)"),
        ("return a - b", "return a - b + 1"),
        ("return f'{a}:{b}'", "return f'{a}:{b:02d}'"),
        ("return f'{a // b} é {c:.1f}'", "return f'{a // b} é {c:.2f}'"),
        ("return f'{a // b} é {c > b}'", "return f'{a // b} é {c >= b}'"),
        ("return a <= b and x <= y", "return a < b and x < y"),
        ("return a > b or x > y", "return a >= b or x >= y"),
        ("return a[0] <= b and c >= a[1]", "return a[0] < b and c > a[1]"),
        ("return a + b / 100", "return a + a * b / 100"),
        ("return a * b / 100", "return a * 100 / b"),
        ("return (a + b) * c / 100", "return (a + b) * 100 / c"),
        ("return a - b", "return a - a * b"),
        ("return g(a, b)", "return g(b, a)"),
        ("return a - b", "return c - b"),
        ("return a.x + a.y * b", "return a.x + a.x * b"),
        ("a.add(b)", "a.add(b.strip())"),
    ],
)
def test_a_slip_is_mended(line: str, wanted: str) -> None:
    assert wanted in [text.rpartition("\n")[2] for text in changed(inside(line))]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("def f(a):\n    if a:\n        g()\n", "if a is not None:"),
        ("def f(a):\n    if a and g():\n        g()\n", "if not (a and g()):"),
        ("def f(a):\n    while a:\n        break\n", "while a is not None:"),
        ("def f(a):\n    while a:\n        break\n", "continue"),
        ("def f(a):\n    for x in a:\n        continue\n", "break"),
        ("async def f(a):\n    return await g(a + 1)\n", "return await g(a)"),
        ("@cache(maxsize=2)\ndef f(a):\n    return a\n", "@cache(maxsize=3)"),
        ("RATE = 2\n", "RATE = 3"),
        ("def f(a):\n    if a:\n        g()\n    elif a < 1:\n        h()\n", "if a < 1:"),
        ("def f(a):\n    for x in a:\n        t = x\n    return t\n", "t += x"),
        ("class A:\n    size = 2\n", "size = 1"),
    ],
)
def test_a_statement_is_mended(code: str, wanted: str) -> None:
    assert wanted in changed(code)


@pytest.mark.parametrize(
    ("line", "wanted", "never"),
    [
        ("return (a or b) + 1", "return (a or b)", "return a or b"),
        ("return c and not (a or b)", "return c and (a or b)", "return c and a or b"),
        ("return c and (a or b) and a", "return (a or b) and a", "return a or b and a"),
        ("return -(a + b) * c", "return (a + b) * c", "return a + b * c"),
    ],
)
def test_brackets_stay_around_what_is_left(line: str, wanted: str, never: str) -> None:
    lines = changed(inside(line))
    assert wanted in lines
    assert never not in lines


def test_an_operator_is_found_behind_comments_and_line_ends() -> None:
    code = (
        "def f(a, b):\n    return (\n        a  # < and or\n        and b < \\\n        2\n    )\n"
    )
    made = list(mends(code))
    assert code.replace("\n        and", "\n        or") in made
    assert code.replace("b < \\", "b <= \\") in made
    assert code.replace("# < and", "# < or") not in made
    split = "def f(a, b):\n    return (a is  # is it\n        not b)\n"
    assert split.replace("is  # is it\n        not b", "is b") in mends(split)


@pytest.mark.parametrize(
    ("error", "line", "wanted"),
    [
        ("ZeroDivisionError", "return a / b", "return (a / b if b else 0.0)"),
        ("ZeroDivisionError", "return a / b", "return (a / b if b else 0)"),
        ("ZeroDivisionError", "return a // b", "return (a // b if b else 0)"),
        ("KeyError", "return a[b]", "return a.get(b)"),
        ("KeyError", "return a[b]", "return a.get(b, 0)"),
        ("ValueError", "return max(a)", "return max(a, default=0)"),
        ("ValueError", "return g(a, int(b.c))", "return g(a, (int(b.c) if b.c else None))"),
        ("ValueError", "return int(a)", "return (int(a) if a else 0)"),
    ],
)
def test_an_error_has_changes_of_its_own(error: str, line: str, wanted: str) -> None:
    assert wanted in changed(inside(line), error)
    assert wanted not in changed(inside(line))


def test_what_a_loop_leaves_open_is_closed_behind_it() -> None:
    code = (
        "def f(a):\n    found, first = [], None\n    for x in a:\n        if x:\n"
        "            found.append(first)\n        first = x\n    return found\n"
    )
    closed = "        first = x\n    if first is not None:\n        found.append(first)\n"
    assert code.replace("        first = x\n", closed) in mends(code)


def test_the_last_statement_of_a_loop_may_stand_behind_it() -> None:
    code = "def f(a):\n    for x in a:\n        g(x)\n        return x\n"
    assert code.replace("        return", "    return") in mends(code)


def test_two_statements_change_places() -> None:
    code = "def f(a):\n    a.sort()\n    a = a[:3]\n    return a\n"
    assert "def f(a):\n    a = a[:3]\n    a.sort()\n    return a\n" in mends(code)


def test_what_a_loop_takes_away_is_not_what_it_goes_through() -> None:
    loop = "for a in b.c:\n        if a:\n            b.c.remove(a)"
    assert "for a in list(b.c):" in changed(inside(loop))
    assert "for a in list(b.c):" not in changed(inside("for a in b.c:\n        a.go()"))


def test_what_is_called_last_may_be_meant_to_be_returned() -> None:
    assert "return a.total()" in changed(inside("a.total()"))
    assert "return b.go()" not in changed(inside("b.go()\n    a.total()"))


def test_what_stands_in_doubled_braces_is_no_value() -> None:
    assert not any("a + 1" in line for line in changed(inside("return f'{{a + 2}} {b}'")))


def test_nothing_is_set_against_itself() -> None:
    lines = changed(inside("return (a.x - b.x, g(a.y, b.y), a < b)"))
    assert "return (a.x - a.x, g(a.y, b.y), a < b)" not in lines
    assert not [line for line in lines if "g(b.y, b.y)" in line or "b < b" in line]


def test_a_sign_is_taken_away_and_not_doubled() -> None:
    lines = changed(inside("a.sort(key=lambda x: (-x.b, x.c))"))
    assert "a.sort(key=lambda x: (x.b, x.c))" in lines
    assert not [line for line in lines if "--" in line]


def test_boundaries_of_the_same_thing_change_one_by_one() -> None:
    lines = changed(inside("return a <= b and b <= c"))
    assert "return a < b and b < c" not in lines
    assert "return a < b and b <= c" in lines


def test_a_boundary_next_to_a_number_changes_alone() -> None:
    lines = changed(inside("return a > 9 and b < c"))
    assert "return a >= 9 and b < c" in lines
    assert "return a >= 9 and b <= c" not in lines
    assert "return a >= -9 and b <= c" not in changed(inside("return a > -9 and b < c"))


def test_large_numbers_come_last() -> None:
    lines = changed("def f(a, b):\n    return a // 60 + b.c[b.d] + 7\n")
    assert lines.index("return a // 60 + b.c[b.d] + 8") < lines.index(
        "return a // 61 + b.c[b.d] + 7"
    )
    assert lines.index("return a // 60 + b.c[b.d + 1] + 7") < lines.index(
        "return a // 61 + b.c[b.d] + 7"
    )


def test_the_likeliest_come_first() -> None:
    code = "def f(a, b):\n    a.note()\n    return a == b or a < b\n"
    lines = changed(code)
    boundary, negation, nothing = map(
        lines.index, ("return a == b or a <= b", "return a != b or a < b", "pass")
    )
    assert boundary < negation < nothing


def test_a_method_keeps_its_margin_and_the_text_in_it() -> None:
    code = '    def f(self, a):\n        text = """\nraw\n  \n"""\n        return a < 1\n'
    made = list(mends(code))
    assert code.replace("<", "<=") in made
    assert all('"""\nraw\n  \n"""' in text for text in made)
    tabs = "\tdef f(self, a=[]):\n\t\treturn a\n"
    assert "\tdef f(self, a=None):\n\t\tif a is None:\n\t\t    a = []\n\t\treturn a\n" in mends(
        tabs
    )


def test_what_is_not_ascii_moves_nothing() -> None:
    line = 'return "größer 漢字" if a < b else "é" + 1'
    assert line.replace("<", "<=") in changed(inside(line))
    assert line.removesuffix(" + 1") in changed(inside(line))


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (
            "def f(x=[]):\n    return x\n",
            "def f(x=None):\n    if x is None:\n        x = []\n    return x\n",
        ),
        (
            'def f(a, *, x={}) -> int:\n    """What it does."""\n    # Why.\n    return x\n',
            'def f(a, *, x=None) -> int:\n    """What it does."""\n    # Why.\n'
            "    if x is None:\n        x = {}\n    return x\n",
        ),
        (
            "async def f(x=[]):\n    @own\n    def g():\n        return x\n    return g\n",
            "async def f(x=None):\n    if x is None:\n        x = []\n"
            "    @own\n    def g():\n        return x\n    return g\n",
        ),
    ],
    ids=["plain", "behind a docstring", "before a decorator"],
)
def test_a_shared_default_becomes_each_calls_own(code: str, wanted: str) -> None:
    assert next(mends(code)) == wanted


def test_an_except_is_widened_by_the_error_that_passes_it() -> None:
    one = "def f(a):\n    try:\n        return a.b\n    except KeyError:\n        return None\n"
    two = one.replace("KeyError", "(KeyError, OSError,)")
    own = one.replace("KeyError", "MyIndexError")
    assert "except (KeyError, IndexError):" in changed(one, "IndexError")
    assert "except (KeyError, OSError, IndexError):" in changed(two, "IndexError")
    assert "except (MyIndexError, IndexError):" in changed(own, "IndexError")
    assert not [line for line in changed(one, "KeyError") if line.startswith("except")]
    assert not [line for line in changed(one) if line.startswith("except")]


def test_a_copy_brings_its_import() -> None:
    code = inside("return list(a)")
    assert f"import copy\n\n\n{code.replace('list(a)', 'copy.deepcopy(a)')}" in mends(code)


@pytest.mark.parametrize(
    "code",
    [
        "def f(x=[]): return x\n",
        "def f(\n    x=[],\n): return x\n",
        'def f(x=[]): """Tells."""; return x < 1\n',
        "def f(a):\n    a[:] = a[1:]\n    del a[:]\n    a.b, c = a[0], not(a)\n",
        "def f(a):\n    return 1 if a else-1\n",
        "def f(a):\n    if (n := len(a)) > 1 and (m := n - 1):\n        return a[n:m], range(*a)\n",
        'def f(a):\n    return f"{a < 1} {a + 1:{2}} {f\'{a and 1}\'}" f"""\n{a[1:]}"""\n',
        "def f(a: list[1] = [], *b: int) -> dict[1, 2]:\n    c: list[2] = a or b\n    return c\n",
        "def f(a):\n    return lambda x=[], *y: not x or y - 1\n",
        "def f(a):\n    match a:\n        case [1, -1] | {2: a} if a < 1:\n            pass\n",
        "def f(a):\r    return a < 1\r    return a or 1\r",
        "def f(a):\r\n    return a and \\\r\n        1\r\n",
        "def f(a):\n    try:\n        pass\n    except* ValueError:\n        a -= 1; a.b()\n",
        "def f(a):\n    return a[1, b], a[...], a[::2], a[lambda: 1], a[b if c else d:]\n",
        "    def f(self):\n        return self.a or\\\n            self.b\n",
    ],
)
def test_every_change_parses_and_is_one(code: str) -> None:
    def tree(text: str) -> str:
        return ast.dump(ast.parse(f"if 1:\n{text}" if text[0] == " " else text))

    made = list(mends(code, "KeyError"))
    assert len(made) == len(set(made))
    plain = [re.sub(r"^import \w+\n\n\n", "", text) for text in made]
    assert tree(code) not in map(tree, plain)


def test_every_change_of_real_code_parses() -> None:
    count = 0
    source = Path(module.__file__).read_bytes()
    for symbol in symbols("expressions.py", source):
        if symbol.kind in (Kind.FUNCTION, Kind.METHOD):
            for text in mends(source[symbol.start : symbol.end].decode(), "KeyError"):
                plain = re.sub(r"^import \w+\n\n\n", "", text)
                ast.parse(f"if 1:\n{plain}" if plain[0] == " " else plain)
                count += 1
    assert count > 100


@pytest.mark.parametrize(
    "code",
    [
        "",
        "\n",
        "function f(a) { return a < 1 }",
        "def f(:\n",
        "x = '\0'\n",
        "return (\n",
        "    x = 1\n  y = 2\n",
        f"x = {'(' * 5000}1{')' * 5000}\n",
        f"def f(a):\n    return {'a + ' * 3000}1\n",
        f"def f(a):\n    return {'not ' * 3000}a\n",
    ],
    ids=["nothing", "blank", "JavaScript", "broken", "zero", "open", "torn", "deep", "long", "not"],
)
def test_what_cannot_be_read_has_no_changes(code: str) -> None:
    assert list(mends(code)) == []


def test_the_first_change_of_a_long_definition_comes_at_once() -> None:
    code = "def f(a):\n" + "    a.b(a < 1 or a.c[a:] + 1)\n" * 2000
    began = time.process_time()
    assert next(mends(code))
    assert time.process_time() - began < 3
