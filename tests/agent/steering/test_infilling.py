"""Other statements are asked for where nothing else helped, and tried on real files and tests."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from agent.events import Status, ToolFinished
from tests.agent.steering.test_guided import (
    CODE,
    HALF,
    HALF_NO_BETTER,
    TESTS,
    call,
    ended,
    questions,
)
from tests.agent.steering.test_guided import conduct as conduct_with

INFILLS = 'infills = true\nsteering = "guided"\n'
WRONG = call("half", HALF_NO_BETTER)
OTHERS = 3
"""Statements of the code: the rate, `return x + RATE`, `return x / 3`."""
conduct = partial(conduct_with, mending=True, code=CODE.replace("x / 3", "x / RATE / RATE"))


def infill(*texts: tuple[object, object], likely: object = 0.5) -> str:
    head = f'[[step.call]]\ntool = "infill"\nprobability = {likely}\n'
    calls = (f"{head}gap = {gap}\ntext = {json.dumps(text)}\n" for gap, text in texts)
    return "[[step]]\n" + "".join(calls)


def code(tmp_path: Path) -> str:
    return (tmp_path / "repository" / "calc.py").read_text()


def test_a_statement_with_which_the_test_passes_stays(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x * 7"), (OTHERS - 1, "return x / RATE"))
    seen = conduct(tmp_path, [INFILLS, WRONG, filled])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 2
    assert code(tmp_path) == CODE.replace("x / 3", "x / RATE")
    assert questions(seen)[1].startswith("What else might the statements of `")


def test_of_a_text_that_goes_on_for_too_long_its_beginning_is_tried(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x / RATE\n\n\nreturn [\n"))
    assert ended(conduct(tmp_path, [INFILLS, WRONG, filled])).status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("x / 3", "x / RATE")


def test_what_a_text_needs_is_imported(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return math.sqrt(x)"))
    assert ended(conduct(tmp_path, [INFILLS, WRONG, filled])).status is Status.VERIFIED
    assert code(tmp_path).startswith("import math\n")


def test_where_no_statement_helps_the_model_is_asked_on(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x * 7"), (0, "RATE = 5"))
    seen = conduct(tmp_path, [INFILLS, WRONG, filled, call("half", HALF)])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 3
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


@pytest.mark.parametrize(
    "filled",
    [
        "[[step]]\n",
        infill((OTHERS, "return x / RATE"), (-1, "return x / RATE"), ("'0'", "return x / RATE")),
        infill((OTHERS - 1, "return x / RATE"), likely="'much'"),
        infill((OTHERS - 1, "return x / ("), (OTHERS - 1, ""), (0, "\t \n")),
        infill((OTHERS - 1, "return x  /  RATE / RATE")),
        call("half", HALF),
    ],
    ids=["nothing", "no such gap", "no number", "no Python", "the same", "another call"],
)
def test_texts_that_cannot_be_used_are_not_tried(tmp_path: Path, filled: str) -> None:
    seen = conduct(tmp_path, [INFILLS, WRONG, filled, call("half", HALF)])
    assert ended(seen).status is Status.VERIFIED
    trials = [
        event
        for event in seen
        if isinstance(event, ToolFinished) and event.call.name == "try_mends"
    ]
    assert len(trials) == 1


def test_a_value_out_of_the_tests_is_no_statement(tmp_path: Path) -> None:
    tests = TESTS.replace("half(0) == 0", "double").replace("half(4) == 2", "half(4.75) == 2.375")
    filled = infill((OTHERS - 1, "return 2.375"))
    seen = conduct(tmp_path, [INFILLS, WRONG, filled, call("half", HALF)], tests)
    assert ended(seen).status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


def test_a_model_that_cannot_fill_gaps_is_not_asked_to(tmp_path: Path) -> None:
    seen = conduct(tmp_path, ['steering = "guided"\n', WRONG, call("half", HALF)])
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 2


def test_statements_of_methods_and_of_several_lines_are_replaced_whole(tmp_path: Path) -> None:
    shop = (
        "class Shop:\n    @staticmethod\n    def half(x):\n        result = sum(\n"
        "            [x, x, 1]\n        )\n        if result:\n            return result\n"
        "        return 0\n\n\ndouble = half = Shop.half\n"
    )
    tests = "from calc import half\n\n\ndef test_half():\n    assert half(4) == 2\n"
    wrong = call("Shop.half", "    @staticmethod\n    def half(x):\n        return 9\n")
    filled = infill((0, "result = x / 2\n        result = int(result)"))
    seen = conduct(tmp_path, [INFILLS, wrong, filled], tests, code=shop, task="Halves are wrong.")
    assert ended(seen).status is Status.VERIFIED
    lines = "result = x / 2\n        result = int(result)"
    assert code(tmp_path) == shop.replace("result = sum(\n            [x, x, 1]\n        )", lines)


def test_a_limit_in_the_midst_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x / RATE"))
    seen = conduct(tmp_path, [INFILLS, WRONG, filled], steps=1)
    assert ended(seen).status is Status.STEP_LIMIT
    assert ended(seen).changed == ()
