"""What holds on every screen: looks, general keys, errors that end nothing, the way out.

Must not know what is shown, nor that there are sessions.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.driver import Driver
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from agent import config_file
from agent.errors import ExitCode, InputError
from tools.text import shown
from tui.attention import call
from tui.filters import Harmless
from tui.themes import ANSI, DARK, THEMES, derived

if TYPE_CHECKING:
    from tui.failures import Failures

TWICE = 2.0
"""Seconds between two presses of Ctrl+C that leave."""


class BaseApp(App[None]):
    """An application that looks and behaves as all of ours do."""

    TITLE = "Parity"
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "parity.tcss",
        "styles/transcript.tcss",
        "styles/prompt.tcss",
        "styles/control.tcss",
        "styles/manners.tcss",
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]  # noqa: RUF012  as the library has them
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", "Help", key_display="?"),
        Binding("f2", "mouse", "Select text: the mouse is the terminal's", show=False),
        Binding("ctrl+p", "command_palette", "Palette of commands", show=False, priority=True),
        Binding("ctrl+q", "quit", "Leave", priority=True),
        # Where the prompt holds a text, it deletes a letter of it.
        Binding("ctrl+d", "unless_writing('quit')", "Leave", show=False, priority=True),
        Binding(
            "ctrl+c", "help_quit", "Copy, clear, interrupt, twice: leave", show=False, system=True
        ),
    ]

    def __init__(self, folder: Path, flags: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """
        Args:
            folder: The repository, or a folder in it.
            flags: Settings given as options; None for those that were not.
            environ: As `os.environ`.
        """
        self.environ = dict(environ)
        colourless = "NO_COLOR" in environ
        super().__init__(ansi_color=True if colourless else None)
        for theme in THEMES:
            self.register_theme(theme)
        self._folder = folder
        self._known_failures: Failures | None = None
        self._harmless = Harmless()
        self._main: asyncio.AbstractEventLoop | None = None
        self._pressed = 0.0
        self._mouse = True
        self._kept = self._chosen_theme(flags)
        self.theme = ANSI if colourless else self._kept
        self.stylesheet.set_variables(self.get_css_variables())
        self._dressed = False
        """Whether the styles were asked for in another theme than the first."""

    def on_mount(self) -> None:
        self._main = asyncio.get_running_loop()

    # The way out.

    def leave(self) -> None:
        """End the app, from a signal's handler too."""
        if self._main is not None:
            self._main.call_soon_threadsafe(self.exit)

    def interrupt(self) -> None:
        """End what is at work, if anything is."""

    def clear(self) -> bool:
        """Empty what is being written; whether anything was."""
        return False

    def action_help_quit(self) -> None:
        """Ctrl+C where nothing is selected: clear the prompt, else interrupt; twice: leave."""
        if self.clear():
            return
        now = time.monotonic()
        if now - self._pressed < TWICE:
            self.exit()
            return
        self._pressed = now
        self.interrupt()
        self.notify("Ctrl+C again leaves.", timeout=TWICE, markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "unless_writing":
            return not self.writing
        return super().check_action(action, parameters)

    @property
    def writing(self) -> bool:
        """Whether keys go into a text."""
        focused = self.focused
        return isinstance(focused, Input) or (isinstance(focused, TextArea) and bool(focused.text))

    async def action_unless_writing(self, action: str) -> None:
        await self.run_action(action, self)

    # Errors of our own: told, written down, lived with.

    def survive(self, error: Exception) -> None:
        """Tell of an error that is the program's fault, and go on."""
        failures = self._failures()
        line = failures.note(error, self._folder)
        if failures.storm:
            self.exit(return_code=ExitCode.FAILED, message=line or None)
        elif line:
            self.notify(line, severity="error", timeout=15, markup=False)

    def _failures(self) -> Failures:
        if self._known_failures is None:
            # 100 ms; only needed to write an error down
            from agent.session import state_folder
            from tui.failures import Failures

            self._known_failures = Failures(state_folder())
        return self._known_failures

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

    def _register_child(
        self, parent: DOMNode, child: Widget, before: int | None, after: int | None
    ) -> None:
        self._guard(child)
        super()._register_child(parent, child, before, after)

    def _start_widget(self, parent: Widget, widget: Widget) -> None:
        self._guard(widget)
        super()._start_widget(parent, widget)

    def _guard(self, widget: Widget) -> None:
        """Textual ends a widget whose handler raises: its errors are caught before that."""
        if isinstance(widget, Input | TextArea):
            widget.cursor_blink = False  # an idle screen would be drawn twice a second
        dispatch = widget._dispatch_message

        async def guarded(message: Message) -> None:
            try:
                await dispatch(message)
            except Exception as error:  # as above
                self._handle_exception(error)

        widget._dispatch_message = guarded  # type: ignore[method-assign]  # there is no hook for it

    def get_driver_class(self) -> type[Driver]:
        chosen = super().get_driver_class()
        # 20 ms; the library has loaded the module that each of them rests on
        match chosen.__name__:
            case "LinuxDriver":
                from tui.terminal import Driver as Ours

                return Ours
            case "WebDriver":
                from tui.web_terminal import WebDriver as Served

                return Served
        return chosen

    # Looks.

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._harmless]

    def _chosen_theme(self, flags: Mapping[str, Any]) -> str:
        # The rest of the settings is not read for the first frame: their checks load 100 ms.
        name = flags.get("theme") or self.environ.get("PARITY_THEME")
        with suppress(InputError):  # the session tells of it when it is opened
            file = config_file.user_file()
            name = name or config_file.parsed(config_file.read(file), file).get("theme")
        return name if isinstance(name, str) and name in self.available_themes else DARK.name

    def refresh_css(self, animate: bool = True) -> None:
        # When it starts, the library parses all styles twice, with its own theme and with ours:
        # here there is no other than ours, and the second time, a twentieth of the start, is saved.
        if self._dressed:
            super().refresh_css(animate)
        self._dressed = True

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return derived(self.current_theme)

    def watch_theme(self, name: str) -> None:
        """What was chosen here is kept for the next time."""
        if not self.is_running or name == self._kept:
            return
        self._kept = name
        try:
            config_file.remember(config_file.user_file(), "theme", name)
        except InputError as error:
            self.notify(f"The theme is not kept. {error}", severity="warning", markup=False)

    # Keys and commands.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Help", "Keys and commands", self.action_help)
        yield SystemCommand("Theme", "Dark, light, contrast, ansi …", self.action_change_theme)
        yield SystemCommand("Select text", "The terminal's own selection", self.action_mouse)
        yield SystemCommand("Save a picture", "Of the screen, as SVG", self.action_picture)
        yield SystemCommand("Leave", "What was said is kept", self.exit)

    def action_help(self) -> None:
        from tui.commands import COMMANDS  # with the next, only needed when it is asked for
        from tui.screens.help import Help

        if not isinstance(self.screen, Help):
            commands = [(f"/{command.name}", command.help) for command in COMMANDS]
            self.push_screen(Help(self.screen, commands))

    def action_picture(self) -> None:
        from agent.session import state_folder  # loaded with the session

        place = self.save_screenshot(path=str(state_folder()))
        self.notify(f"Saved as {shown(place)}", markup=False)

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal, so that it selects; or take it again."""
        driver: Any = self._driver  # each has the two, under these names alone
        if driver is None or self.is_headless:
            return
        self._mouse = not self._mouse
        if self._mouse:
            driver._enable_mouse_support()
            self.notify("The mouse scrolls and clicks here again.", markup=False)
        else:
            driver._disable_mouse_support()
            told = "The mouse is the terminal's: select and copy. F2 takes it back."
            self.notify(told, timeout=8, markup=False)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """As SVG that asks for no font from elsewhere."""
        picture = super().export_screenshot(title=title, simplify=simplify)
        return re.sub(r"@font-face\s*\{[^}]*\}", "", picture)

    def copy_to_clipboard(self, text: str) -> None:
        super().copy_to_clipboard(text)
        self.notify(f"Copied {len(text):,} characters.", timeout=2, markup=False)

    def call_user(self, text: str) -> None:
        """Make the terminal call its user, where that one looks elsewhere."""
        if not self.app_focus and self._driver is not None:
            self._driver.write(call(f"Parity: {text}", self.environ))
            self._driver.flush()
