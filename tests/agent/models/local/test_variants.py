"""Code kept but for one line, from where the model doubts it; on real weights."""

from __future__ import annotations

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


def differing(lines: list[str]) -> list[int]:
    assert len(lines) == len(LINES)
    return [n for n, (one, other) in enumerate(zip(lines, LINES, strict=True)) if one != other]


def test_each_variant_changes_one_line_and_no_two_are_the_same(model: LocalModel) -> None:
    written = [variant(model, number) for number in range(4)]
    assert all(len(differing(lines)) == 1 for lines in written)
    assert len({"\n".join(lines) for lines in written}) > 1


def test_only_editable_lines_change(model: LocalModel) -> None:
    assert all(differing(variant(model, number, (4,))) == [4] for number in range(3))


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
