"""The code that issues show, in whatever shape, and issues that mean harm."""

from __future__ import annotations

import ast
import random
import time

import pytest

from agent.steering.snippets import Snippet, snippets

FENCED = """\
It is wrong:

```python
box = Box(2)
box.fill()
box.size
```
"""
INDENTED = """\
It is wrong:

    box = Box(2)

    box.size

which should be 4.
"""
PROMPTED = """\
```
>>> box = Box(
...     2)
>>> box.size
3
>>> box.fill()
```
"""


def of(*pairs: tuple[str, str]) -> tuple[Snippet, ...]:
    return tuple(Snippet(before, value) for before, value in pairs)


@pytest.mark.parametrize(
    ("issue", "wanted"),
    [
        (FENCED, of(("box = Box(2)\nbox.fill()", "box.size"))),
        (FENCED.replace("```", "~~~~"), of(("box = Box(2)\nbox.fill()", "box.size"))),
        (FENCED.replace("\n", "\r\n"), of(("box = Box(2)\nbox.fill()", "box.size"))),
        (FENCED.removesuffix("```\n"), of(("box = Box(2)\nbox.fill()", "box.size"))),
        (INDENTED, of(("box = Box(2)", "box.size"))),
        (INDENTED.replace("    ", "\t"), of(("box = Box(2)", "box.size"))),
        (
            PROMPTED,
            of(("box = Box(2)\nbox.size", "box.fill()"), ("box = Box(2)", "box.size")),
        ),
    ],
    ids=["fenced", "tildes", "CRLF", "open", "indented", "tabs", "doctest"],
)
def test_a_block_shows_its_last_value(issue: str, wanted: tuple[Snippet, ...]) -> None:
    assert snippets(issue) == wanted


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("print(f(1))\nx = 2", of(("", "f(1)"))),
        ("print(f(1))\nprint(f(2))", of(("", "f(2)"), ("", "f(1)"))),
        ("x = f(1)\nprint(x)", of(("x = f(1)", "str(x)"))),
        ("f(1)  # gives 3\nx = 2", of(("", "f(1)"))),
        ("f(1)\nx = 2", of()),
        ("a[0]", of(("", "a[0]"))),
        ("f(1) == 2", of(("", "(f(1) == 2)"))),
        ("a + b", of(("", "(a + b)"))),
        ("print(1, f(2))", of()),
        ("print(*f(2))", of()),
        ("print(await f(2))", of()),
        ("print(x := f(2))", of()),
        ("x = 1", of()),
        ("f(1)\n3 is what comes", of(("", "f(1)"))),
        ("f(1)\nTraceback (most recent call last):\n  File 'a.py'", of(("", "f(1)"))),
        ("$ pip install it", of()),
        ("def f(x):\n    return x\nf(1)", of(("def f(x):\n    return x", "f(1)"))),
    ],
)
def test_what_is_printed_remarked_on_or_last_is_a_value(
    code: str, wanted: tuple[Snippet, ...]
) -> None:
    assert snippets(f"```\n{code}\n```") == wanted


def test_calls_in_the_prose_come_last_and_know_the_last_block() -> None:
    prose = "Also `half(4)` and `box.grow(by=1)`, not `half` or `half()` or ``f(1)``."
    issue = f"{FENCED}\n{prose}\n"
    block, half, grow = snippets(issue)
    assert block.value == "box.size"
    assert half == Snippet("box = Box(2)\nbox.fill()\nbox.size", "half(4)")
    assert grow.value == "box.grow(by=1)"


def test_no_value_is_told_twice() -> None:
    assert snippets("`f(1)` and `f(1)`") == of(("", "f(1)"))


SIZE = 1 << 20
HUGE = {
    "ticks": "`" * SIZE,
    "fences": "```\n" * (SIZE // 4),
    "one open fence": "`" * 1000 + "\n" + "x\n" * (SIZE // 2),
    "shrinking fences": "".join("`" * n + "\nx\n" for n in range(300, 3, -1)),
    "prompts": ">>> f(1)\n" * (SIZE // 9),
    "fenced prompts": "```\n" + ">>> f(1)\n" * (SIZE // 9) + "```\n",
    "indented prompts": "\n" + "    >>> f(1)\n" * (SIZE // 13),
    "blanks": " " * SIZE,
    "blank lines": "    \n" * (SIZE // 5),
    "decorators": "```\n" + "@a\n" * (SIZE // 3) + "```",
    "blocks of decorators": ("```\n" + "@a\n" * 200 + "```\n") * 1000,
    "brackets": "    " + "(" * SIZE,
    "attributes": "```\na" + ".a" * 20_000 + "\n```",
    "minus": "```\nf(" + "-" * 20_000 + "1)\n```",
    "digits": "```\nf(0x" + "f" * 30_000 + ")\n```",
    "no number": "```\nf(" + "9" * 30_000 + ")\n```",
    "calls": "`f(1)` " * (SIZE // 7),
    "ticks apart": "` " * (SIZE // 2),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_issue_is_read_at_once(name: str) -> None:
    began = time.process_time()
    snippets(HUGE[name])
    assert time.process_time() - began < 1


PIECES = (
    *("```", "~~~", "`", "\n", "\n\n", "    ", "\t", ">>> ", "... ", "#", "\\", "\r", "\0", "\f"),
    *(
        "f(1)",
        "print(",
        ")",
        "x = ",
        "'",
        '"""',
        "é",
        "\u2028",
        "\ud800",
        "def f():",
        "@",
        "await ",
    ),
    *("lambda: ", "*", "if x:", "else", "f'{", "}'", "(", "[", "0x", "yield", ":=", "\\d"),
)


def test_no_text_is_too_strange() -> None:
    chance = random.Random(7)
    shown = 0
    for _ in range(400):
        issue = "".join(chance.choices(PIECES, k=chance.randrange(30)))
        for snippet in (*snippets(issue), *snippets(f"```\nf(1)\n{issue}\n```")):
            ast.parse(f"{snippet.before}\nassert {snippet.value} == 1")
            assert "\n" not in snippet.value
            shown += 1
    assert shown
