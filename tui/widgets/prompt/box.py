"""The frame that the text is written in, with the signs of what the text will be.

Owns its height and its words. Must not know what a key means, nor when anything is sent.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.offers import SEARCH_HINT, hint, placeholder

_SHARE = 0.4
"""Of the screen's height, that the text may take."""
_LEAST = 3
"""Lines of the text that can be seen in any terminal."""


class Box(Horizontal):
    """An editor behind a sign."""

    def __init__(self, editor: Editor) -> None:
        super().__init__(id="box")
        self._editor = editor
        self._sign = Static("❯", id="sign", markup=False)

    def compose(self) -> ComposeResult:
        yield self._sign
        yield self._editor

    def dress(self, *, at_work: bool, searching: bool, queued: bool) -> None:
        """Show what the text will be.

        Args:
            at_work: Whether a turn is.
            searching: Whether it looks for an earlier prompt.
            queued: Whether anything waits for the end of the turn.
        """
        self.fit()
        text = self._editor.text
        shell = text.startswith("!") and not searching
        self.set_class(shell, "-shell")
        self._sign.update("?" if searching else "$" if shell else "❯")
        focused = self._editor.has_focus
        told = hint(text, at_work=at_work, queued=queued, focused=focused)
        told = SEARCH_HINT if searching else told
        self.border_subtitle = Content(told)
        self._editor.placeholder = placeholder(at_work=at_work, searching=searching)

    def fit(self) -> None:
        """As high as the text, up to a part of the screen."""
        # Not left to `height: auto` with a most: the box would take the height of all the text.
        highest = max(_LEAST, int(self.screen.size.height * _SHARE))
        self._editor.styles.height = min(self._editor.wrapped_document.height, highest)
