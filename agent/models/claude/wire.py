"""The way to the Messages API and back, through the SDK, in a thread that can be left at any time.

Owns the SDK's client and its import. Must not know what is asked or answered.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from agent.models.claude.access import Access
from agent.models.claude.line import Line
from agent.models.claude.request import Body, encode
from tools.base import Cancel

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types import RawMessageStreamEvent

    _Item = RawMessageStreamEvent | Exception | None

HOME = "https://api.anthropic.com"
SILENCE = 300.0
"""Seconds without a byte after which a server is given up; the API pings every few."""
ASIDE_SECONDS = 5.0
"""The most that a question beside the conversation may take."""
_TICK = 0.05
"""Seconds between two looks at whether the user has cancelled."""
_VERSION = re.compile(r'^ANTHROPIC_API_VERSION = "([\d-]+)"$', re.MULTILINE)

T = TypeVar("T")


class Wire:
    """Carries requests and the events of their answers, one at a time."""

    def __init__(
        self, access: Access, address: str | None = None, silence: float = SILENCE
    ) -> None:
        """
        Args:
            address: The server's; None: `ANTHROPIC_BASE_URL`, a profile's or the API's own.
            silence: Seconds without a byte after which the server is given up.
        """
        self._access = access
        self._address = address or os.environ.get("ANTHROPIC_BASE_URL")
        self._silence = silence
        self._connection: _Connection | None = None

    @property
    def host(self) -> str:
        """The server's name, for people."""
        return (self._address or HOME).partition("://")[2].rstrip("/")

    def events(self, body: Body, cancel: Cancel) -> Iterator[RawMessageStreamEvent]:
        """Ask; the events of the answer. They simply end when `cancel` is set.

        Raises:
            Exception: Whatever the SDK raised.
        """
        heard: SimpleQueue[_Item] = SimpleQueue()
        connection = self._connect()
        # A thread, for nothing else returns from a read at once.
        threading.Thread(
            target=self._ask, args=(connection, body, heard), name="claude", daemon=True
        ).start()
        over = False
        try:
            while not cancel.is_set():
                try:
                    item = heard.get(timeout=_TICK)
                except Empty:
                    continue
                if item is None or isinstance(item, Exception):
                    over = True
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            if not over:
                self.close()

    def aside(self, question: Callable[[Anthropic], T]) -> T:
        """Ask something that is no part of the conversation.

        Raises:
            Exception: Whatever the SDK raised.
        """
        return question(self._connect().client().with_options(timeout=ASIDE_SECONDS))

    def close(self) -> None:
        """Break off what is under way; the next request makes a connection anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.line.cut()
            connection.line.close()

    def _connect(self) -> _Connection:
        if self._connection is None:
            self._connection = _Connection(self._access, self._address, Line(self._silence))
        return self._connection

    def _ask(self, connection: _Connection, body: Body, heard: SimpleQueue[_Item]) -> None:
        try:
            if "anthropic" not in sys.modules:
                self._lead(connection.line, body)
            for event in connection.client().messages.create(**body.params):
                heard.put(event)
            heard.put(None)
        except Exception as error:  # raised anew by `events`, in the thread that asked
            heard.put(error)

    def _lead(self, line: Line, body: Body) -> None:
        """Let the first request leave before the SDK is imported, where all it needs is known."""
        version = _api_version()
        if self._access.bearer and version and "ANTHROPIC_CUSTOM_HEADERS" not in os.environ:
            line.lead(
                f"{(self._address or HOME).rstrip('/')}/v1/messages",
                {
                    "authorization": f"Bearer {self._access.bearer}",
                    "anthropic-version": version,
                    "content-type": "application/json",
                    "user-agent": "parity-agent",
                    "accept": "application/json",
                },
                encode(body.params),
            )


@dataclass(slots=True)
class _Connection:
    """A client of the SDK and the line it speaks through."""

    access: Access
    address: str | None
    line: Line
    _client: Anthropic | None = None

    def client(self) -> Anthropic:
        from anthropic import Anthropic  # 1 s; only needed to call the API

        if self._client is None:
            access = self.access
            self._client = Anthropic(
                api_key=None if access.is_token else access.bearer,
                auth_token=access.bearer if access.is_token else None,
                base_url=self.address,
                max_retries=0,  # the loop asks again, and says so
                open_telemetry=False,
                http_client=self.line,
            )
        return self._client


def _api_version() -> str | None:
    """The API's version that the installed SDK speaks, read from its source."""
    spec = find_spec("anthropic")
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("_constants.py").read_text("utf-8")
    except OSError:
        return None
    found = _VERSION.search(text)
    return found[1] if found else None
