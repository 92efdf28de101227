"""Code kept but for one line or a new one, from where the model doubts it; on real weights."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from agent.messages import SystemMessage, UserMessage
from agent.models.base import CallForm, Form, Request
from agent.models.local.driver import Driver
from agent.models.local.model import LocalModel
from tests.agent.models.local.asking import ask

CODE = """\
def mean(values):
    total = 0
    for value in values:
        total += value
    return total / 2
"""
LINES = CODE.splitlines()


@pytest.fixture(scope="module")
def driver(weights: Path) -> Iterator[Driver]:
    made = Driver(str(weights), context=1024, gpu_layers=0, kv_type="f16", threads=2)
    yield made
    made.close()


def variant(model: LocalModel, number: int, editable: tuple[int, ...] = (1, 2, 3, 4)) -> list[str]:
    call = CallForm(
        "replace_symbol",
        ((("path", "a.py"), ("symbol", "mean")),),
        ("code",),
        original=CODE,
        editable=editable,
        variant=number,
        language="python",
    )
    form = Form((call,), required=True, max_calls=1, max_thought=0)
    messages = (SystemMessage("You mend code."), UserMessage(f"{CODE}\nWrite `mean` again."))
    answer = ask(model, Request(messages, form=form, max_tokens=300))
    assert answer.message.malformed == ()
    (written,) = answer.message.calls
    return str(written.arguments["code"]).splitlines()


def changed(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    matcher = difflib.SequenceMatcher(None, LINES, lines, autojunk=False)
    went: list[str] = []
    came: list[str] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            went += LINES[a:b]
            came += lines[c:d]
    return went, came


def test_each_variant_changes_one_line_or_adds_some_in_one_place(model: LocalModel) -> None:
    written = [variant(model, number) for number in range(12)]
    changes = [changed(lines) for lines in written]
    assert all(len(went) <= 1 for went, _ in changes)
    assert any(went for went, _ in changes)
    assert any(came and not went for went, came in changes)
    assert not any(line.strip().startswith(('"', "'", "#")) for _, came in changes for line in came)
    assert len({"\n".join(lines) for lines in written}) > 6


def test_only_editable_lines_change(model: LocalModel) -> None:
    for number in range(4):
        went, _ = changed(lines := variant(model, number, (4,)))
        assert lines[:4] == LINES[:4]
        assert went in ([], LINES[4:])


def test_when_no_place_is_left_the_code_stays(model: LocalModel) -> None:
    assert variant(model, 10_000) == LINES


def test_doubting_leaves_the_cache_as_it_was(driver: Driver) -> None:
    before = driver.tokenize("Some text before it.\n", special=False)
    driver.keep(before)
    driver.evaluate(before[len(driver.held) :])
    tokens = driver.tokenize(CODE, special=False)
    doubts = driver.doubts(tokens)
    assert driver.held == before
    assert [doubt.probability for doubt in doubts] == sorted(
        (doubt.probability for doubt in doubts), reverse=True
    )
    assert all(tokens[doubt.index] != doubt.token for doubt in doubts)
    assert all(0 < doubt.index < len(tokens) for doubt in doubts)


def test_an_alternative_has_the_probability_that_sampling_would_give_it(driver: Driver) -> None:
    before = driver.tokenize("Some text before it.\n", special=False)
    driver.keep(before)
    driver.evaluate(before[len(driver.held) :])
    tokens = driver.tokenize(CODE, special=False)
    doubt = driver.doubts(tokens)[0]
    driver.evaluate(tokens[: doubt.index])
    logits = driver.logits().astype("float64")
    share = 1 / sum(2.718281828459045 ** (logits - logits[doubt.token]))
    assert share == pytest.approx(doubt.probability, rel=0.02)
