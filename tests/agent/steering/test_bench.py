"""Of the changes that help the small one stays, and none is lost while a smaller one is sought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent import events
from agent.approval import ApprovalAnswer, ApprovalRequest, Choice, Gate
from agent.events import Event, Status
from agent.mode import Mode
from agent.models.scripted import ScriptedModel
from agent.steering.bench import Bench
from agent.steering.evidence import Case
from agent.steering.guided import Guided
from tests.agent.steering.test_guided import (
    CODE,
    HALF,
    HALF_NO_BETTER,
    TESTS,
    call,
    conduct,
    ended,
)
from tools.base import Cancel
from tools.outline import Index
from tools.testing.commands import Runner
from tools.testing.reports import TestRun
from tools.workspace import Workspace

LARGE = "def half(x):\n    parts = 2\n    result = x / parts\n    return result\n"
ONLY_LARGE = CODE.replace("return x / 3", "return x ** RATE")
"""No small change mends this."""


def tools(seen: Sequence[Event]) -> list[str]:
    return [event.call.name for event in seen if isinstance(event, events.ToolStarted)]


def code(tmp_path: Path) -> str:
    return (tmp_path / "repository" / "calc.py").read_text()


def test_a_large_change_gives_way_to_a_small_one(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", LARGE)], mending=True)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 1
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


def test_a_small_change_is_kept_at_once(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF)], mending=True)
    assert ended(seen).status is Status.VERIFIED
    assert "try_mends" not in tools(seen)


def test_where_the_first_answer_does_not_help_a_small_change_does(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF_NO_BETTER)] * 2, mending=True)
    assert ended(seen).status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("x / 3", "x / 2")


def test_where_no_small_change_helps_the_large_one_is_back(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", LARGE)], code=ONLY_LARGE, mending=True)
    end = ended(seen)
    assert "try_mends" in tools(seen)
    assert end.status is Status.VERIFIED
    assert end.changed == ("calc.py",)
    assert LARGE in code(tmp_path)


def test_a_small_change_that_breaks_another_test_is_not_kept(tmp_path: Path) -> None:
    shared = (
        "RATE = 3\n\n\ndef triple(x):\n    return x * RATE\n\n\ndef half(x):\n    return x / RATE\n"
    )
    tests = (
        "from calc import half, triple\n\n\ndef test_half():\n    assert half(4) == 2\n\n\n"
        "def test_triple():\n    assert triple(2) == 6\n"
    )
    seen = conduct(tmp_path, [call("half", LARGE)], tests, code=shared, mending=True)
    assert "try_mends" in tools(seen)
    assert ended(seen).status is Status.VERIFIED
    assert LARGE in code(tmp_path)


def sought(event: Event) -> bool:
    return isinstance(event, events.Rewound) and "smaller" in event.reason


def tried(event: Event) -> bool:
    return isinstance(event, events.ToolStarted) and event.call.name == "try_mends"


def put(event: Event) -> bool:
    """A small change is in the tree, and not tested yet."""
    return (
        isinstance(event, events.ToolFinished)
        and event.call.name == "replace_symbol"
        and event.origin is events.Origin.HARNESS
    )


@pytest.mark.parametrize("stop", [sought, tried, put])
def test_what_was_found_stays_where_the_turn_ends_while_a_smaller_one_is_sought(
    tmp_path: Path, stop: Callable[[Event], bool]
) -> None:
    seen = conduct(tmp_path, [call("half", LARGE)], mending=True, stop=stop)
    end = ended(seen)
    assert end.status is Status.INTERRUPTED
    assert end.changed == ("calc.py",)
    assert code(tmp_path) == CODE.replace("def half(x):\n    return x / 3\n", LARGE)


def test_what_did_not_help_is_gone_where_the_turn_ends_among_small_changes(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", HALF_NO_BETTER)] * 2, mending=True, stop=put)
    assert ended(seen).status is Status.INTERRUPTED
    assert code(tmp_path) == CODE


class Refusing:
    """Allows everything but the trial of small changes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        self.asked.append(request.tool)
        refused = request.tool == "try_mends"
        return ApprovalAnswer(Choice.DENY if refused else Choice.ONCE)


def test_a_refusal_only_skips_the_small_changes(tmp_path: Path) -> None:
    user = Refusing()
    gate = Gate(Mode.ASK, user, (tmp_path / "repository").resolve(), True)
    seen = conduct(tmp_path, [call("half", LARGE)], mending=True, gate=gate)
    assert "try_mends" in user.asked
    assert ended(seen).status is Status.VERIFIED
    assert LARGE in code(tmp_path)


def test_without_the_tool_the_first_change_is_kept(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("half", LARGE)], TESTS)
    assert ended(seen).status is Status.VERIFIED
    assert LARGE in code(tmp_path)


def test_a_second_retreat_takes_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text(call("half", HALF))
    model = ScriptedModel.load(tmp_path / "script.toml")
    workspace = Workspace(tmp_path)
    bench = Bench(
        workspace, lambda: Index.build(workspace, None), model.spec, model.count, True, Case()
    )
    steering = Guided(bench)
    bench.safe = workspace.checkpoint()
    workspace.write("tried.py", b"")
    steering.retreat()
    assert not (tmp_path / "tried.py").exists()
    workspace.write("kept.py", b"")
    steering.retreat()
    assert (tmp_path / "kept.py").exists()


def at_rest(root: Path) -> Bench:
    (root / "script.toml").write_text(call("half", HALF))
    model = ScriptedModel.load(root / "script.toml")
    (root / "a.py").write_text("x = 1\n\n\n\ny = 1\n")
    workspace = Workspace(root)
    bench = Bench(
        workspace, lambda: Index.build(workspace, None), model.spec, model.count, True, Case()
    )
    bench.safe = workspace.checkpoint()
    workspace.peek("a.py")
    return bench


RUN = TestRun(("pytest",), Runner.PYTEST, (), 0, "", 1.0)


@pytest.mark.parametrize("edited", [False, True], ids=["alone", "edited meanwhile"])
def test_what_is_brought_back_leaves_what_somebody_else_wrote(tmp_path: Path, edited: bool) -> None:
    bench = at_rest(tmp_path)
    file = tmp_path / "a.py"
    before = file.read_bytes()
    bench.workspace.write("a.py", before.replace(b"x = 1", b"x = 2"), basis=before)
    bench.workspace.write("b.py", b"new = 1\n")
    bench.hold(RUN, without=("b.py",))
    if edited:
        file.write_bytes(file.read_bytes().replace(b"y = 1", b"y = 5"))
    bench.put_back()
    wanted = before.replace(b"y = 1", b"y = 5") if edited else before.replace(b"x = 1", b"x = 2")
    assert file.read_bytes() == wanted
    assert not (tmp_path / "b.py").exists()
    assert bench.reserve is None
