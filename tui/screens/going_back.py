"""The way back to an earlier turn, with its files.

Owns the steps from the list of turns to what is told afterwards. Must not know how the list looks,
nor how files are taken back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.conversation import Conversation
from agent.errors import InputError
from agent.going_back import RewindReport
from agent.recorded import TurnInfo
from tools.text import shown
from tui.engine import Reported
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from tui.screens.rewind import Choice
    from tui.screens.session import SessionScreen

Gone = tuple[TurnInfo, RewindReport]
"""The turn before which the session is again, and what came of its files."""


class GoingBack:
    """Takes the session on a screen back."""

    def __init__(self, screen: SessionScreen) -> None:
        self._screen = screen

    def choose(self) -> None:
        """Show the turns that can be gone back to, and go to the one that is chosen."""
        self._screen.engine.do(lambda conversation: tuple(conversation.turns()), self._listed)

    def _listed(self, turns: tuple[TurnInfo, ...]) -> None:
        if not turns:
            self._screen.query_one(StatusLine).tell("There is no earlier turn.")
            return
        from tui.screens.rewind import RewindScreen  # 10 ms; only when it is wanted

        self._screen.app.push_screen(RewindScreen(turns), self._chosen)

    def _chosen(self, choice: Choice | None) -> None:
        if choice is not None:
            self._screen.engine.do(partial(self._rewind, choice.turn, choice.files), self._told)

    def undo(self) -> None:
        """Go back to before the last turn."""
        self._screen.engine.do(self._undo, self._told)

    def _undo(self, conversation: Conversation) -> Gone:
        turns = conversation.turns()
        if not turns:
            raise InputError("There is no turn to take back.")
        return self._rewind(turns[-1], True, conversation)

    def _rewind(self, turn: TurnInfo, files: bool, conversation: Conversation) -> Gone:
        report = conversation.rewind(turn.number, files=files)
        self._screen.post_message(Reported(report.event))
        return turn, report

    def _told(self, gone: Gone) -> None:
        turn, report = gone
        task = shown(turn.task.strip().split("\n")[0])[:60]
        self._screen.query_one(StatusLine).tell(f"Back to before: {task}")
        prompt = self._screen.query_one(Prompt)
        if not prompt.text:  # to be said otherwise
            prompt.write(turn.task)
        kept = [shown(file.path) for file in report.files if file.outcome == "kept"]
        if kept:
            told = f"Left as it is, for you edited the same lines: {', '.join(kept)}."
            self._screen.tell(told)
