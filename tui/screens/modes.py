"""What happens without a question: the mode, changed and told.

Owns their order and the words about each. Must not know what a mode allows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.mode import Mode
from tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from tui.screens.session import SessionScreen

ORDER = (Mode.PLAN, Mode.ASK, Mode.EDIT, Mode.AUTO)
_SAID = {
    Mode.PLAN: "Plan mode: it reads and describes what it would do; nothing is changed or run.",
    Mode.ASK: "Ask mode: edits and commands ask.",
    Mode.EDIT: "Edit mode: edits are free, commands ask.",
    Mode.AUTO: "Auto mode: edits are free, and commands in the sandbox.",
}


class Modes:
    """Changes the mode of the session on a screen."""

    def __init__(self, screen: SessionScreen) -> None:
        self._screen = screen

    def to_the_next(self) -> None:
        """Go round; before the session is open there is none."""
        if self._screen.mode is not None:
            self.to(ORDER[(ORDER.index(self._screen.mode) + 1) % len(ORDER)])

    def to(self, mode: Mode) -> None:
        """Change what happens without a question, as soon as that can be."""
        self._screen.mode = mode
        done = partial(self._changed, mode)
        self._screen.engine.do(lambda conversation: conversation.set_mode(mode), done)

    def _changed(self, mode: Mode, at_once: bool) -> None:
        if mode is self._screen.mode:  # else it went on to the next meanwhile
            later = "" if at_once else "From the next turn on: "
            self._screen.query_one(StatusLine).tell(later + _SAID[mode])
