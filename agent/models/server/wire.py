"""One HTTP request and the lines of its answer, so that waiting for them can be broken off.

Owns the connection. Must not know what is asked, nor what the lines mean.

The standard library's client: importing httpx2 and making a client takes 150 ms and more, which
is half of what there is before the first request has to leave. A thread reads; whoever waits for
it looks at the cancel flag meanwhile and shuts the socket down, upon which a server stops writing
an answer that nobody reads. Each request has a connection of its own, so none is ever stale.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import chain

from agent.errors import ConnectionLost, ServerError, ServerSilent, Unreachable
from agent.models.server.address import Address
from tools.base import Cancel
from tools.errors import Cancelled

CONNECT_SECONDS = 4.0
"""The most that making a connection may take: four tries and their pauses stay below 20 s."""
_POLL = 0.05
"""Seconds between two looks at the cancel flag."""
_NAP = 0.016
"""Seconds between two looks at a stream: a quick server's lines come in batches then, and what is
done with a line costs a fraction for each where it is done once for several."""
_AT_ONCE = 0.0005
"""Seconds below which what was read was there already."""
_READ = 1 << 14
"""Bytes that are read at once, at most."""
_LINE_LIMIT = 16 << 20
_ERROR_LIMIT = 64 << 10


class Refused(Exception):
    """The server answered with a status that is no success."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        """What it says of the reason, in one line."""
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a sign of life."""

    first: float = 600.0
    """For the first line: a long prompt is read before it."""
    between: float = 120.0
    """From one line to the next."""


USUAL = Timeouts()


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    retry_after: float | None
    location: str


_Came = _Head | list[bytes] | Exception | None


class Exchange:
    """A request under way."""

    def __init__(
        self, address: Address, path: str, body: Mapping[str, object] | None, key: str = ""
    ) -> None:
        """Send it.

        Args:
            address: The server.
            path: From the server's root.
            body: What is posted as JSON; None gets instead.
            key: Sent as a bearer token; empty for none.
        """
        self._address, self._path, self._key = address, path, key
        self._method = "GET" if body is None else "POST"
        # A lone surrogate, of bytes that are no UTF-8, is nothing that a server can read.
        text = json.dumps(body, ensure_ascii=False)
        self._body = None if body is None else text.encode("utf-8", "replace")
        self._headers = {"Accept": "text/event-stream, application/json", "Connection": "close"}
        if body is not None:
            self._headers["Content-Type"] = "application/json"
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._came: queue.SimpleQueue[_Came] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._left = False
        threading.Thread(target=self._work, daemon=True).start()

    def lines(self, cancel: Cancel, timeouts: Timeouts) -> Iterator[list[bytes]]:
        """The answer's whole lines, without their ends and without the empty ones; together
        those that came together.

        Raises:
            Refused: The status is no success.
            Unreachable: Nothing answers.
            ConnectionLost: It broke off.
            ServerSilent: Nothing came for too long.
            Cancelled: `cancel` was set.
        """
        try:
            head = self._next(cancel, timeouts.first)
            if not isinstance(head, _Head):
                raise self._broken(http.client.RemoteDisconnected(""))
            if not 200 <= head.status < 300:
                raise self._refusal(head, cancel, timeouts)
            wait = timeouts.first
            while (came := self._next(cancel, wait)) is not None:
                wait = timeouts.between
                assert isinstance(came, list)
                yield came + self._besides()
        finally:
            self.leave()

    def leave(self) -> None:
        """Break the connection off."""
        self._left = True
        if self._socket is not None:
            # Not the method of a TLS socket, which takes itself apart under its reader.
            with suppress(OSError):  # closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _refusal(self, head: _Head, cancel: Cancel, timeouts: Timeouts) -> Refused:
        text = b""
        while (came := self._next(cancel, timeouts.between)) is not None:
            assert isinstance(came, list)
            text += b"".join(came)
        said = f"it redirects to {head.location}" if head.location else reason_of(text)
        if self._key:  # some servers repeat it
            said = said.replace(self._key, "[redacted]")
        return Refused(head.status, said, head.retry_after)

    def _next(self, cancel: Cancel, timeout: float) -> _Head | list[bytes] | None:
        waited = 0.0  # not a clock: that goes on while this process is suspended
        while True:
            if cancel.is_set():
                raise Cancelled
            try:
                came = self._came.get(timeout=_POLL)
            except queue.Empty:
                waited += _POLL
                if waited < timeout:
                    continue
                raise ServerSilent(
                    f"The server at {self._address} was silent for {timeout:g} s and was left."
                ) from None
            if isinstance(came, Exception):
                raise self._broken(came) from came
            return came

    def _besides(self) -> list[bytes]:
        """The lines that wait already."""
        lines: list[bytes] = []
        with suppress(queue.Empty):
            while isinstance(came := self._came.get_nowait(), list):
                lines += came
            self._came.put(came)  # the end, which nothing follows
        return lines

    def _broken(self, error: Exception) -> ServerError:
        at = self._address
        if isinstance(error, http.client.RemoteDisconnected):
            return ConnectionLost(f"The server at {at} closed the connection without an answer.")
        if self._socket is not None:
            return ConnectionLost(f"The server at {at} broke the connection off: {_short(error)}.")
        if isinstance(error, TimeoutError):
            return Unreachable(f"{at} does not answer: check the address and the network.")
        if isinstance(error, ConnectionRefusedError):
            if at.ollama:
                return Unreachable(f"There is no Ollama at {at}: start it with `ollama serve`.")
            return Unreachable(f"There is no server at {at}: start it, or check the port.")
        return Unreachable(f"{at} cannot be reached: {_short(error)}.")

    # --- in the thread

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        try:
            connection, target = self._connection()
            connection.connect()
            self._socket = connection.sock
            if self._left:
                return
            connection.sock.settimeout(None)  # whoever waits keeps the time
            connection.request(self._method, target, self._body, self._headers)
            with connection.getresponse() as response:
                location = response.headers.get("Location", "")
                retry_after = _seconds(response.headers.get("Retry-After"))
                self._came.put(_Head(response.status, retry_after, location))
                if response.status >= 300:
                    self._came.put([response.read(_ERROR_LIMIT)])
                else:
                    self._read(response)
            self._came.put(None)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._came.put(error)
        finally:
            if connection is not None:
                connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        kind, rest = response.headers.get_content_type(), b""
        streams = kind.endswith(("stream", "ndjson"))
        before = time.perf_counter()
        while len(rest) < _LINE_LIMIT and (data := response.read1(_READ)):
            *lines, rest = (rest + data).split(b"\n")
            if told := [line for each in lines if (line := each.rstrip(b"\r"))]:
                self._came.put(told)
            # Chunks are read one by one: only after the last that is there something is missed.
            if streams and (not response.chunked or time.perf_counter() - before > _AT_ONCE):
                time.sleep(_NAP)
            before = time.perf_counter()
        if rest and not kind.endswith("stream"):  # else half an event
            self._came.put([rest])

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        at = self._address
        proxy = None if at.local else _proxy(at)
        host, port = proxy or (at.host, at.port)
        if not at.secure:
            target = f"{at}{self._path}" if proxy else self._path
            return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS), target
        secure = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS)
        if proxy:
            secure.set_tunnel(at.host, at.port)
        return secure, self._path


