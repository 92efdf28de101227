"""The Textual application: its looks, its keys, its errors and its end.

Owns what holds on every screen. Must not know what a session does.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from agent import config
from agent.conversation import Conversation, Wanted
from agent.errors import AgentError, ExitCode, InputError, ModelError, ModelMissing
from agent.events import Said, TurnStarted
from agent.messages import AssistantMessage
from agent.session import SessionInfo, state_folder
from tools.text import shown
from tui.attention import call
from tui.departure import departing
from tui.engine import Asked, Failed, NotOpened, Opened, Reported, Rested
from tui.failures import Failures
from tui.filters import Harmless
from tui.screens.session import SessionScreen
from tui.themes import ANSI, DARK, THEMES

PATIENCE = 1.4
"""Seconds that the session has to end in."""
LONG_TURN = 10.0
"""Seconds after which the end of a turn calls a user who looks elsewhere."""
TWICE = 2.0
"""Seconds between two presses of Ctrl+C that leave."""


class ParityApp(App[None]):
    """`agent` in a terminal."""

    TITLE = "Parity"
    CSS_PATH: ClassVar[list[str]] = ["parity.tcss", "styles/manners.tcss"]  # type: ignore[assignment]
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [
        (0, "-narrow"),
        (100, "-normal"),
        (140, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-short"), (18, "-tall")]
    # Where the prompt holds a text, `?` is a letter of it and Ctrl+D deletes.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", key_display="?"),
        Binding("f2", "mouse", "Select text", show=True),
        Binding("ctrl+o", "sessions", "Sessions", priority=True),
        Binding("f6", "copy_answer", "Copy the answer", show=False),
        Binding("ctrl+p", "command_palette", "Commands", priority=True),
        Binding("ctrl+q", "quit", "Leave", priority=True),
        Binding("ctrl+d", "unless_writing('quit')", "Leave", show=False, priority=True),
        Binding("ctrl+c", "help_quit", "Copy, interrupt, twice: leave", show=False, system=True),
    ]

    def __init__(self, wanted: Wanted, environ: dict[str, str] | None = None) -> None:
        """
        Args:
            wanted: The session to open.
            environ: As `os.environ`, which it is by default.
        """
        self._environ = dict(os.environ if environ is None else environ)
        colourless = "NO_COLOR" in self._environ
        super().__init__(ansi_color=True if colourless else None)
        for theme in THEMES:
            self.register_theme(theme)
        self._session = SessionScreen(wanted)
        self._conversation: Conversation | None = None
        self._failures = Failures(state_folder())
        self._harmless = Harmless()
        self._turn_began = 0.0
        self._interrupted = 0.0
        self._mouse = True
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._answer = ""
        self._theme_kept = self._chosen_theme(wanted)
        self.theme = ANSI if colourless else self._theme_kept

    @property
    def resumable(self) -> SessionInfo | None:
        """The session that can be gone on with; None where nothing was said."""
        info = self._conversation.session.info if self._conversation is not None else None
        return info if info is not None and info.task else None

    def on_mount(self) -> None:
        self._running_loop = asyncio.get_running_loop()
        self.push_screen(self._session)

    def on_unmount(self) -> None:
        self.save()

    def save(self) -> None:
        """End what is at work; what was said is on the disk already."""
        self._session.engine.close(PATIENCE)

    def leave(self) -> None:
        """End the app, from a signal's handler too."""
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.exit)

    def open_session(self, wanted: Wanted) -> None:
        """Leave the session and open another, with the same folder and trust."""
        self._conversation = None
        self.call_next(self._session.open, wanted)

    @property
    def wanted(self) -> Wanted:
        """What the session was opened with."""
        return self._session.wanted

    # What the engine tells; it bubbles up from the session's screen.

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self._conversation = message.conversation

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        if isinstance(message.error, ModelMissing | ModelError):
            from tui.screens.first_run import FirstRun  # 60 ms; only where there is no model

            self.push_screen(FirstRun(self.wanted, message.error), self._chosen)

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        match message.event:
            case TurnStarted():
                self._turn_began = time.monotonic()
            case Said(AssistantMessage(text=text)) if text.strip():
                self._answer = text

    @on(Rested)
    def _rested(self) -> None:
        if self._turn_began and time.monotonic() - self._turn_began > LONG_TURN:
            self.call_user("The turn has ended.")
        self._turn_began = 0.0

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        self.call_user("A question waits for your answer.")

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self.survive(message.error)

    def call_user(self, text: str) -> None:
        """Make the terminal call its user, where that one looks elsewhere."""
        if not self.app_focus and self._driver is not None:
            self._driver.write(call(f"Parity: {text}", self._environ))
            self._driver.flush()

    def _chosen(self, wanted: Wanted | None) -> None:
        if wanted is not None:
            self.open_session(wanted)

    # Errors of our own: told, written down, lived with.

    def survive(self, error: Exception) -> None:
        """Tell of an error that is the program's fault, and go on."""
        line = self._failures.note(error, self.wanted.folder)
        if self._failures.storm:
            self.exit(return_code=ExitCode.FAILED, message=line or None)
        elif line:
            self.notify(line, severity="error", timeout=15, markup=False)

    def _handle_exception(self, error: Exception) -> None:
        if not self.is_running:
            super()._handle_exception(error)
            return
        if self._exception is None:  # for whoever drives the app in a test
            self._exception = error
        self.survive(error)

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # whatever it is, the session goes on
            self._handle_exception(error)

    def _start_widget(self, parent: Widget, widget: Widget) -> None:
        """Textual ends a widget whose handler raises: its errors are caught before that."""
        dispatch = widget._dispatch_message

        async def guarded(message: Message) -> None:
            try:
                await dispatch(message)
            except Exception as error:  # as above
                self._handle_exception(error)

        widget._dispatch_message = guarded  # type: ignore[method-assign]  # there is no hook for it
        super()._start_widget(parent, widget)

    # Looks.

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._harmless]

    def _chosen_theme(self, wanted: Wanted) -> str:
        name = ""
        with suppress(InputError):  # the session tells of it when it is opened
            read = config.load(wanted.flags, self._environ, config.user_file())
            name = read.settings.theme
        return name if name in self.available_themes else DARK.name

    def watch_theme(self, name: str) -> None:
        if not self.is_running or name == self._theme_kept or self._screen_stack == []:
            return
        self._theme_kept = name
        try:
            config.remember(config.user_file(), "theme", name)
        except (AgentError, OSError) as error:
            self.notify(f"The theme is not kept: {shown(str(error))}", markup=False)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Sessions", "List, search, resume, fork", self.action_sessions)
        yield SystemCommand("Help", "Keys and commands", self.action_help)
        yield SystemCommand("Theme", "Dark, light, contrast, ansi …", self.action_change_theme)
        yield SystemCommand("Copy the last answer", "To the clipboard", self.action_copy_answer)
        yield SystemCommand("Select text", "The terminal's own selection", self.action_mouse)
        yield SystemCommand("Save a picture", "Of the screen, as SVG", self._picture)
        yield SystemCommand("Leave", "The session can be resumed", self.action_leave)

    def _picture(self) -> None:
        place = Path(self.save_screenshot(path=str(state_folder())))
        self.notify(f"Saved as {shown(str(place))}", markup=False)

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "unless_writing":
            writing = self.focused
            return not (isinstance(writing, TextArea) and writing.text) and not isinstance(
                writing, Input
            )
        return super().check_action(action, parameters)

    async def on_event(self, event: Event) -> None:
        # A field takes every letter before the bindings: in an empty prompt this one asks for help.
        if (
            isinstance(event, Key)
            and event.key == "question_mark"
            and self.screen is self._session
            and self.check_action("unless_writing", ())
        ):
            self.action_help()
            return
        await super().on_event(event)

    async def action_unless_writing(self, action: str) -> None:
        await self.run_action(action, self)

    def action_help(self) -> None:
        from tui.screens.help import Help  # only needed when it is asked for

        if not isinstance(self.screen, Help):
            self.push_screen(Help(self.screen))

    def action_sessions(self) -> None:
        from tui.screens.sessions import Sessions  # only needed when it is asked for

        if not isinstance(self.screen, Sessions):
            self.push_screen(Sessions(self.wanted), self._chosen)

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal, so that it selects; or take it again."""
        if self._driver is None:
            return
        self._mouse = not self._mouse
        if self._mouse:
            self._driver._enable_mouse_support()  # type: ignore[attr-defined]  # all have it
        else:
            self._driver._disable_mouse_support()  # type: ignore[attr-defined]
        self.notify(
            "The mouse scrolls and clicks here again."
            if self._mouse
            else "The mouse is the terminal's: select and copy. F2 takes it back.",
            markup=False,
        )

    def action_copy_answer(self) -> None:
        """Copy what the model said last."""
        if self._answer:
            self.copy_to_clipboard(self._answer)
            self.notify("The last answer is in the clipboard.", markup=False)
        else:
            self.notify("There is no answer yet.", markup=False)

    def action_help_quit(self) -> None:
        """Ctrl+C where nothing is selected: interrupt; twice: leave."""
        now = time.monotonic()
        if now - self._interrupted < TWICE:
            self.exit()
            return
        self._interrupted = now
        if self._session.at_work:
            self._session.engine.interrupt()
        self.notify("Ctrl+C again leaves.", timeout=TWICE, markup=False)

    def action_leave(self) -> None:
        self.exit()


def run(wanted: Wanted) -> ExitCode:
    """Show the screen until the user leaves it."""
    app = ParityApp(wanted)
    code = ExitCode.VERIFIED

    def leave() -> None:
        nonlocal code
        code = ExitCode.INTERRUPTED
        app.leave()

    with departing(app.save, leave):
        app.run()
    if (info := app.resumable) is not None:
        where = [] if wanted.folder == Path() else ["--repo", str(wanted.folder)]
        command = shlex.join(["agent", *where, "--resume", info.id])
        print(f"To go on with this session: {shown(command)}", file=sys.stderr)
    return ExitCode(app.return_code) if app.return_code else code
