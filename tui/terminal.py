"""What a terminal sends, read as keys and pasted text.

Owns the two places where the screen library's own reading falls short: a key is not lost that a
terminal writes in an older way, and pasted text is text, whatever is in it. Must not know who
takes the keys.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_START, _END = "\x1b[200~", "\x1b[201~"
_LONGEST = 4 << 20
"""Characters of pasted text; what goes beyond is left out."""
_WAIT = 0.1
"""Seconds between two looks at whether the screen has ended."""


class Parser(XTermParser):
    """Keeps what is pasted apart from what is typed.

    The library reads an escape sequence within pasted text as keys, an Enter behind it among them:
    a page that has ESC in what it lets people copy could send a prompt, or a shell line.
    """

    _pasting = False
    _pasted = ""
    _seen = ""
    """The last characters before a paste, which may be the beginning of its mark."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from super().feed(data)
        while data:
            if not self._pasting:
                data = yield from self._typed(data)
                continue
            self._pasted += data
            text, end, data = self._pasted.partition(_END)
            if not end:
                if len(text) > _LONGEST:  # the end of it may hold half of the mark
                    self._pasted = text[:_LONGEST] + text[-len(_END) :]
                return
            self._pasting, self._pasted, self._seen = False, "", ""
            for message in super().feed(_END):
                if not isinstance(message, events.Paste):
                    yield message
            yield events.Paste(text[:_LONGEST])

    def _typed(self, data: str) -> Generator[Message, None, str]:
        """Keys up to the beginning of a paste.

        Returns:
            What stands behind it.
        """
        known = len(self._seen)
        before, start, rest = (self._seen + data).partition(_START)
        if not start:
            self._seen = (self._seen + data)[1 - len(_START) :]
            yield from super().feed(data)
            return ""
        # With its mark: it was told the beginning of that perhaps.
        yield from super().feed((before + start)[known:])
        self._pasting, self._seen = True, ""
        return rest

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if sequence in ("\x1b\r", "\x1b\n"):  # how most terminals write Alt
            yield events.Key("alt+enter", None)
            return
        for key in super()._sequence_to_key_events(sequence, alt):
            modifiers, _, last = key.key.rpartition("+")
            if modifiers and last in ("\r", "\n"):  # xterm's `modifyOtherKeys`
                yield events.Key(f"{modifiers}+enter", None)
            else:
                yield key


class Driver(LinuxDriver):
    """Reads with `Parser`, and bytes that are no UTF-8 without coming to an end."""

    def run_input_thread(self) -> None:
        parser = Parser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_WAIT):
                    data = os.read(self.fileno, 1 << 14)
                    if not data:
                        return
                    for message in parser.feed(decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
