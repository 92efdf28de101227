"""Other statements are asked for where nothing else helped, and tried on real files and tests."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from agent.approval import ApprovalAnswer, ApprovalRequest, Choice, Gate
from agent.events import Status, ToolFinished
from agent.mode import Mode
from agent.models.base import Infill
from agent.models.scripted import ScriptedModel
from agent.steering.bench import Bench
from agent.steering.evidence import Case
from agent.steering.infilling import Infilling
from agent.steering.moves import Ask
from agent.steering.suspects import suspects
from tests.agent.steering.test_bench import Refusing
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
from tools.base import Cancel
from tools.outline import Index
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun
from tools.workspace import Workspace

INFILLS = 'infills = true\nsteering = "guided"\n'
WRONG = call("half", HALF_NO_BETTER)
NAMING = 'text = "It is half."\n'
"""With which an answer names what is wrong."""
EARLIER = [INFILLS, WRONG.replace(NAMING, ""), *[WRONG] * 3]
"""The first answer, which names nothing, and one about each of three suspects."""
OTHERS = 3
"""Statements of the code: the rate, `return x + RATE`, `return x / 3`."""
conduct = partial(conduct_with, mending=True, code=CODE.replace("x / 3", "x / RATE / RATE"))


def infill(*texts: tuple[object, object], likely: object = 0.5) -> str:
    head = f'[[step.call]]\ntool = "infill"\nprobability = {likely}\n'
    calls = (f"{head}gap = {gap}\ntext = {json.dumps(text)}\n" for gap, text in texts)
    return "[[step]]\n" + "".join(calls)


def rating(*likely: object) -> str:
    """How likely what is there is, then each change that passes."""
    head = '[[step.call]]\ntool = "infill"\ntext = ""\n'
    calls = (f"{head}gap = {n}\nlikelihood = {told}\n" for n, told in enumerate(likely))
    return "[[step]]\n" + "".join(calls)


def code(tmp_path: Path) -> str:
    return (tmp_path / "repository" / "calc.py").read_text()


def test_a_statement_with_which_the_test_passes_stays(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x * 7"), (OTHERS - 1, "return x / RATE"))
    seen = conduct(tmp_path, [*EARLIER, filled])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 5
    assert code(tmp_path) == CODE.replace("x / 3", "x / RATE")
    assert questions(seen)[4].startswith("What else might the statements of `")


def test_the_model_is_asked_first_about_what_it_says_is_wrong(tmp_path: Path) -> None:
    assert NAMING in WRONG
    seen = conduct(tmp_path, [INFILLS, WRONG, infill((0, "return x / RATE"))])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 2
    assert code(tmp_path) == CODE.replace("x / 3", "x / RATE")


def test_no_statement_is_asked_about_twice(tmp_path: Path) -> None:
    steps = [INFILLS, WRONG, infill((0, "return x * 7")), *[WRONG] * 3, infill((0, "RATE = 5"))]
    seen = conduct(tmp_path, [*steps, call("half", HALF)])
    assert ended(seen).status is Status.VERIFIED
    asked = [text for text in questions(seen) if text.startswith("What else might")]
    assert "`half`" in asked[0]
    assert "`half`" not in asked[1]


def test_of_a_text_that_goes_on_for_too_long_its_beginning_is_tried(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x / RATE\n\n\nreturn [\n"))
    assert ended(conduct(tmp_path, [*EARLIER, filled])).status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("x / 3", "x / RATE")


def test_what_a_text_needs_is_imported(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return math.sqrt(x)"))
    assert ended(conduct(tmp_path, [*EARLIER, filled])).status is Status.VERIFIED
    assert code(tmp_path).startswith("import math\n")


def test_where_no_statement_helps_the_model_is_asked_on(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x * 7"), (0, "RATE = 5"))
    seen = conduct(tmp_path, [*EARLIER, filled, call("half", HALF)])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 6
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
    seen = conduct(tmp_path, [*EARLIER, filled, call("half", HALF)])
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
    seen = conduct(tmp_path, [*EARLIER, filled, call("half", HALF)], tests)
    assert ended(seen).status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


def test_a_model_that_cannot_fill_gaps_is_not_asked_to(tmp_path: Path) -> None:
    seen = conduct(tmp_path, ['steering = "guided"\n', *[WRONG] * 4, call("half", HALF)])
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 5


def test_statements_of_methods_and_of_several_lines_are_replaced_whole(tmp_path: Path) -> None:
    shop = (
        "class Shop:\n    @staticmethod\n    def half(x):\n        result = sum(\n"
        "            [x, x, 1]\n        )\n        if result:\n            return result\n"
        "        return 0\n\n\ndouble = half = Shop.half\n"
    )
    tests = "from calc import half\n\n\ndef test_half():\n    assert half(4) == 2\n"
    wrong = call("Shop.half", "    @staticmethod\n    def half(x):\n        return 9\n")
    wrong = wrong.replace("It is Shop.half.", "It is wrong.")
    filled = infill((0, "result = x / 2\n        result = int(result)"))
    seen = conduct(
        tmp_path,
        [INFILLS, wrong, wrong, filled, rating()],  # its first line alone passes, too
        tests,
        code=shop,
        task="Halves are wrong.",
    )
    assert ended(seen).status is Status.VERIFIED
    lines = "result = x / 2\n        result = int(result)"
    assert code(tmp_path) == shop.replace("result = sum(\n            [x, x, 1]\n        )", lines)


def test_a_comment_and_a_string_at_the_margin_stay(tmp_path: Path) -> None:
    lines = '    note = """\nSELECT"""\n    return x / RATE / RATE  # of two'
    shop = CODE.replace("    return x / 3", lines)
    filled = infill((OTHERS, "return x / RATE"))
    seen = conduct(tmp_path, [*EARLIER, filled], code=shop)
    assert ended(seen).status is Status.VERIFIED
    assert code(tmp_path) == shop.replace("RATE / RATE", "RATE")


HEADS = """\
def half(x):
    for part in (
        x,
    ):
        # first
        @str
        def f(): ...
    if x: return 1
    with open(x) as file:
        pass
    match x:
        case 1:
            y = 1; z = 2
    while (x and
           y): return x
    try:
        return x
    except* OSError:
        raise
