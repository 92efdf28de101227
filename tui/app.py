"""The Textual application: its screens, its themes, its end.

Must not know what a session does.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual.app import App
from textual.driver import Driver

from agent.conversation import Wanted
from agent.errors import ExitCode
from tui.screens.session import SessionScreen

PATIENCE = 2.0
"""Seconds that the session has to end in."""


class ParityApp(App[None]):
    """`agent` in a terminal."""

    TITLE = "Parity"
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "parity.tcss",
        "styles/transcript.tcss",
        "styles/prompt.tcss",
        "styles/control.tcss",
    ]

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._session = SessionScreen(wanted)

    def get_driver_class(self) -> type[Driver]:
        chosen = super().get_driver_class()
        # 20 ms; the library loads the same module
        from textual.drivers.linux_driver import LinuxDriver

        from tui.terminal import Driver as Ours

        return Ours if chosen is LinuxDriver else chosen

    def on_mount(self) -> None:
        self.push_screen(self._session)

    def on_unmount(self) -> None:
        self._session.engine.close(PATIENCE)


def run(wanted: Wanted) -> ExitCode:
    """Show the screen until the user leaves it."""
    ParityApp(wanted).run()
    return ExitCode.VERIFIED
