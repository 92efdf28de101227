"""Another model goes on: chosen, its cost shown, then switched to.

Owns the steps from the wish to the change. Must not know how the list or the question looks, nor
what a change costs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.conversation import Conversation
from agent.events import Switched
from agent.models.opening import Backend, backend
from agent.printer import switch_cost
from tools.text import shown
from tui.widgets.figures import Figures
from tui.widgets.offers import SwitchOffer
from tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from tui.screens.session import SessionScreen


class Switching:
    """Changes the model of the session on a screen."""

    def __init__(self, screen: SessionScreen) -> None:
        self._screen = screen

    def to_the_other(self) -> None:
        """Go to the other of local and Claude: the one that was used last."""
        names = self._screen.measures.names
        if not names:
            self._tell("The session is not open yet.")
            return
        here = backend(names[-1]) is Backend.CLAUDE
        others = [name for name in names if (backend(name) is Backend.CLAUDE) != here]
        if others:
            self.to(others[-1])
        else:
            self.choose()

    def choose(self) -> None:
        """Show the list of models, and go to the one that is chosen."""
        from tui.screens.models import ModelsScreen  # 40 ms; only when it is wanted

        names = self._screen.measures.names
        present = names[-1] if names else self._screen.wanted.flags.get("model") or ""
        self._screen.app.push_screen(ModelsScreen(present), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self.to(name)

    def to(self, name: str) -> None:
        """Let another model go on, once the user has seen what that costs."""
        self._tell("Counting what it would have to read …")
        self._screen.engine.do(partial(_cost, name), partial(self._costed, name))

    async def _costed(self, name: str, cost: Switched | None) -> None:
        if cost is None:
            self.go_on(name)
        else:
            self._tell("")
            await self._screen.query_one(SwitchOffer).put(name, cost)

    def go_on(self, name: str) -> None:
        """Let another model go on."""
        self._screen.engine.do(partial(_switch, name), partial(self._switched, name))

    def _switched(self, name: str, done: tuple[Switched, bool]) -> None:
        cost, begun = done
        self._screen.measures.switched(name, cost.model)
        self._screen.query_one(Figures).switched()
        told = f": {switch_cost(cost)}" if begun else "."
        self._tell(f"{shown(cost.model)} goes on{told}")

    def _tell(self, text: str) -> None:
        self._screen.query_one(StatusLine).tell(text)


def _cost(name: str, conversation: Conversation) -> Switched | None:
    """What the change would cost; None while there is nothing that would have to be read anew."""
    return conversation.cost(name) if conversation.agent.history else None


def _switch(name: str, conversation: Conversation) -> tuple[Switched, bool]:
    """What the change has cost, and whether there was anything to read."""
    begun = bool(conversation.agent.history)
    return conversation.switch(name), begun