"""


def test_a_statement_with_a_body_ends_before_it(tmp_path: Path) -> None:
    infilled = asked(tmp_path, HEADS)
    assert [gap.piece for gap in infilled.gaps] == [
        "for part in (\n        x,\n    ):",
        "if x: return 1",
        "with open(x) as file:",
        "match x:",
        "y = 1; z = 2",
        "while (x and\n           y): return x",
        "return x",
        "OTHER = 1",
    ]


def test_what_is_around_a_gap(tmp_path: Path) -> None:
    (gap,) = (gap for gap in asked(tmp_path, CODE).gaps if gap.piece == "return x / 3")
    assert gap.before.startswith("# Halves are\n# wrong.\n\n\n# other.py\nOTHER = 1\n\n\n")
    assert "# test_calc.py\ndef test_half():\n    assert half(4) == 2\n\n\n" in gap.before
    assert gap.before.endswith("# calc.py\n" + CODE.removesuffix("return x / 3\n"))
    assert gap.piece == "return x / 3"
    assert gap.after == "\n"


def test_tests_of_the_models_own_are_not_shown(tmp_path: Path) -> None:
    assert "test_half" not in asked(tmp_path, CODE, tests=False).gaps[0].before


def asked(tmp_path: Path, code: str, *, tests: bool = True) -> Infill:
    """What is asked first of a model that fills gaps."""
    (tmp_path / "calc.py").write_text(code)
    (tmp_path / "other.py").write_text("OTHER = 1\n")
    (tmp_path / "test_calc.py").write_text(TESTS)
    (tmp_path / "script.toml").write_text(INFILLS)
    model = ScriptedModel.load(tmp_path / "script.toml")
    workspace = Workspace(tmp_path)
    index = Index.build(workspace, None)
    bench = Bench(workspace, lambda: index, model.spec, model.count, True, Case())
    shown = bench.gather(suspects(index, "half", None, ""))
    case = TestCase("test_calc.py::test_half", Outcome.FAILED, "assert 1.3 == 2")
    run = TestRun(("pytest",), Runner.PYTEST, (case,), 1, "", 1.0)
    bench.task = "Halves are\nwrong."
    gaps = Infilling(bench, shown, run, bool, tests)
    move = next(gaps.improve(shown.candidates))
    assert isinstance(move, Ask)
    assert move.infill is not None
    return move.infill


def test_who_wants_to_see_each_edit_first_is_not_shown_trials(tmp_path: Path) -> None:
    class Asked:
        def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
            return ApprovalAnswer(Choice.ONCE)

    gate = Gate(Mode.ASK, Asked(), tmp_path / "repository", sandboxed=True)
    seen = conduct(tmp_path, [*EARLIER, call("half", HALF)], gate=gate)
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 5


def test_a_limit_in_the_midst_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    filled = infill((OTHERS - 1, "return x / RATE"))
    seen = conduct(tmp_path, [*EARLIER, filled], steps=4)
    assert ended(seen).status is Status.STEP_LIMIT
    assert ended(seen).changed == ()


def test_where_trials_are_not_allowed_nothing_is_asked_for_them(tmp_path: Path) -> None:
    gate = Gate(Mode.EDIT, Refusing(), tmp_path / "repository", sandboxed=False)
    seen = conduct(tmp_path, [*EARLIER, call("half", HALF)], gate=gate)
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 5
