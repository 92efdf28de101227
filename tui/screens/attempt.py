"""One attempt of a replay from near: what was said and done, its diff, its tests, its task.

Owns the looking at its files, for as long as it runs. Must not know how an attempt is made, nor
how any of it looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Log, Static, Tab, Tabs

from agent.durations import duration
from agent.errors import InputError
from agent.events import Event
from agent.playback import Tail
from agent.replay.following import Follower, Row, State
from agent.replay.results import Attempt
from agent.replay.store import Listed, Store
from agent.replay.table import short
from agent.session import SessionInfo
from tools.text import shown
from tools.text_filter import clip, clip_line, printable
from tui.blocks.diff import diffs
from tui.themes import MUTED
from tui.widgets.status_line import thousands
from tui.widgets.transcript import Transcript

_EVERY = 0.4
"""Seconds between two looks at the files."""
_TABS = ("trajectory", "diff", "tests", "task")
_COLORS = {
    State.RESOLVED: "$success",
    State.UNRESOLVED: "$error",
    State.APART: "$warning",
    State.RUNNING: "$primary",
    State.WAITING: MUTED,
}
_NOTHING = {State.WAITING: "It has not begun.", State.RUNNING: "It begins …"}
_NONE = "There is no trajectory."
_LOG = 2_000_000
"""Bytes of the tests' output that are shown, its end."""
_WIDE = 1_000
"""Characters of one line of it."""
_TEXT = 100_000
"""Characters of a task."""
_TESTS = 12
"""Tests that are named of each kind."""


class AttemptScreen(Screen[None]):
    """Follows an attempt that is at work."""

    CSS_PATH = "../styles/replay.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back"),
        Binding("1", "tab(0)", "Trajectory, diff, tests, task", key_display="1-4"),
        Binding("2", "tab(1)", show=False),
        Binding("3", "tab(2)", show=False),
        Binding("4", "tab(3)", show=False),
        Binding("tab,right", "turn(1)", "The next of them", show=False),
        Binding("shift+tab,left", "turn(-1)", "The one before", show=False),
        Binding("p", "play", "Play"),
    ]

    @dataclass
    class Looked(Message):
        """What the files have now."""

        row: Row | None
        anew: bool
        """Whether the events are the first of a record."""
        events: list[Event]
        over: bool
        """Whether nobody writes the record any more."""

    @dataclass
    class Ended(Message):
        """What there is of an attempt that has ended."""

        attempt: Attempt | None
        log: str
        listed: Listed | None

    def __init__(self, folder: Path, row: Row) -> None:
        super().__init__()
        self._store = Store(folder)
        self._follower = Follower(folder)
        self._row = row
        self._tail = Tail()
        self._told: tuple[object, ...] = ()
        """The row as the rest was read for it last."""
        self._read_once = False
        """Whether the task was read, which an attempt at work has too."""
        self._looking = False
        self._transcript = Transcript()
        self._transcript.id = _TABS[0]

    def compose(self) -> ComposeResult:
        yield Static(id="attempt", markup=False)
        yield Tabs(*(Tab(name, id=f"to-{name}") for name in _TABS))
        with ContentSwitcher(initial="nothing"):
            yield Static(id="nothing", markup=False)
            yield self._transcript
            yield VerticalScroll(id="diff")
            yield Log(id="tests")
            yield VerticalScroll(id="task")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._draw_head()
        self.set_interval(_EVERY, self._look)
        self._look()

    # What is read, in threads

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self.run_worker(self._read, thread=True, group="look", exit_on_error=False)

    def _read(self) -> None:
        key = self._row.key
        try:
            view = self._follower.look()
            row = next((row for row in view.rows if row.key == key), None)
            model, instance, number = key[1], key[0], key[2]
            record = self._store.record(model, instance, number)
            anew, events = self._tail.read(record) if record else (False, [])
            # One at work is waiting still until its run has told of it.
            pending = row is None or row.state in (State.RUNNING, State.WAITING)
            over = not (pending and view.at_work)
            self.post_message(self.Looked(row, anew, events, over))
            if row is not None and self._told != (row.state, row.verdict, row.seconds):
                if row.state is not State.RUNNING or not self._read_once:
                    self._read_rest(row)
                self._told = (row.state, row.verdict, row.seconds)
        except (InputError, OSError):  # it is moved just now, or was deleted
            pass
        finally:
            self._looking = False

    def _read_rest(self, row: Row) -> None:
        attempt = self._store.attempt(row.model, row.instance, row.number)
        log = ""
        place = self._store.place(row.model, row.instance, row.number)
        if attempt is not None and attempt.grade is not None:
            log = _end(place / "test_output.txt")
        self._read_once = True
        self.post_message(self.Ended(attempt, log, self._follower.listed(row.instance)))

    # What is shown

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.row is not None:
            self._row = message.row
            self._draw_head()
        transcript = self._transcript
        if message.anew:
            transcript.load(message.events, over=False)
        else:
            for event in message.events:
                transcript.show(event)
        if message.over and not message.events:  # a long record is read in several looks
            transcript.break_off()
        self._choose()

    @on(Ended)
    async def _ended(self, message: Ended) -> None:
        attempt = message.attempt
        patch = attempt.patch if attempt is not None else ""
        await _fill(self.query_one("#diff"), _changes(attempt, patch))
        await _fill(self.query_one("#task"), _task(message.listed))
        log = self.query_one("#tests", Log)
        log.clear()
        printed = (printable(clip_line(line, _WIDE)) for line in message.log.splitlines())
        log.write_lines([*_verdict(attempt), *printed])
        log.scroll_home(animate=False)

    def _draw_head(self) -> None:
        row = self._row
        told = shown(row.verdict or row.state.value)
        sums = [f"{row.steps} step{'s' if row.steps != 1 else ''}"] if row.steps else []
        sums += [f"{thousands(row.tokens)} tokens"] if row.tokens else []
        sums += [f"${row.dollars:.4f}"] if row.dollars else []
        sums += [duration(row.seconds, whole=True)] if row.seconds else []
        number = f" ({row.number})" if row.number > 1 else ""
        head = Content.assemble(
            (shown(row.instance) + number, "bold $primary"), "  ", (short(row.model), "bold"),
            "\n", (told, _COLORS[row.state]), "  ", (" · ".join(sums), MUTED),
            "  " if row.why else "", (shown(row.why), MUTED),
        )  # fmt: skip
        self.query_one("#attempt", Static).update(head)

    def _choose(self) -> None:
        """Have the tab's content shown; a trajectory once there is one."""
        active = self.query_one(Tabs).active_tab
        name = active.id.removeprefix("to-") if active is not None and active.id else _TABS[0]
        if name == _TABS[0] and not self._transcript.story.entries:
            name = "nothing"
            self.query_one("#nothing", Static).update(_NOTHING.get(self._row.state, _NONE))
        switcher = self.query_one(ContentSwitcher)
        if switcher.current == name:
            return
        switcher.current = name
        shown_now = switcher.visible_content
        if shown_now is not None and shown_now.focusable:
            shown_now.focus()

    # Keys

    @on(Tabs.TabActivated)
    def _turned(self) -> None:
        self._choose()

    def action_tab(self, index: int) -> None:
        """Show one of the four."""
        self.query_one(Tabs).active = f"to-{_TABS[index]}"

    def action_turn(self, by: int) -> None:
        """Show the next of the four, or that before."""
        at = _TABS.index(self.query_one(Tabs).active.removeprefix("to-"))
        self.action_tab((at + by) % len(_TABS))

    def action_play(self) -> None:
        """Play what has happened so far."""
        row = self._row
        record = self._store.record(row.model, row.instance, row.number)
        if record is None:
            self.notify("There is nothing to play.", markup=False)
            return
        from tui.screens.play import Play  # only needed to watch one

        title = f"{row.instance}, {short(row.model)}"
        self.app.push_screen(Play(SessionInfo("", record.parent, record.parent, title, "")))


