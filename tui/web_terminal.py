"""What a page of `agent serve` sends, read as a terminal's input is.

Owns the reading alone. Must not know who takes the keys, nor who serves the page.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from contextlib import suppress

from textual.drivers._byte_stream import ByteStream
from textual.drivers.web_driver import WebDriver as TheirDriver
from textual.drivers.web_driver import _ExitInput

from tui.terminal import Parser


class WebDriver(TheirDriver):
    """Reads with `Parser`, and bytes that are no UTF-8 without coming to an end."""

    def run_input_thread(self) -> None:
        parser = Parser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        packets = ByteStream()
        with suppress(_ExitInput):
            for data in self._input_reader:
                for kind, payload in packets.feed(data) if data else ():
                    if kind == "D":
                        for message in parser.feed(decode(payload)):
                            self.process_message(message)
                    else:
                        self._on_meta(kind, payload)
                for message in parser.tick():
                    self.process_message(message)
        self._input_reader.close()
