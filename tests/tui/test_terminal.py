"""What terminals really send, byte for byte."""

from __future__ import annotations

import pytest
from textual import events

from tui.terminal import Parser


def told(*data: str) -> list[str]:
    """Keys by their names, pasted texts in quotes."""
    parser = Parser()
    seen = []
    for piece in data:
        for message in parser.feed(piece):
            if isinstance(message, events.Key):
                seen.append(message.key)
            elif isinstance(message, events.Paste):
                seen.append(repr(message.text))
    return seen


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\r", "enter"),
        ("\n", "ctrl+j"),
        ("\x1b\r", "alt+enter"),  # most terminals
        ("\x1b[13;2u", "shift+enter"),  # kitty's protocol
        ("\x1b[13;3u", "alt+enter"),
        ("\x1b[13;5u", "ctrl+enter"),
        ("\x1b[27;2;13~", "shift+enter"),  # xterm's modifyOtherKeys
        ("\x1b[27;5;13~", "ctrl+enter"),
        ("\x1b[A", "up"),
        ("\x1b[Z", "shift+tab"),
        ("\x12", "ctrl+r"),
    ],
)
def test_keys(sent: str, key: str) -> None:
    assert told(sent) == [key]


def test_escapes_in_pasted_text_are_text() -> None:
    # The library reads what follows the ESC as keys, the Enter among them.
    text = "look\x1b[31m\r!rm -rf x\r"
    assert told(f"\x1b[200~{text}\x1b[201~") == [repr(text)]
    assert told(f"a\x1b[200~{text * 50}\x1b[201~b") == ["a", repr(text * 50), "b"]


def test_a_paste_comes_in_pieces_of_any_size() -> None:
    text = "one\rtwo\x1b[5~ three"
    sent = f"x\x1b[200~{text}\x1b[201~y\x1b[200~again\x1b[201~"
    whole = ["x", repr(text), "y", "'again'"]
    assert told(sent) == whole
    for size in (1, 2, 3, 5, 7):
        assert told(*(sent[at : at + size] for at in range(0, len(sent), size))) == whole


def test_an_empty_paste_is_one() -> None:
    assert told("\x1b[200~\x1b[201~z") == ["''", "z"]


def test_endless_pasted_text_takes_bounded_memory() -> None:
    pieces = ["\x1b[200~", *(["x" * (1 << 20)] * 6), "\x1b[201~", "q"]
    paste, key = told(*pieces)
    assert len(paste) <= (4 << 20) + 2
    assert key == "q"
