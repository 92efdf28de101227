"""The conversation's view, driven through the real engine or by events alone."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from agent import events
from agent.approval import Choice
from agent.event_reading import from_json
from agent.events import Origin, Status, Totals
from agent.messages import AssistantMessage, ToolCall
from tools.action import FileChange
from tools.base import ToolResult
from tools.live import Piece
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun
from tui.blocks.diff import HunkDiff
from tui.blocks.entries import Answer, Call, Entry, Lookups, State, Thought, Verdict
from tui.blocks.widgets import AnswerBlock, Block
from tui.themes import derived
from tui.widgets.transcript import Transcript

STYLES = Path(__file__).parents[2] / "tui" / "styles" / "transcript.tcss"
PATCH = """\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -41,3 +41,3 @@
 def total(prices):
-    return sum(prices)
+    return sum(prices) / 2
 # end
"""
HOSTILE = (
    "\x1b[2J\x1b]52;c;aGk=\x07[bold]b[/x] [@click=app.quit]q[/] \u202eabc \ud800 \x9b31m <b>h</b>"
)
FORBIDDEN = ("\x1b[2J", "\x1b]52", "\u202e", "\x9b", "\ud800", "\x07")


class View(App[None]):
    """A conversation alone."""

    CSS_PATH = str(STYLES)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return derived(self.current_theme)

    def compose(self) -> ComposeResult:
        yield Transcript()


def see(
    behave: Callable[[Pilot[None], Transcript], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
) -> None:
    async def run() -> None:
        async with View().run_test(size=size) as pilot:
            await behave(pilot, pilot.app.query_one(Transcript))

    asyncio.run(run())


async def settled(pilot: Pilot[None]) -> None:
    """What was shown is drawn."""
    for _ in range(3):
        await pilot.pause(0.05)


def shown(pilot: Pilot[None]) -> str:
    """What the terminal shows."""
    return "\n".join(
        "".join(segment.text for segment in line)
        for line in pilot.app.screen._compositor.render_strips()
    )


def read(pilot: Pilot[None]) -> list[str]:
    """What is read of it: without the scrollbar and the last lines."""
    return [line[:-1] for line in shown(pilot).split("\n")[:20]]


def call(name: str, number: int = 1, **arguments: object) -> ToolCall:
    return ToolCall(f"{name}{number}", name, arguments)


def used(
    view: Transcript, made: ToolCall, result: ToolResult, origin: Origin = Origin.MODEL
) -> None:
    view.show(events.ToolStarted(made, origin))
    view.show(events.ToolFinished(made, origin, result, 0.2))


def started(view: Transcript, task: str = "do it") -> None:
    view.show(events.TurnStarted(task, "model", "free", "/", "", ""))


def long(turns: int) -> list[events.Event]:
    told: list[events.Event] = []
    for number in range(turns):
        told.append(events.TurnStarted(f"task {number}", "m", "free", "/", "", ""))
        told.append(events.Said(AssistantMessage(f"answer {number}\n\n- one\n- two")))
    return told


def test_a_turn_is_shown_as_it_happens() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        view.show(events.Wrote("Let me see.", reasoning=True))
        view.show(events.Wrote("I **look**"))
        view.show(events.Wrote(" at it."))
        await settled(pilot)
        assert "I look at it." in shown(pilot)
        view.show(events.Said(AssistantMessage("I **look** at it.", "Let me see.")))
        used(view, call("read_file", 1, path="a.py"), ToolResult("1 a", "read a.py"))
        used(view, call("read_file", 2, path="b.py"), ToolResult("1 b", "read b.py"))
        used(view, call("search", 3, pattern="x"), ToolResult("none", "search x"))
        view.show(events.TurnFinished(Status.VERIFIED, "all pass", Totals(), PATCH))
        await settled(pilot)
        text = shown(pilot)
        assert "▸ thought" in text
        assert "Let me see." not in text
        assert "read 2 files, searched once" in text
        assert "verified  all pass" in text
        assert "1 file changed, +1 -1" in text

    see(behave)


def test_an_answer_that_was_cut_is_kept() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        view.show(events.Wrote("Half of"))
        view.show(events.ToolStarted(call("run", argv=["ls"]), Origin.MODEL))
        view.show(events.TurnFinished(Status.INTERRUPTED, "Interrupted.", Totals(), ""))
        await settled(pilot)
        text = shown(pilot)
        assert "Half of" in text
        assert "interrupted" in text
        assert not view.story.doing

    see(behave)


def test_an_edit_is_shown_with_its_lines_numbers() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        change = FileChange("shop.py", PATCH, "")
        used(view, call("edit"), ToolResult("Changed.", "edit shop.py +1", details=change))
        await settled(pilot)
        text = shown(pilot)
        assert "42" in text
        assert "return sum(prices) / 2" in text

    see(behave)


def test_tests_that_fail_tell_the_first_failure() -> None:
    cases = (
        TestCase("tests/test_a.py::test_one", Outcome.PASSED),
        TestCase("tests/test_a.py::test_two", Outcome.FAILED, "at line 3\nE   assert 1 == 2"),
    )
    run = TestRun(("pytest",), Runner.PYTEST, cases, 1, "", 0.4)

    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        done = ToolResult("", "tests: one is bad", details=run)
        live = events.ToolFinished(call("run_tests"), Origin.HARNESS, done, 0.2)
        for event in (live, from_json(events.to_json(live))):
            view.show(event)
        await settled(pilot)
        text = shown(pilot)
        assert text.count("✗ tests: one is bad  harness") == 2
        assert text.count("failed tests/test_a.py::test_two") == 2
        assert text.count("E   assert 1 == 2") == 2

    see(behave)


def test_a_turn_that_was_cut_off_is_at_rest() -> None:
    """As a session that was killed is shown when it goes on."""
    made = call("run_tests")
    told: list[events.Event] = [
        events.TurnStarted("mend", "m", "free", "/", "", ""),
        events.ToolStarted(made, Origin.MODEL),
    ]

    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        view.load(told)
        await settled(pilot)
        assert "■ run tests  interrupted" in shown(pilot)
        assert "was cut off here" in shown(pilot)
        assert not view._at_work

    see(behave)


def test_a_long_message_is_folded() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view, "\n".join(f"pasted {number}" for number in range(60)))
        await settled(pilot)
        assert "pasted 11" in shown(pilot)
        assert "… 48 more lines" in shown(pilot)
        assert "pasted 12" not in shown(pilot)
        view.focus()
        await pilot.press("up", "enter")
        await settled(pilot)
        assert "more lines" not in shown(pilot)
        assert "pasted 12" in view.story.entries[0].copied

    see(behave)


def test_changes_that_are_asked_for_are_seen_as_such() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        view.changes("/diff", PATCH)
        await settled(pilot)
        assert "/diff  1 file changed, +1 -1" in shown(pilot)
        assert view.query(HunkDiff)

    see(behave)


def test_what_is_denied_says_so() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        made = call("run", argv=["rm", "x"])
        view.show(events.ToolStarted(made, Origin.MODEL))
        view.show(events.ApprovalAsked(made, Origin.MODEL, None, "it runs", "", (Choice.DENY,)))
        await settled(pilot)
        assert "waits for your answer" in shown(pilot)
        view.show(events.ApprovalAnswered(made, Choice.DENY, "not x"))
        await settled(pilot)
        assert re.search(r"run rm x  denied *\n *not x", shown(pilot))
        view.show(events.ToolFinished(made, Origin.MODEL, ToolResult("", "run: no", ok=False), 0))
        await settled(pilot)
        assert re.search(r"run rm x  denied *\n *not x", shown(pilot))

    see(behave)


def test_keys_walk_through_the_blocks_and_open_them() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        used(
            view,
            call("run", argv=["ls"]),
            ToolResult("exit code 0\n" + "x\n" * 30 + "last", "run: ls"),
        )
        await settled(pilot)
        view.focus()
        await pilot.press("up")
        assert isinstance(view.current, Call)
        await pilot.press("enter")
        await settled(pilot)
        assert "argv:" in shown(pilot)
        assert view.current.open
        await pilot.press("enter", "up")
        await settled(pilot)
        assert "argv:" not in shown(pilot)
        await pilot.press("c")
        assert pilot.app.clipboard == "do it"

    see(behave)


def test_few_of_many_blocks_are_in_the_tree_wherever_one_looks() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begun = time.perf_counter()
        view.load(long(2500))
        assert time.perf_counter() - begun < 2
        await settled(pilot)
        assert "answer 2499" in shown(pilot)
        view.focus()
        for _ in range(30):
            await pilot.press("pageup")
        await settled(pilot)
        assert "answer 2499" not in shown(pilot)
        assert "answer 23" in shown(pilot)
        assert len(view.query(Block)) < 150
        await pilot.press("home")
        await settled(pilot)
        assert "task 0" in shown(pilot)
        await pilot.press("end")
        await settled(pilot)
        assert "answer 2499" in shown(pilot)

    see(behave)


def test_turns_that_were_taken_back_are_gone() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        for number in (1, 2, 3):
            view.show(events.TurnStarted(f"task {number}", "m", "free", "/", "", "", turn=number))
            view.show(events.Said(AssistantMessage(f"answer {number}")))
            await settled(pilot)
        view.show(events.Rewound(2, "Back to before turn 2.", 2))
        await settled(pilot)
        text = "\n".join(read(pilot))
        assert "answer 1" in text
        assert "Back to before turn 2." in text
        assert "task 2" not in text
        assert "answer 3" not in text
        view.show(events.TurnStarted("task 4", "m", "free", "/", "", "", turn=4))
        await settled(pilot)
        assert "task 4" in "\n".join(read(pilot))

    see(behave)


def test_what_one_reads_stays_while_more_comes() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        view.load(long(60))
        await settled(pilot)
        view.focus()
        await pilot.press("pageup", "pageup")
        await settled(pilot)
        before = read(pilot)
        started(view, "another")
        view.show(events.Wrote("new " * 400))
        await settled(pilot)
        assert read(pilot) == before
        assert "more below" in shown(pilot)
        await pilot.press("end")
        await settled(pilot)
        assert "new new" in shown(pilot)
        assert "more below" not in shown(pilot)

    see(behave)


def test_the_end_of_a_growing_answer_is_seen_and_does_not_jump_when_it_is_left() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        view.show(events.Wrote("```\n"))
        number, ahead = 0, 0
        while number < 30 or (not ahead and number < 200):
            view.show(events.Wrote(f"line {number}.\n"))
            await pilot.pause(0.03)
            ahead = view.query_one(AnswerBlock).ahead
            number += 1
        assert ahead  # drawn, but not laid out
        before = [line.rstrip() for line in read(pilot)]
        assert f" line {number - 1}." in shown(pilot)
        view.scroll_relative(y=-3)
        await settled(pilot)
        await settled(pilot)
        assert not view.query_one(AnswerBlock).ahead
        assert [line.rstrip() for line in read(pilot)][3:] == before[:-3]
        view.show(events.Wrote("more\n" * 9))
        await settled(pilot)
        assert [line.rstrip() for line in read(pilot)][3:] == before[:-3]

    see(behave)


def test_a_shell_line_keeps_head_and_tail_of_a_flood() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        line = view.shell("yes")
        await settled(pilot)
        assert "Esc stops it" in shown(pilot)
        line.write(Piece("first\n"))
        for _ in range(100):
            line.write(Piece("y\n" * 10_000))
        line.write(Piece("last\n"))
        await settled(pilot)
        line.end(2, 1.5)
        await settled(pilot)
        text = shown(pilot)
        assert "first" in text
        assert "last" in text
        assert "lines left out" in text
        assert "exit 2, 1.5 s" in text

    see(behave)


def told_everywhere(text: str) -> list[events.Event]:
    """A text in every kind of block."""
    made = call(text, 1, argv=[text], path=text)
    change = FileChange(text, f"{PATCH}+{text}\n", "")
    case = TestCase(text, Outcome.FAILED, text)
    run = TestRun((text,), Runner.PYTEST, (case,), 1, text, 0.1)
    kept: list[events.Event] = [
        events.TurnStarted(text, text, text, text, text, text),
        events.Wrote(text, reasoning=True),
        events.Wrote(
            f"# {text}\n\n- {text}\n\n| {text} |\n|-|\n| {text} |\n\n```{text}\n{text}\n```\n"
        ),
        events.Said(AssistantMessage(f"*{text}* [a]({text})", text, malformed=(text,))),
        events.Notice(text),
        events.Rewound(1, text),
        events.Switched(text, 1, None, None),
        events.Compacted(text, 2, 1, 2, 1, 0, ()),
        events.WroteCall(text, text),
    ]
    for number, details in enumerate((None, change, run)):
        for name in (text, "run", "read_file"):
            one = ToolCall(f"{name}{number}", name, made.arguments)
            kept.append(events.ToolStarted(one, Origin.MODEL))
            result = ToolResult(text, text, number == 1, details=details)
            kept.append(events.ToolFinished(one, Origin.MODEL, result, 0.1))
    kept.append(events.TurnFinished(Status.FAILED, text, Totals(), f"{PATCH}+{text}\n"))
    return kept


@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000_000, "a\r" * 100_000 + "b"])
def test_hostile_text_neither_leaks_nor_stops_anything(text: str) -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        begun = time.perf_counter()
        for event in told_everywhere(text):
            view.show(event)
        line = view.shell(text)
        line.write(Piece(text, text, 1))
        line.end(0, 0.1)
        view.tell(text)
        for entry in view.story.entries:
            entry.open = True
        view.touch(view.story.entries)
        await settled(pilot)
        view.focus()
        for _ in range(8):
            seen = shown(pilot)
            assert not [part for part in FORBIDDEN if part in seen]
            await pilot.press("pageup")
        await pilot.press("up", "c")
        assert not [part for part in FORBIDDEN if part in pilot.app.clipboard]
        assert time.perf_counter() - begun < 30

    see(behave)


def test_code_is_coloured_once_its_fence_closes() -> None:
    async def behave(pilot: Pilot[None], view: Transcript) -> None:
        started(view)
        pieces = ["Text\n\n```py", "thon\nde", "f a():\n", "    return", " 1\n", "x = 2"]
        for piece in pieces:
            view.show(events.Wrote(piece))
            await settled(pilot)
        text = shown(pilot)
        assert "def a():" in text
        assert "    return 1" in text
        assert "```" not in text
        (answer,) = (entry for entry in view.story.entries if isinstance(entry, Answer))
        view.show(events.Wrote("\n```\nAnd *more*."))
        await settled(pilot)
        assert "And more." in shown(pilot)
        assert answer.text.endswith("more*.")

    see(behave)


def test_the_engine_tells_it_everything(drive: Callable[..., None]) -> None:
    script = """
steering = "free"
[[step]]
reasoning = "First I look."
text = "I look."
[[step.call]]
tool = "read_file"
path = "shop.py"
[[step]]
text = "It is **well**."
"""

    async def behave(pilot: Pilot[None]) -> None:
        view = pilot.app.screen.query_one(Transcript)
        await pilot.press(*"look", "enter")
        end = time.monotonic() + 20
        while not any(isinstance(entry, Verdict) for entry in view.story.entries):
            assert time.monotonic() < end
            await pilot.pause(0.05)
        kinds = [type(entry) for entry in view.story.entries]
        wanted: list[type[Entry]] = [Thought, Answer, Lookups, Answer, Verdict]
        assert [kind for kind in kinds if kind in wanted] == wanted
        (looked,) = (entry for entry in view.story.entries if isinstance(entry, Lookups))
        assert looked.calls[0].state is State.OK

    drive(behave, script)