async def _fill(place: Widget, parts: Iterator[Widget]) -> None:
    await place.remove_children()
    await place.mount_all(list(parts))


def _note(text: str) -> Static:
    return Static(Content.styled(text, MUTED), classes="note")


def _changes(attempt: Attempt | None, patch: str) -> Iterator[Widget]:
    if attempt is None:
        yield _note("The diff is here once it has ended.")
    elif not patch.strip():
        yield _note("It changed nothing.")
    else:
        yield from diffs(patch.encode("utf-8", "replace").decode())


def _task(listed: Listed | None) -> Iterator[Widget]:
    if listed is None:
        return
    about = " · ".join(filter(None, (listed.source, listed.repo, listed.difficulty)))
    yield _note(shown(about))
    yield Static(Content(printable(clip(listed.problem.strip(), _TEXT))), classes="problem")
    if listed.gold.strip():
        yield Static(Content.styled("Its own fix", "bold $primary"), classes="heading")
        yield from diffs(listed.gold)


def _verdict(attempt: Attempt | None) -> Iterator[str]:
    """What the grading came to, before what the tests printed."""
    if attempt is None:
        yield "The tests' output is here once it has ended."
        return
    grade = attempt.grade
    if grade is None:
        yield shown(attempt.trouble or "It was not graded.")
        return
    yield grade.outcome.value
    for name, tests in (
        ("should pass now", grade.fail_to_pass),
        ("passed before", grade.pass_to_pass),
    ):
        failed = [test for test, passed in tests.items() if not passed]
        if tests:
            yield f"{len(tests) - len(failed)} of {len(tests)} tests that {name} pass"
        yield from (f"  ✗ {clip_line(shown(test), _WIDE)}" for test in failed[:_TESTS])
        if len(failed) > _TESTS:
            yield f"  … {len(failed) - _TESTS} more"
    yield ""


def _end(file: Path) -> str:
    """The end of a file, as much as is shown; empty if there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _LOG))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""
