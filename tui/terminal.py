"""What a terminal sends, read as keys and pasted text.

Owns the three places where the screen library's own reading falls short: a key is not lost that a
terminal writes in an older way, pasted text is text, whatever is in it, and while nothing is typed
nothing is done. Must not know who takes the keys.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterable

from textual import events
from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_START, _END = "\x1b[200~", "\x1b[201~"
_LONGEST = 4 << 20
"""Characters of pasted text; what goes beyond is left out."""


class Parser(XTermParser):
    """Keeps what is pasted apart from what is typed.

    The library reads an escape sequence within pasted text as keys, an Enter behind it among them:
    a page that has ESC in what it lets people copy could send a prompt, or a shell line.
    """

    _pasting = False
    _pasted = ""
    _seen = ""
    """The last characters before a paste, which may be the beginning of its mark."""

    @property
    def patience(self) -> float | None:
        """Seconds until what was read is a key even if nothing follows; None: it is read."""
        due = self._timeout_time
        return None if due is None else max(0.0, due - get_time())

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
    """Reads with `Parser`, and bytes that are no UTF-8 without coming to an end.

    The library looks ten times a second whether the screen has ended; here its end is told.
    """

    _ended: tuple[int, int] | None = None
    """A pipe, which can be read from the end of the reading on."""

    def start_application_mode(self) -> None:
        if self._ended is None:
            self._ended = os.pipe()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # as the library has it

    def disable_input(self) -> None:
        if self._ended is None:
            super().disable_input()
            return
        os.write(self._ended[1], b"\0")
        super().disable_input()  # which waits for the thread
        for end in self._ended:
            os.close(end)
        self._ended = None

    def run_input_thread(self) -> None:
        assert self._ended is not None
        parser = Parser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            ended = selector.register(self._ended[0], selectors.EVENT_READ)
            while True:
                ready = [key for key, _ in selector.select(parser.patience)]
                if ended in ready:
                    return
                if ready:
                    data = os.read(self.fileno, 1 << 14)
                    if not data:
                        return
                    for message in parser.feed(decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
