"""A replay, while it runs and afterwards: how far it is, and a row for each attempt.

Owns its keys, and how often its folder is looked at. Must not know how a replay is carried out, nor
how a row looks.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from agent.errors import ExitCode, InputError
from agent.replay.background import Background
from agent.replay.following import Follower, State, View
from tools.text import shown
from tools.text_filter import clip_line
from tui.base import BaseApp
from tui.replay_view import Show, Sort, arranged
from tui.replaying import Replays
from tui.themes import MUTED
from tui.widgets.panel import Answer, Panel
from tui.widgets.replay_head import ReplayHead
from tui.widgets.replay_rows import ReplayRows

_EVERY = 0.4
"""Seconds between two looks at the folder."""
_FRAME = 0.1
"""Seconds between two pictures of what is at work."""
_LINE = 500
_NOTHING = {
    Show.ALL: "Nothing here has these words.",
    Show.UNRESOLVED: "Nothing that has ended is unresolved.",
    Show.RUNNING: "Nothing is at work.",
}


class _Question(Panel):
    """Is it to begin, or to stop?"""


class ReplayScreen(Screen[None]):
    """The table of one replay's folder."""

    CSS_PATH = "../styles/replay.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back"),
        Binding("s", "sort", "Sort"),
        Binding("u", "only('UNRESOLVED')", "Unresolved"),
        Binding("r", "only('RUNNING')", "At work"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("x", "stop", "Stop"),
        Binding("g", "go_on", "Go on"),
    ]

    @dataclass
    class Looked(Message):
        """The folder was looked at."""

        view: View | None
        problem: str = ""

    def __init__(self, folder: Path, replays: Replays) -> None:
        """
        Args:
            folder: Absolute.
            replays: Those that are carried out by this application.
        """
        super().__init__()
        self._folder = folder
        self._replays = replays
        self._follower = Follower(folder)
        self._looking = False
        self._view: View | None = None
        self._asked = ""
        """The run's question that is put, or was answered."""
        self._ended = False
        """Whether the end of the run was told."""
        self._told_state = ""
        self._sort, self._show = Sort.RUN, Show.ALL

    def compose(self) -> ComposeResult:
        yield ReplayHead()
        yield Input(placeholder="Words of an instance, a model or a verdict", id="words")
        yield ReplayRows()
        yield _Question(id="question")
        yield Static(id="told", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#words").display = False
        self.query_one("#told").display = False
        self.query_one(ReplayRows).focus()
        self.query_one(ReplayHead).prepare(self._folder, "…")
        self.set_interval(_EVERY, self._look)
        self.set_interval(_FRAME, self.query_one(ReplayRows).tick)
        self._look()

    @property
    def _run(self) -> Background | None:
        """The run in the folder, where this application has begun it."""
        return self._replays.of(self._folder)

    # What is seen

    def _look(self) -> None:
        self._follow_run()
        if not self._looking and self.is_current:
            self._looking = True
            self.run_worker(self._read, thread=True, group="look", exit_on_error=False)

    def _read(self) -> None:
        try:
            told = self.Looked(self._follower.look())
        except InputError as error:
            told = self.Looked(None, str(error))
        finally:
            self._looking = False
        self.post_message(told)

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.view is not None:
            # A whole table is drawn anew only for what has changed.
            if message.view != self._view or self._state(message.view) != self._told_state:
                self._view = message.view
                self._draw()
        elif self._run is not None and (self._run.at_work or self._view is not None):
            state = "the tasks are loaded …" if not self._asked else "it begins …"
            state = "waits for your answer" if self._run.question else state
            self.query_one(ReplayHead).prepare(self._folder, state)
        elif not self._ended:
            self._tell(message.problem, problem=True)

    def _draw(self) -> None:
        view = self._view
        if view is None:
            return
        state = self._state(view)
        self.query_one(ReplayHead).show(view, self._folder, state)
        if state != self._told_state:  # it decides which keys do something
            self._told_state = state
            self.refresh_bindings()
        words = self.query_one("#words", Input).value.split()
        rows = arranged(view.rows, self._sort, self._show, words)
        nothing = _NOTHING[self._show if not words else Show.ALL]
        self.query_one(ReplayRows).show(rows, self._sort, nothing)
        chosen = [] if self._show is Show.ALL else [self._show.value]
        chosen += [f"“{shown(' '.join(words))}”"] if words else []
        told = f"{' · '.join(chosen)}: {len(rows):,} of {len(view.rows):,}" if chosen else ""
        self.query_one(ReplayRows).border_subtitle = Content(told)

    @on(events.Resize)
    def _fit(self) -> None:
        self.call_after_refresh(self._draw)

    def _state(self, view: View) -> str:
        run = self._run
        if run is not None and run.at_work and run.stopping:
            return "◌ stopping …"
        if view.at_work:
            return "● at work"
        if run is not None and run.at_work:
            return "◌ beginning …"
        return "✓ ended" if _is_over(view) else "■ stopped"

    # The run in the background

    def _follow_run(self) -> None:
        run = self._run
        if run is None:
            return
        if run.question and run.question != self._asked:
            self._asked = run.question
            self.call_next(self._put, run)
        if run.code is not None and not self._ended:
            self._ended = True
            if isinstance(self.app, BaseApp) and not run.stopping:
                self.app.call_user("The replay has ended.")
            if run.code not in (ExitCode.VERIFIED, ExitCode.INTERRUPTED) and not run.stopping:
                last = next((line for line in reversed(run.said) if line.strip()), "")
                self._tell(last.removeprefix("error: "), problem=run.code != ExitCode.LIMIT)

    async def _put(self, run: Background) -> None:
        lines = [f"agent replay {shlex.join(run.words)}", *run.said]
        body = [Static(Content.styled(clip_line(shown(line), _LINE), MUTED)) for line in lines[:20]]
        title = Content.styled(shown(run.question), "bold")
        answers = [Answer("y", "begin"), Answer("n", "leave it")]
        await self.query_one(_Question).ask(title, [*body], answers)

    @on(Panel.Answered)
    def _answered(self, message: Panel.Answered) -> None:
        message.stop()
        run, yes = self._run, message.key == "y"
        message.panel.leave()
        self.query_one(ReplayRows).focus()
        if run is None:
            return
        if run.question:
            run.answer(yes)
            if not yes:
                self._ended = True
                if self._view is None:
                    self.dismiss()
        elif yes:
            run.stop()
            self._draw()

    def _tell(self, line: str, *, problem: bool = False) -> None:
        told = self.query_one("#told", Static)
        told.display = bool(line)
        told.update(Content(shown(line)))
        told.set_class(problem, "-problem")

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        run, view = self._run, self._view
        works = (run is not None and run.at_work) or (view is not None and view.at_work)
        if action == "stop":
            return works
        if action == "go_on":
            return not works and view is not None and not _is_over(view)
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        field = self.query_one("#words", Input)
        if field.display:
            field.clear()
            field.display = False
            self.query_one(ReplayRows).focus()
            self._draw()
        elif self._show is not Show.ALL:
            self._show = Show.ALL
            self._draw()
        else:
            if self._run is not None and self._run.at_work:
                self.notify("The replay goes on; /replay shows it.", markup=False)
            self.dismiss()

    def action_sort(self) -> None:
        """Sort by the next of the columns."""
        order = list(Sort)
        self._sort = order[(order.index(self._sort) + 1) % len(order)]
        self._draw()

    def action_only(self, name: str) -> None:
        """Show only some of the rows, or all again."""
        wanted = Show[name]
        self._show = Show.ALL if self._show is wanted else wanted
        self._draw()

    def action_search(self) -> None:
        field = self.query_one("#words", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#words")
    def _searched(self) -> None:
        self._draw()

    @on(Input.Submitted, "#words")
    def _settled(self) -> None:
        self.query_one(ReplayRows).focus()

    async def action_stop(self) -> None:
        """Ask whether the run is to stop."""
        run = self._run
        if run is not None and run.at_work and not run.stopping and not run.question:
            told = "What is at work is made again when it goes on; what has ended is kept."
            await self.query_one(_Question).ask(
                Content.assemble(("Stop this replay?  ", "bold"), (told, MUTED)),
                [],
                [Answer("y", "stop"), Answer("n", "let it run")],
            )
        elif run is None and self._view is not None and self._view.at_work:
            self.notify("It was begun elsewhere: Ctrl+C stops it there.", markup=False)

    def action_go_on(self) -> None:
        """Go on with the run as it was begun."""
        try:
            self._replays.go_on(self._folder)
        except InputError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self._asked, self._ended = "", False
        self._tell("")
        self._look()

    @on(ReplayRows.Opened)
    def _opened(self, message: ReplayRows.Opened) -> None:
        from tui.screens.attempt import AttemptScreen  # with the diffs, only to see one

        self.app.push_screen(AttemptScreen(self._folder, message.row))


def _is_over(view: View) -> bool:
    """Whether all attempts have ended."""
    return all(row.state not in (State.WAITING, State.RUNNING) for row in view.rows)
