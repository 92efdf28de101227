"""The harness conducts a turn: over real files, real pytest and a scripted model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent import events
from agent.approval import Gate
from agent.events import Event, Status, TurnFinished
from agent.limits import Limits
from agent.loop import Agent
from agent.messages import UserMessage
from agent.models.scripted import ScriptedModel
from agent.steering.bench import Bench
from agent.steering.evidence import Case
from agent.steering.guided import Guided
from tools.base import Toolbox
from tools.edit import ReplaceSymbol
from tools.files import WriteFile
from tools.mend import TryMends
from tools.outline import Index
from tools.testing.commands import parse_command
from tools.tests import RunTests
from tools.workspace import Workspace

# Half of a short run is the loading of whatever plugins are installed beside pytest.
PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest"
CODE = """\
RATE = 2


def double(x):
    return x + RATE


def half(x):
    return x / 3
"""
TESTS = """\
from calc import double, half


def test_zero():
    assert half(0) == 0


def test_half():
    assert half(4) == 2
"""


def call(symbol: str, code: str, tool: str = "replace_symbol", path: str = "calc.py") -> str:
    where = f'symbol = "{symbol}"\n' if symbol else ""
    body = "content" if tool == "write_file" else "code"
    return (
        f'[[step]]\ntext = "It is {symbol}."\n[[step.call]]\ntool = "{tool}"\n'
        f"path = \"{path}\"\n{where}{body} = '''\n{code}'''\n"
    )


HALF = "def half(x):\n    return x / 2\n"
HALF_NO_BETTER = "def half(x):\n    return x / 4\n"
HALF_AS_IT_IS = "def half(x):\n    return x / 3\n"
DOUBLE = "def double(x):\n    return x * RATE\n"


def conduct(
    tmp_path: Path,
    script: Sequence[str],
    tests: str = TESTS,
    *,
    code: str = CODE,
    steps: int = 60,
    command: str = PYTEST,
    task: str = "`half(4)` gives 1.33 and should give 2.",
    talk: bool = False,
    mending: bool = False,
    stop: Callable[[Event], bool] | None = None,
    gate: Gate | None = None,
) -> list[Event]:
    root = tmp_path / "repository"
    root.mkdir(exist_ok=True)
    (root / "calc.py").write_text(code)
    (root / "test_calc.py").write_text(tests)
    (tmp_path / "script.toml").write_text("\n".join(script))
    model = ScriptedModel.load(tmp_path / "script.toml")
    workspace = Workspace(root)
    run = RunTests(root, parse_command(command), 60)
    mend = [TryMends(workspace, run)] if mending else []
    toolbox = Toolbox.of([ReplaceSymbol(workspace), WriteFile(workspace), run, *mend])
    bench = Bench(
        workspace, lambda: Index.build(workspace, None), model.spec, model.count, True, Case()
    )
    if gate is not None:
        bench.edits_ask = lambda: gate.edits_ask
    steering = Guided(bench, talk)
    agent = Agent(model, toolbox, workspace, steering, Limits(steps=steps), gate=gate)
    cancel = threading.Event()
    seen = []
    for event in agent.run(task, cancel):
        seen.append(event)
        if stop is not None and stop(event):
            cancel.set()
    return seen


def ended(seen: Sequence[Event]) -> TurnFinished:
    last = seen[-1]
    assert isinstance(last, TurnFinished)
    return last


def questions(seen: Sequence[Event]) -> list[str]:
    said = [event.message for event in seen if isinstance(event, events.Said)]
    return [message.text for message in said if isinstance(message, UserMessage)]


def test_the_first_answer_may_be_right(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF)])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py",)
    assert end.totals.steps == 1


@pytest.mark.parametrize(
    ("task", "shown"), [("What does half do?", "return x / 3"), ("Who are you?", "double")]
)
def test_in_a_conversation_a_question_is_answered_in_words(
    tmp_path: Path, task: str, shown: str
) -> None:
    seen = conduct(tmp_path, ['[[step]]\ntext = "It divides."'], task=task, talk=True)
    assert ended(seen).status is Status.ANSWERED
    assert shown in questions(seen)[0]
    assert not [event for event in seen if isinstance(event, events.ToolStarted)]


def test_the_question_shows_code_failing_test_and_its_error(tmp_path: Path) -> None:
    (question,) = questions(conduct(tmp_path, [call("half", HALF)]))
    assert "`half(4)` gives 1.33" in question
    assert "def double(x):" in question
    assert "def test_half():" in question
    assert "def test_zero():" not in question
    assert "assert half(4) == 2" in question


def test_a_change_that_does_not_help_is_fed_back_then_taken_back(tmp_path: Path) -> None:
    steps = [call("half", HALF_NO_BETTER), call("half", HALF_AS_IT_IS), call("half", HALF)]
    seen = conduct(tmp_path, steps)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert "The tests still fail" in questions(seen)[1]
    assert [event for event in seen if isinstance(event, events.Rewound)]
    assert end.patch.count("\n+ ") == 1


def test_suspects_are_asked_about_in_turn_those_that_failing_tests_call_first(
    tmp_path: Path,
) -> None:
    wrong = "def double(x):\n    return x - RATE\n"
    steps = [call("double", wrong), call("double", wrong), call("half", HALF)]
    seen = conduct(tmp_path, steps)
    assert ended(seen).status is Status.VERIFIED
    assert "Write `half` in calc.py again" in questions(seen)[2]


@pytest.mark.parametrize(
    ("symbol", "same"),
    [("half", HALF_AS_IT_IS), ("double", 'def double(x):\n    return x + RATE\n\n\n"""Ends."""\n')],
    ids=["the definition", "with what follows it in the file"],
)
def test_code_that_is_there_already_is_no_edit(tmp_path: Path, symbol: str, same: str) -> None:
    code = CODE.replace("def half", '"""Ends."""\n\n\ndef half')
    seen = conduct(tmp_path, [call(symbol, same), call("half", HALF)], code=code)
    tools = [event for event in seen if isinstance(event, events.ToolFinished)]
    assert [tool.call.name for tool in tools] == ["run_tests", "replace_symbol", "run_tests"]
    assert ended(seen).status is Status.VERIFIED


def test_of_two_bugs_the_first_mended_is_kept(tmp_path: Path) -> None:
    tests = TESTS + "\n\ndef test_double():\n    assert double(3) == 6\n"
    seen = conduct(tmp_path, [call("half", HALF), call("double", DOUBLE)], tests)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert "2 tests failed and pass now" in end.summary


def test_when_all_attempts_fail_nothing_is_left_changed(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF_NO_BETTER)] * 60)
    end = ended(seen)
    assert end.status is Status.FAILED
    assert end.changed == ()
    assert (tmp_path / "repository" / "calc.py").read_text() == CODE


NO_VALUE = "Halves are too small."
TEST_OF_ISSUE = "from calc import half\n\n\ndef test_issue():\n    assert half(4) == 2\n"


def test_where_nothing_fails_a_failing_test_is_written_first(tmp_path: Path) -> None:
    passing = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
    useless = TEST_OF_ISSUE.replace("half(4) == 2", "half(0) == 0")
    steps = [
        call("", useless, "write_file", "test_issue.py"),
        *[call("", TEST_OF_ISSUE, "write_file", "test_issue.py")] * 3,
        call("half", HALF),
    ]
    end = ended(conduct(tmp_path, steps, passing, task=NO_VALUE))
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue.py")


def test_a_change_is_left_without_the_written_test_that_no_change_passes(tmp_path: Path) -> None:
    passing = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
    wrong = TEST_OF_ISSUE.replace("== 2", "== 3")
    steps = [call("", wrong, "write_file", "test_issue.py")] * 4 + [call("half", HALF)] * 60
    seen = conduct(tmp_path, steps, passing, task=NO_VALUE)
    end = ended(seen)
    assert end.status is Status.UNVERIFIED
    assert end.changed == ("calc.py",)
    assert not any("== 3" in question for question in questions(seen))


def test_of_two_written_tests_the_one_that_passes_is_left_without_what_it_never_reached(
    tmp_path: Path,
) -> None:
    passing = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
    right = TEST_OF_ISSUE + "    assert half(8) == 5\n"
    steps = [
        call("", TEST_OF_ISSUE.replace("== 2", "== 3"), "write_file", "test_issue.py"),
        call("", right, "write_file", "test_issue_2.py"),
        call("half", HALF),
    ]
    end = ended(conduct(tmp_path, steps, passing, task=NO_VALUE))
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue_2.py")
    assert (tmp_path / "repository" / "test_issue_2.py").read_text() == TEST_OF_ISSUE


@pytest.mark.parametrize("wrong", ["half(4) == nine", "no_such(4) == 2"])
def test_a_test_that_fails_for_its_own_mistake_is_no_proof(tmp_path: Path, wrong: str) -> None:
    passing = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
    mistaken = TEST_OF_ISSUE.replace("half(4) == 2", wrong)
    steps = [call("", mistaken, "write_file", "test_issue.py")] * 4 + [call("half", HALF)]
    end = ended(conduct(tmp_path, steps, passing, task=NO_VALUE))
    assert end.status is Status.UNVERIFIED
    assert end.changed == ("calc.py",)


def test_a_call_that_was_not_asked_for_is_not_made(tmp_path: Path) -> None:
    weaker = TESTS.replace("== 2", "> 1")
    steps = [call("", weaker, "write_file", "test_calc.py"), call("half", HALF)]
    seen = conduct(tmp_path, steps)
    assert ended(seen).changed == ("calc.py",)
    assert "was not asked for" in questions(seen)[1]


def test_a_limit_takes_back_the_change_that_was_being_tried(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF_NO_BETTER)] * 3, steps=1)
    end = ended(seen)
    assert end.status is Status.STEP_LIMIT
    assert end.changed == ()
    assert (tmp_path / "repository" / "calc.py").read_text() == CODE


def test_files_that_may_not_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "id_rsa_tool.py").write_text("def secret():\n    return 1\n")
    (tmp_path / "repository" / "nul.py").write_bytes(b"def f():\n    return 1\0\n")
    seen = conduct(tmp_path, [call("half", HALF)])
    assert ended(seen).status is Status.VERIFIED
    assert "secret" not in questions(seen)[0]


def test_tests_that_cannot_be_run_end_the_turn_before_any_change(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF)], command="pytest tests/typo.py")
    end = ended(seen)
    assert end.status is Status.FAILED
    assert "cannot be run" in end.summary
    assert end.totals.steps == 0


def test_a_second_issue_gets_a_test_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "test_issue.py").write_text("def test_old():\n    pass\n")
    passing = "from calc import half\n\n\ndef test_zero():\n    assert half(0) == 0\n"
    steps = [call("", TEST_OF_ISSUE, "write_file", "test_issue_2.py")] * 4 + [call("half", HALF)]
    end = ended(conduct(tmp_path, steps, passing, task=NO_VALUE))
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue_2.py")


def test_two_changes_that_only_help_together_are_tried_together(tmp_path: Path) -> None:
    code = CODE + "\n\ndef quarter(x):\n    return half(double(x)) / 8\n"
    code = code.replace("return x + RATE", "return x * RATE + 1")
    tests = (
        "from calc import quarter\n\n\ndef test_quarter():\n    assert quarter(8) == 1\n"
        "    assert quarter(16) == 2\n"
    )
    wrong = "def quarter(x):\n    return half(double(x)) / 9\n"
    steps = [call("quarter", wrong)] * 3 + [call("half", HALF)] * 2 + [call("double", DOUBLE)] * 3
    end = ended(conduct(tmp_path, steps, tests, code=code))
    assert end.status is Status.VERIFIED
    assert end.patch.count("\n+ ") == 2


POINTS = """Two are wrong:

