"""What each mode leaves free, who is asked about the rest, and that nothing else is then done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import events
from agent.approval import AllowAll, ApprovalAnswer, ApprovalRequest, Choice, Gate, Nobody
from agent.events import Event, Status, TurnFinished
from agent.loop import Agent
from agent.messages import ToolCall, UserMessage
from agent.mode import Mode
from agent.redaction import Redactor
from agent.rules import RuleFile
from agent.steering.moves import Ask, Moves, Verdict, ask, use
from tests.agent.talking import read
from tests.agent.test_loop import Obeying, Talker, finish, says, write
from tools.action import Command, FileChange
from tools.base import Arguments, Cancel, Effect, Prepared, Tool, Toolbox, ToolResult
from tools.errors import Cancelled
from tools.files import ReadFile, WriteFile
from tools.shell import Run
from tools.testing.commands import parse_command
from tools.tests import RunTests
from tools.workspace import Workspace

YES, NO = ApprovalAnswer(Choice.ONCE), ApprovalAnswer(Choice.DENY)
TOUCH = ToolCall("c", "run", {"argv": ["touch", "made"]})
LIST = ToolCall("c", "run", {"argv": ["ls"]})
FETCH = ToolCall("c", "run", {"argv": ["ls"], "network": True})
STATUS = ToolCall("c", "run", {"argv": ["git", "status"]})
TESTS = ToolCall("c", "run_tests", {})
EDIT = write("new.txt", "x\n")
READ = ToolCall("c", "read_file", {"path": "a.txt"})


@dataclass
class Answers:
    """Gives these answers, and does something before each."""

    answers: list[ApprovalAnswer]
    before: Callable[[], object] = lambda: None
    asked: list[ApprovalRequest] = field(default_factory=list)

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        self.asked.append(request)
        self.before()
        if cancel.is_set():
            raise Cancelled
        return self.answers.pop(0)


class Opaque(Tool[Arguments]):
    """A tool that runs something and cannot say what."""

    name = "opaque"
    description = "?"
    Args = Arguments
    effect = Effect.RUN

    def run(self, args: Arguments, cancel: Cancel) -> ToolResult:
        return ToolResult("done", "done")


def toolbox_in(root: Path) -> Toolbox:
    (root / "a.txt").write_text("hello\n")
    workspace = Workspace(root)
    tests = RunTests(workspace.root, parse_command("test -f a.txt"))
    return Toolbox.of(
        [ReadFile(workspace), WriteFile(workspace), Run(workspace.root), tests, Opaque()]
    )


def gate_for(root: Path, mode: Mode, sandboxed: bool = True, *answers: ApprovalAnswer) -> Gate:
    return Gate(mode, Answers(list(answers)), root.resolve(), sandboxed)


def asks(root: Path, gate: Gate, call: ToolCall) -> ApprovalRequest | None:
    prepared = toolbox_in(root).prepare(call.name, call.arguments)
    assert isinstance(prepared, Prepared)
    return gate.question(prepared)


@pytest.mark.parametrize(
    ("mode", "sandboxed", "asked"),
    [
        (Mode.ASK, True, [EDIT, TOUCH, FETCH, TESTS]),
        (Mode.ASK, False, [EDIT, TOUCH, FETCH, TESTS, STATUS]),
        (Mode.EDIT, True, [TOUCH, FETCH, TESTS]),
        (Mode.EDIT, False, [TOUCH, FETCH, TESTS, STATUS]),
        (Mode.AUTO, True, [FETCH]),
        (Mode.AUTO, False, [TOUCH, FETCH, TESTS, STATUS]),
    ],
)
def test_what_each_mode_asks_about(
    tmp_path: Path, mode: Mode, sandboxed: bool, asked: list[ToolCall]
) -> None:
    gate = gate_for(tmp_path, mode, sandboxed)
    for call in (READ, EDIT, LIST, TOUCH, FETCH, TESTS, STATUS):
        assert (asks(tmp_path, gate, call) is not None) is (call in asked), call


def test_plan_mode_forbids_and_never_asks(tmp_path: Path) -> None:
    gate = gate_for(tmp_path, Mode.PLAN)
    for effect in (Effect.EDIT, Effect.RUN):
        refused = gate.forbidden("x", effect)
        assert refused is not None
        assert not refused.ok
        assert "describe the plan" in refused.output
    assert gate.forbidden("x", Effect.READ) is None


def test_a_tool_that_cannot_say_what_it_does_is_asked_about_each_time(tmp_path: Path) -> None:
    request = asks(tmp_path, gate_for(tmp_path, Mode.EDIT), ToolCall("c", "opaque", {}))
    assert request is not None
    assert (request.action, request.rule) == (None, None)
    assert request.choices == (Choice.ONCE, Choice.DENY)


def test_a_request_holds_exactly_what_would_be_done(tmp_path: Path) -> None:
    gate = gate_for(tmp_path, Mode.ASK)
    edit = asks(tmp_path, gate, EDIT)
    assert edit is not None
    assert isinstance(edit.action, FileChange)
    assert (edit.action.path, edit.action.basis) == ("new.txt", "")
    assert "+x\n" in edit.action.patch
    run = asks(tmp_path, gate, FETCH)
    assert run is not None
    assert isinstance(run.action, Command)
    assert (run.action.argv, run.action.network) == (("ls",), True)
    assert run.action.folder == str(tmp_path.resolve())
    assert Path(run.action.program).is_absolute()


def run_turn(
    root: Path,
    gate: Gate,
    *calls: ToolCall,
    by_model: bool = True,
    toolbox: Toolbox | None = None,
    cancel: Cancel | None = None,
    redactor: Redactor | None = None,
) -> tuple[list[Event], TurnFinished, list[ToolResult]]:
    """One answer with these calls."""

    class Steps(Obeying):
        def moves(self, task: str, onward: str = "") -> Moves:
            yield from ask(Ask(UserMessage(task)))
            for call in calls:
                results.append((yield from use(call, by_model=by_model)))
            return Verdict(Status.UNVERIFIED, "done")

    results: list[ToolResult] = []
    tools = toolbox or toolbox_in(root)
    agent = Agent(Talker([says("")]), tools, Workspace(root), Steps(), gate=gate, redactor=redactor)
    seen, end = finish(agent.run("do it", cancel or threading.Event()))
    return seen, end, results


def test_what_is_allowed_is_done(tmp_path: Path) -> None:
    seen, end, results = run_turn(
        tmp_path, gate_for(tmp_path, Mode.ASK, True, YES, YES), EDIT, TOUCH
    )
    assert end.status is Status.UNVERIFIED
    assert all(result.ok for result in results)
    assert (tmp_path / "new.txt").read_text() == "x\n"
    assert (tmp_path / "made").exists()
    names = [type(event).__name__ for event in seen if "Said" not in type(event).__name__]
    at = names.index("ToolStarted")
    assert names[at : at + 4] == [
        "ToolStarted", "ApprovalAsked", "ApprovalAnswered", "ToolFinished",
    ]  # fmt: skip


def test_a_denial_reaches_the_model_and_nothing_is_done(tmp_path: Path) -> None:
    no = ApprovalAnswer(Choice.DENY, "use make instead")
    gate = gate_for(tmp_path, Mode.ASK, True, no, NO)
    _, end, results = run_turn(tmp_path, gate, TOUCH, EDIT)
    assert end.status is Status.UNVERIFIED  # the model may go on
    assert [result.ok for result in results] == [False, False]
    assert "the user did not allow it. The user says: use make instead" in results[0].output
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "new.txt").exists()


def test_nobody_to_ask(tmp_path: Path) -> None:
    gate = Gate(Mode.EDIT, Nobody(), tmp_path.resolve(), False)
    _, end, results = run_turn(tmp_path, gate, TOUCH)
    assert end.status is Status.UNVERIFIED
    assert "nobody to ask. Do without it." in results[0].output
    _, end, _ = run_turn(tmp_path, gate, TESTS, by_model=False)
    assert end.status is Status.NOT_APPROVED
    assert end.status.exit_code == 2
    assert "nobody to ask" in end.summary
    gate.mode = Mode.ASK
    _, end, _ = run_turn(tmp_path, gate, EDIT)
    assert end.status is Status.NOT_APPROVED


def test_tests_that_the_user_denies_end_the_turn(tmp_path: Path) -> None:
    gate = gate_for(tmp_path, Mode.EDIT, True, NO)
    _, end, _ = run_turn(tmp_path, gate, TESTS, by_model=False)
    assert (end.status, end.summary) == (
        Status.NOT_APPROVED,
        "The tests were not allowed, and the work cannot go on without.",
    )


def test_yes_allows_everything(tmp_path: Path) -> None:
    gate = Gate(Mode.ASK, AllowAll(), tmp_path.resolve(), False)
    _, _, results = run_turn(tmp_path, gate, EDIT, TOUCH, FETCH, TESTS)
    assert all(result.ok for result in results)


def test_an_answer_for_the_session_is_not_asked_again(tmp_path: Path) -> None:
    session = ApprovalAnswer(Choice.SESSION)
    approver = Answers([session, NO, session, session])
    gate = Gate(Mode.EDIT, approver, tmp_path.resolve(), True)
    other = ToolCall("c", "run", {"argv": ["touch", "made", "too"]})
    some = ToolCall("c", "run_tests", {"only": "a.txt"})
    _, _, results = run_turn(tmp_path, gate, TOUCH, TOUCH, other, FETCH, FETCH, TESTS, some)
    assert [result.ok for result in results] == [True, True, False, True, True, True, True]
    assert len(approver.asked) == 4


def test_always_is_kept_for_the_project_alone(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    kept = RuleFile(tmp_path / "state", root)
    gate = Gate(Mode.EDIT, Answers([ApprovalAnswer(Choice.ALWAYS)]), root, True, kept=kept)
    run_turn(root, gate, TOUCH)
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "made"]
    later = Gate(Mode.EDIT, Nobody(), root, True, list(kept.read()), kept)
    assert asks(root, later, TOUCH) is None
    assert asks(root, later, FETCH) is not None


def test_the_network_is_never_allowed_for_always(tmp_path: Path) -> None:
    kept = RuleFile(tmp_path / "state", tmp_path)
    gate = Gate(Mode.AUTO, Answers([ApprovalAnswer(Choice.ALWAYS)]), tmp_path, True, kept=kept)
    request = asks(tmp_path, gate, FETCH)
    assert request is not None
    assert request.choices == (Choice.ONCE, Choice.SESSION, Choice.DENY)
    _, _, (result,) = run_turn(tmp_path, gate, FETCH)
    assert not result.ok  # an answer that was not offered is no
    assert kept.read() == ()


def test_a_rule_that_cannot_be_kept_is_announced(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    kept = RuleFile(tmp_path / "state", tmp_path)
    gate = Gate(
        Mode.EDIT, Answers([ApprovalAnswer(Choice.ALWAYS)]), tmp_path.resolve(), True, kept=kept
    )
    seen, _, (result,) = run_turn(tmp_path, gate, TOUCH)
    assert result.ok
    assert any("for this session only" in str(event) for event in seen)


def test_no_question_shows_a_key_and_no_file_loses_one(tmp_path: Path) -> None:
    key = "sk-canary-0123456789abcdef"
    tools = toolbox_in(tmp_path)
    (tmp_path / "a.txt").write_text(f"key = {key}\n")
    tools.call("read_file", {"path": "a.txt"}, threading.Event())
    approver = Answers([YES, ApprovalAnswer(Choice.SESSION)])
    gate = Gate(Mode.ASK, approver, tmp_path.resolve(), True)
    edit = write("a.txt", "key = [redacted MY_KEY]\nnew = 1\n")
    run = ToolCall("c", "run", {"argv": ["touch", key]})
    seen, _, _ = run_turn(
        tmp_path, gate, edit, run, run, toolbox=tools, redactor=Redactor({"MY_KEY": key})
    )
    assert "canary" not in repr((approver.asked, seen))
    assert (tmp_path / "a.txt").read_text() == f"key = {key}\nnew = 1\n"
    assert (tmp_path / key).exists()
    assert len(approver.asked) == 2  # the rule holds what was asked about, not what was shown


def test_a_file_that_changes_while_it_is_asked_about_is_asked_about_anew(tmp_path: Path) -> None:
    tools = toolbox_in(tmp_path)
    tools.call("read_file", {"path": "a.txt"}, threading.Event())
    swapped = iter(["mine\n"])

    def swap() -> None:
        for text in swapped:
            (tmp_path / "a.txt").write_text(text)

    approver = Answers([YES, YES], before=swap)
    gate = Gate(Mode.ASK, approver, tmp_path.resolve(), True)
    seen, _, (result,) = run_turn(tmp_path, gate, write("a.txt", "new\n"), toolbox=tools)
    assert not result.ok  # the file is no more what the model had read
    assert "changed on disk" in result.output
    assert (tmp_path / "a.txt").read_text() == "mine\n"
    assert any("has changed since it was shown" in str(event) for event in seen)


def test_a_new_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    approver = Answers([YES] * 3, before=lambda: (tmp_path / "new.txt").write_text("mine\n"))
    gate = Gate(Mode.ASK, approver, tmp_path.resolve(), True)
    _, _, (result,) = run_turn(tmp_path, gate, EDIT)
    assert not result.ok
    assert (tmp_path / "new.txt").read_text() == "mine\n"


def test_arguments_that_change_while_they_are_asked_about_are_asked_about_anew(
    tmp_path: Path,
) -> None:
    arguments: dict[str, Any] = {"argv": ["touch", "made"]}
    swaps = iter([["touch", "other"]])

    def swap() -> None:
        for argv in swaps:
            arguments["argv"] = argv

    approver = Answers([YES, NO], before=swap)
    gate = Gate(Mode.EDIT, approver, tmp_path.resolve(), True)
    call = ToolCall("c", "run", arguments)
    run_turn(tmp_path, gate, call)
    shown = [
        request.action.argv for request in approver.asked if isinstance(request.action, Command)
    ]
    assert shown == [("touch", "made"), ("touch", "other")]
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "other").exists()


def test_what_keeps_changing_is_refused(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"argv": ["touch", "0"]}
    approver = Answers([YES] * 9)
    approver.before = lambda: arguments.update(argv=["touch", str(len(approver.asked))])
    gate = Gate(Mode.EDIT, approver, tmp_path.resolve(), True)
    _, _, (result,) = run_turn(tmp_path, gate, ToolCall("c", "run", arguments))
    assert "kept changing" in result.output
    assert not list(tmp_path.glob("[0-9]"))


def test_a_program_that_is_put_before_the_real_one_is_asked_about_anew(tmp_path: Path) -> None:
    def plant() -> None:
        (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / "pyvenv.cfg").touch()
        (tmp_path / ".venv" / "bin" / "touch").write_text("#!/bin/sh\n: > evil\n")
        (tmp_path / ".venv" / "bin" / "touch").chmod(0o755)

    approver = Answers([YES, NO], before=plant)
    run_turn(tmp_path, Gate(Mode.EDIT, approver, tmp_path.resolve(), True), TOUCH)
    assert len(approver.asked) == 2
    assert not (tmp_path / "evil").exists()


def test_waiting_for_an_answer_can_be_interrupted(tmp_path: Path) -> None:
    cancel = threading.Event()
    gate = Gate(Mode.EDIT, Answers([YES], before=cancel.set), tmp_path.resolve(), True)
    _, end, _ = run_turn(tmp_path, gate, TOUCH, cancel=cancel)
    assert end.status is Status.INTERRUPTED
    assert not (tmp_path / "made").exists()


def test_questions_and_answers_are_json(tmp_path: Path) -> None:
    gate = gate_for(tmp_path, Mode.ASK, True, YES, NO)
    seen, _, _ = run_turn(tmp_path, gate, TOUCH, EDIT)
    told = [events.to_json(event) for event in seen]
    kept: list[Mapping[str, Any]] = [it for it in told if it["event"].startswith("approval_")]
    assert [it["event"] for it in kept] == ["approval_asked", "approval_answered"] * 2
    assert kept[0]["action"]["argv"] == ["touch", "made"]
    assert kept[0]["choices"] == ["once", "session", "deny"]
    assert kept[1]["choice"] == "once"
    assert "+x" in kept[2]["action"]["patch"]


LINES = [f"line {number}" for number in range(30)]
AT_BOTH_ENDS = ["first", *LINES[1:-1], "last"]


def change_both_ends(root: Path, *answers: ApprovalAnswer) -> tuple[list[ToolResult], str]:
    """Ask about a change of two hunks; what came of it, and what the file then holds."""
    (root / "b.txt").write_text("\n".join(LINES) + "\n")
    gate = gate_for(root, Mode.ASK, True, *answers)
    calls = read("b.txt"), write("b.txt", "\n".join(AT_BOTH_ENDS) + "\n")
    events_, _, results = run_turn(root, gate, *calls)
    told = [event for event in events_ if isinstance(event, events.ApprovalAnswered)]
    assert [event.hunks for event in told] == [answers[0].hunks]
    return results, (root / "b.txt").read_text()


@pytest.mark.parametrize(
    ("hunk", "first", "last"), [(0, "first", "line 29"), (1, "line 0", "last")]
)
def test_a_part_that_is_allowed_is_all_that_is_done(
    tmp_path: Path, hunk: int, first: str, last: str
) -> None:
    answer = ApprovalAnswer(Choice.ONCE, hunks=(hunk,))
    (_, result), now = change_both_ends(tmp_path, answer)
    assert now.splitlines() == [first, *LINES[1:-1], last]
    assert result.ok
    assert "The user refused 1 of 2 parts of this change" in result.output
    assert result.output.count("@@") == 2
    assert ("+last" in result.output) is (hunk == 0)


def test_all_parts_are_the_whole(tmp_path: Path) -> None:
    (_, result), now = change_both_ends(tmp_path, ApprovalAnswer(Choice.ONCE, hunks=(0, 1)))
    assert now.splitlines() == AT_BOTH_ENDS
    assert "refused" not in result.output


@pytest.mark.parametrize(
    "answer", [ApprovalAnswer(Choice.ONCE, hunks=()), ApprovalAnswer(Choice.SESSION, hunks=(0,))]
)
def test_no_part_is_a_denial_and_parts_hold_once_only(
    tmp_path: Path, answer: ApprovalAnswer
) -> None:
    (tmp_path / "b.txt").write_text("\n".join(LINES) + "\n")
    gate = gate_for(tmp_path, Mode.ASK, True, answer)
    _, _, results = run_turn(tmp_path, gate, read("b.txt"), write("b.txt", "new\n"))
    assert not results[1].ok
    assert gate.rules == []
    assert (tmp_path / "b.txt").read_text().splitlines() == LINES


def test_a_part_that_leaves_the_rest_unreadable_is_not_written(tmp_path: Path) -> None:
    new = ["def f():", "    x = (", *[f"    {n}," for n in range(20)], "    )"]
    old = [*new[:1], "    x = [", *new[2:-1], "    ]"]
    (tmp_path / "c.py").write_text("\n".join(old) + "\n")
    gate = gate_for(tmp_path, Mode.ASK, True, ApprovalAnswer(Choice.ONCE, hunks=(0,)))
    _, _, results = run_turn(tmp_path, gate, read("c.py"), write("c.py", "\n".join(new) + "\n"))
    assert "without them it cannot be made" in results[1].output
    assert (tmp_path / "c.py").read_text().splitlines() == old


def test_a_new_file_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    gate = gate_for(tmp_path, Mode.ASK, True, ApprovalAnswer(Choice.ONCE, hunks=(0,)))
    _, _, (result,) = run_turn(tmp_path, gate, EDIT)
    assert "cannot be done in parts" in result.output
    assert not (tmp_path / "new.txt").exists()
