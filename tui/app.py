"""The Textual application: the session's screen, those that lie over it, and its end.

Must not know what a session does.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, InputEvent
from textual.screen import Screen

from agent.errors import AgentError, ExitCode, ModelError, ModelMissing
from agent.wanted import Wanted
from tools.text import shown
from tools.text_filter import printable
from tui.base import BaseApp
from tui.departure import departing
from tui.engine import Asked, Failed, NotOpened, Reported, Rested
from tui.screens.threshold import Crossed, Threshold
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from agent.session import SessionInfo
    from tui.replaying import Replays
    from tui.screens.session import SessionScreen

PATIENCE = 1.4
"""Seconds that the session has to end in."""
LONG_TURN = 10.0
"""Seconds after which the end of a turn calls a user who looks elsewhere."""

_TICK = 1.0
"""Seconds between two looks at whether the server of a page is still there."""


class ParityApp(BaseApp):
    """`agent` in a terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "sessions", "Sessions", show=False, priority=True),
        # In the prompt's text the key would select a line.
        Binding("f6", "copy_answer", "Copy the last answer", show=False, priority=True),
    ]

    def __init__(
        self,
        wanted: Wanted,
        environ: Mapping[str, str] = os.environ,
        *,
        prompt_first: bool = False,
    ) -> None:
        """
        Args:
            wanted: The session to open.
            prompt_first: Whether a prompt takes keys before the rest of the screen is loaded.
        """
        super().__init__(wanted.folder, wanted.flags, environ)
        self._wanted = wanted
        self._prompt_first = prompt_first
        self._session: SessionScreen | None = None
        self._held: list[InputEvent] | None = None
        """Keys that wait while one screen takes over from the other; None: they do not wait."""
        self._turn_began = 0.0
        self.replays: Replays | None = None
        """That were begun from here; None: nobody asked for any."""

    @property
    def wanted(self) -> Wanted:
        """What the session was opened with."""
        return self._wanted if self._session is None else self._session.wanted

    @property
    def current(self) -> SessionInfo | None:
        """The session that can be gone on with; None where nothing was said."""
        conversation = self._session.conversation if self._session is not None else None
        info = conversation.session.info if conversation is not None else None
        return info if info is not None and info.task else None

    def on_mount(self) -> None:
        if self._prompt_first:
            self.push_screen(Threshold())
        else:
            self.push_screen(self._made())
        if self.is_web:
            parent = os.getppid()
            self.set_interval(_TICK, lambda: self.exit() if os.getppid() != parent else None)

    def _made(self) -> SessionScreen:
        # 300 ms; not needed for the first frame
        from tui.screens.session import SessionScreen

        self._session = SessionScreen(self._wanted)
        return self._session

    @on(Crossed)
    async def _crossed(self, message: Crossed) -> None:
        """All is loaded: the session's screen goes on with what was written meanwhile."""
        session, self._held = self._made(), []
        held = self._held
        try:
            await self.switch_screen(session)
            session.take_over(message.prompt, message.given)
        finally:
            self._held = None
        for event in held:
            await self.on_event(event)

    def on_unmount(self) -> None:
        self.save()

    def save(self) -> None:
        """End what is at work; what was said is on the disk already."""
        if self.replays is not None:
            self.replays.close()
        if self._session is not None:
            self._session.engine.close(PATIENCE)

    def interrupt(self) -> None:
        if self._session is not None and self._session.at_work:
            self._session.engine.interrupt()

    def clear(self) -> bool:
        return any(prompt.clear() for prompt in self.screen.query(Prompt))

    def open_session(self, wanted: Wanted | None) -> None:
        """Leave the session and open another; None: stay."""
        if wanted is not None and self._session is not None:
            self._session.call_next(self._session.open, wanted)

    # What the engine tells; it bubbles up from the session's screen.

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        if isinstance(message.error, ModelMissing | ModelError):
            from tui.screens.first_run import FirstRun  # 60 ms; only where there is no model

            if not isinstance(self.screen, FirstRun):
                self.push_screen(FirstRun(self.wanted, message.error), self.open_session)

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        from agent.events import TurnStarted  # loaded with the session

        if isinstance(message.event, TurnStarted):
            self._turn_began = time.monotonic()

    @on(Rested)
    def _rested(self) -> None:
        if self._turn_began and time.monotonic() - self._turn_began > LONG_TURN:
            self.call_user("The turn has ended.")
        self._turn_began = 0.0

    @on(Asked)
    def _asked(self) -> None:
        self.call_user("A question waits for your answer.")

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._handle_exception(message.error)

    # Keys and commands.

    async def on_event(self, event: Event) -> None:
        if self._held is not None and isinstance(event, InputEvent):
            self._held.append(event)
            return
        await super().on_event(event)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Sessions", "List, search, resume, fork, export", self.action_sessions)
        yield SystemCommand("Replays", "Watch one, or begin one", self.action_replay)
        yield SystemCommand("Copy the last answer", "To the clipboard", self.action_copy_answer)
        yield from super().get_system_commands(screen)

    def action_sessions(self) -> None:
        from tui.screens.sessions import Sessions  # only needed when it is asked for

        if not isinstance(self.screen, Sessions):
            self.push_screen(Sessions(self.wanted, self.current), self.open_session)

    # Commands of the prompt: what follows each comes as one text.

    def action_command_resume(self, name: str) -> None:
        if not name:
            self.action_sessions()
            return
        from tui.keeping import resumed  # 40 ms, as below; only needed when it is asked for

        self._try(lambda: self.open_session(resumed(self.wanted, name)))

    def action_command_fork(self, arguments: str) -> None:
        from tui.keeping import FORKED, forked

        def fork(info: SessionInfo) -> None:
            self.open_session(forked(self.wanted, info))
            self._say(FORKED)

        if (info := self._known()) is not None:
            self._try(lambda: fork(info))

    def action_command_rename(self, title: str) -> None:
        from tui.keeping import renamed

        if (info := self._known()) is not None:
            self._try(lambda: self._say(renamed(info, title)))

    def action_command_export(self, arguments: str) -> None:
        from tui.keeping import exported

        kind, _, place = arguments.partition(" ")
        if (info := self._known()) is not None:
            self._try(lambda: self._say(exported(info, kind or "markdown", place.strip())))

    def action_command_play(self, name: str) -> None:
        from tui.keeping import resumed
        from tui.screens.play import Play

        def play() -> None:
            info = resumed(self.wanted, name).resume if name else self._known()
            if info is not None:
                self.push_screen(Play(info))

        self._try(play)

    def action_replay(self) -> None:
        self.action_command_replay("")

    def action_command_replay(self, line: str) -> None:
        # 60 ms, with all that a run is; only needed when it is asked for
        from tui.replaying import Replays
        from tui.screens.replays import open_replay

        replays = self.replays = self.replays or Replays()
        self._try(lambda: open_replay(self, replays, line, self.action_command_replay))

    def action_command_theme(self, name: str) -> None:
        if not name:
            self.action_change_theme()
        elif name in self.available_themes:
            self.theme = name
        else:
            self._say(f"There is no theme {shown(name)}: {', '.join(self.available_themes)}.")

    def _known(self) -> SessionInfo | None:
        if self.current is None:
            self._say("Nothing was said in this session yet.")
        return self.current

    def _try(self, job: Callable[[], object]) -> None:
        try:
            job()
        except AgentError as error:
            self.notify(str(error), severity="error", markup=False)

    def _say(self, line: str) -> None:
        self.notify(printable(line), markup=False)

    def action_copy_answer(self) -> None:
        """Copy what the model said last."""
        if self._session is not None:
            self._session.commands.action_command_copy("")


def run(wanted: Wanted) -> ExitCode:
    """Show the screen until the user leaves it."""
    app = ParityApp(wanted, prompt_first=True)
    signalled = False

    def leave() -> None:
        nonlocal signalled
        signalled = True
        app.leave()

    with departing(app.save, leave):
        app.run()
    if (info := app.current) is not None:
        where = [] if wanted.folder == Path() else ["--repo", str(wanted.folder)]
        command = shlex.join(["agent", *where, "--resume", info.id])
        print(f"To go on with this session: {shown(command)}", file=sys.stderr)
    for command in app.replays.stopped() if app.replays is not None else ():
        print(f"To go on with the replay: {shown(command)}", file=sys.stderr)
    if app.return_code:
        return ExitCode(app.return_code)
    return ExitCode.INTERRUPTED if signalled else ExitCode.VERIFIED


def watch(info: SessionInfo, speed: float) -> ExitCode:
    """Play a recorded session on the screen until the user leaves it."""
    from tui.screens.play import Play  # only needed to watch one

    app = BaseApp(info.root, {}, os.environ)
    app.call_later(app.push_screen, Play(info, speed), lambda _: app.exit())
    app.run()
    return ExitCode.VERIFIED