1. `half(4)` gives 1.33 and should give 2.
2. `double(3)` gives 4.1 and should give 6.
"""
DOUBLED = "def double(x):\n    return x * 2\n"
TEST_OF_DOUBLE = "from calc import double\n\n\ndef test_issue():\n    assert double(3) == 6\n"


def test_what_the_issue_lists_and_no_test_shows_is_seen_to(tmp_path: Path) -> None:
    written = call("", TEST_OF_DOUBLE, "write_file", "test_issue.py")
    script = [call("half", HALF), written, call("double", DOUBLED)]
    seen = conduct(tmp_path, script, task=POINTS)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py", "test_issue.py")
    assert end.totals.steps == 3
    code = (tmp_path / "repository" / "calc.py").read_text()
    assert "x / 2" in code
    assert "x * 2" in code
    assert "half(4)" in questions(seen)[0]
    assert "half(4)" not in questions(seen)[2]


def test_a_point_that_was_changed_along_with_the_other_is_not_asked_about(tmp_path: Path) -> None:
    both = call("half", HALF) + call("double", DOUBLED).replace("[[step]]", "").replace(
        'text = "It is double."', ""
    )
    end = ended(conduct(tmp_path, [both], task=POINTS))
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 1


def test_a_point_that_cannot_be_mended_leaves_what_is_proven(tmp_path: Path) -> None:
    written = call("", TEST_OF_DOUBLE, "write_file", "test_issue.py")
    worse = call("double", "def double(x):\n    return None\n")
    script = [call("half", HALF), written, *[worse] * 8]
    seen = conduct(tmp_path, script, task=POINTS)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    code = (tmp_path / "repository" / "calc.py").read_text()
    assert "x / 2" in code
    assert "return None" in code  # the first change that breaks nothing, as where no test fails
    assert end.changed == ("calc.py",)
    told = [event.text for event in seen if isinstance(event, events.Notice)]
    assert told[-1] == "No test proves that change: look at it."


def test_a_point_of_which_no_test_fails_is_left_alone(tmp_path: Path) -> None:
    passing = TEST_OF_DOUBLE.replace("== 6", "> 3")
    script = [call("half", HALF), *[call("", passing, "write_file", "test_issue.py")] * 5]
    seen = conduct(tmp_path, script, task=POINTS)
    assert ended(seen).status is Status.VERIFIED
    code = (tmp_path / "repository" / "calc.py").read_text()
    assert code == CODE.replace("x / 3", "x / 2")
    told = [event.text for event in seen if isinstance(event, events.Notice)]
    assert told[-1] == "Nothing was found for that."


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_limit_while_a_point_is_open_takes_nothing_from_the_proof(
    tmp_path: Path, steps: int
) -> None:
    written = call("", TEST_OF_DOUBLE, "write_file", "test_issue.py")
    worse = call("double", "def double(x):\n    return None\n")
    script = [call("half", HALF), written, *[worse] * 8]
    end = ended(conduct(tmp_path, script, task=POINTS, steps=steps))
    assert end.status is Status.VERIFIED
    assert "limit" in end.summary
    code = (tmp_path / "repository" / "calc.py").read_text()
    assert "x / 2" in code


def test_nothing_is_gone_on_with_where_it_is_not_known_what_was_shown(tmp_path: Path) -> None:
    tests = (
        "import unittest\nfrom calc import half\n\n\nclass Halves(unittest.TestCase):\n"
        "    def test_half(self):\n        self.assertEqual(half(4), 2)\n"
    )
    command = f"{sys.executable} -m unittest"
    seen = conduct(tmp_path, [call("half", HALF)], tests, task=POINTS, command=command)
    assert ended(seen).status is Status.VERIFIED


def test_what_is_proven_stays_when_the_turn_ends_amid_the_next_point(tmp_path: Path) -> None:
    def tried(event: Event) -> bool:
        return isinstance(event, events.ToolFinished) and event.call.name == "write_file"

    written = call("", TEST_OF_DOUBLE, "write_file", "test_issue.py")
    seen = conduct(tmp_path, [call("half", HALF), written], task=POINTS, stop=tried)
    end = ended(seen)
    assert end.status is Status.INTERRUPTED
    assert end.changed == ("calc.py",)
    assert "x / 2" in (tmp_path / "repository" / "calc.py").read_text()
