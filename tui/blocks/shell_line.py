"""A command of the user's at work, as whoever runs it sees its block.

Owns nothing but the way there. Must not know widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.live import Piece
from tui.blocks.entries import Shell


@dataclass(frozen=True, slots=True)
class ShellLine:
    """To be told what becomes of a command; in the screen's thread alone."""

    _entry: Shell
    _touched: Callable[[], None]

    def write(self, piece: Piece) -> None:
        """Add output."""
        self._entry.printed.write(piece)
        self._touched()

    def end(self, code: int | None, seconds: float) -> None:
        """It has ended.

        Args:
            code: Its exit code; None: it was stopped.
        """
        self._entry.close(code, seconds)
        self._touched()
