"""What stands below the conversation: what the model is at, and that there is more.

Owns the words of an empty session. Must not know the conversation.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.blocks import heads
from tui.themes import MUTED

_GREETING = Content("\n").join(
    [
        Content.styled("Parity", "bold $primary"),
        Content("Say what is to be done: a fault, a question, a change."),
        Content(),
        *(
            Content.assemble(Content.styled(f"{key:<10}", "bold"), Content.styled(told, MUTED))
            for key, told in (
                ("@", "names a file or a symbol"),
                ("/", "shows the commands"),
                ("!", "runs a line in the shell, in the sandbox"),
                ("Shift+Tab", "changes what may be done without asking"),
                ("Esc", "interrupts; twice: back to an earlier turn, with its files"),
                ("Tab", "goes to the conversation: Enter opens a block, c copies it"),
                ("?", "shows every key"),
            )
        ),
    ]
)


class Tail(Static):
    """The last line: what the model is at."""

    def __init__(self) -> None:
        super().__init__()
        self._told = Content()

    def tell(self, doing: str, *, begun: bool) -> None:
        """Show what is done just now.

        Args:
            doing: In a few words; empty: nothing.
            begun: Whether anything was said; else the keys are told.
        """
        # The answer moves enough itself while it is written.
        text = f"{heads.spinner(5 if doing == 'writing' else 10)} {doing}" if doing else ""
        told = Content.styled(text, MUTED) if begun else _GREETING
        if told != self._told:
            self._told = told
            self.update(told, layout=False)


class Below(Static):
    """Says that there is more further down."""

    def __init__(self) -> None:
        super().__init__(Content("↓ more below · End"))