def get_json(
    address: Address, path: str, key: str, body: Mapping[str, object] | None = None
) -> object:
    """One short question; its answer, or None when it is no JSON.

    Raises:
        Refused, Unreachable, ConnectionLost, ServerSilent: As `Exchange.lines`.
    """
    timeouts = Timeouts(10.0, 10.0)
    came = Exchange(address, path, body, key).lines(threading.Event(), timeouts)
    text = b"\n".join(chain.from_iterable(came))
    try:
        return json.loads(text)
    except ValueError:
        return None


def reason_of(text: bytes | object) -> str:
    """What an error's body says, in one line, whichever of the usual forms it has."""
    value: object = text
    if isinstance(text, bytes):
        try:
            value = json.loads(text)
        except ValueError:
            value = text.decode("utf-8", "replace")
    for _ in range(3):
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            kind = value.get("code") if isinstance(value.get("code"), str) else value.get("type")
            inner = next(
                (value[k] for k in ("error", "message", "detail", "msg") if value.get(k)), ""
            )
            marked = isinstance(inner, str) and isinstance(kind, str) and kind not in inner
            value = f"{inner} ({kind})" if marked else inner
    line = " ".join(str(value).split())
    return line if len(line) <= 300 else f"{line[:297]}…"


def _seconds(text: str | None) -> float | None:
    """A Retry-After header, in either of its forms."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _proxy(address: Address) -> tuple[str, int] | None:
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass  # 10 ms; not for this machine's servers

    found = getproxies().get("https" if address.secure else "http")
    if not found or proxy_bypass(address.host):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    return (parts.hostname, parts.port or 80) if parts.hostname else None


def _short(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")[:200]
