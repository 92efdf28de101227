"""Calling a user who looks elsewhere: a notification of the terminal's, or its bell.

Owns the sequences. Must not know why the user is called.
"""

from __future__ import annotations

from collections.abc import Mapping

from tools.text import shown

_TELL = frozenset({"iTerm.app", "WezTerm", "ghostty", "rio"})
"""Terminals, by TERM_PROGRAM, that show OSC 9 as a notification."""
_LONGEST = 120
"""Characters of a notification."""


def call(text: str, environ: Mapping[str, str]) -> str:
    """What is written to the terminal to call its user; it shows nothing by itself.

    Args:
        environ: As `os.environ`; says which terminal it is.
    """
    tells = environ.get("TERM_PROGRAM") in _TELL or "KITTY_WINDOW_ID" in environ
    if not tells or "TMUX" in environ:  # tmux swallows it, and passes a bell on
        return "\a"
    return f"\x1b]9;{shown(text)[:_LONGEST]}\x1b\\"
