"""The HTTP client that the SDK speaks through: it can be cut, and it can begin before the SDK.

Owns the connection. Importing the SDK takes longer than all else that comes before the first
request; so that request may be made by `lead` while the import goes on, and is handed over when
the SDK makes the same one. Must not know what is asked.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

import httpx2

CONNECT_SECONDS = 4.0
"""The most that making a connection may take: four tries and their pauses stay below 20 s."""
_DEFAULT = httpx2.USE_CLIENT_DEFAULT
_COMPARED = ("authorization", "anthropic-version", "content-type")


class Line(httpx2.Client):
    """One conversation's connection."""

    def __init__(self, silence: float) -> None:
        """
        Args:
            silence: The most seconds without a byte before the server is given up.
        """
        super().__init__(
            timeout=httpx2.Timeout(silence, connect=CONNECT_SECONDS),
            follow_redirects=True,
            event_hooks={"request": [self._watch]},
        )
        self._socket: socket.socket | None = None
        self._cut = False
        self._lead: _Lead | None = None

    def lead(self, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """Make a request that the SDK will make too; returns when it has left."""
        request = self.build_request("POST", url, headers=dict(headers), content=content)
        lead = self._lead = _Lead(self, request)
        lead.start()
        lead.left.wait()

    def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = _DEFAULT,  # noqa: ANN401  as in the base class, whose type is private
        follow_redirects: Any = _DEFAULT,  # noqa: ANN401
    ) -> httpx2.Response:
        lead, self._lead = self._lead, None
        if lead is not None and stream and lead.is_same(request):
            return lead.response()
        if lead is not None:
            lead.drop()
        return super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)

    def send_ahead(self, request: httpx2.Request) -> httpx2.Response:
        return super().send(request, stream=True)

    def cut(self) -> None:
        """Break the connection, from any thread; the client cannot be used again."""
        self._cut = True
        if self._socket is not None:
            # Closing alone would not wake a thread that reads.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _watch(self, request: httpx2.Request) -> None:
        left = request.extensions.get("left")

        def trace(name: str, info: Mapping[str, Any]) -> None:
            if name.endswith(("connect_tcp.complete", "start_tls.complete")):
                self._socket = info["return_value"].get_extra_info("socket")
            elif self._cut and name.endswith("send_request_headers.started"):
                raise httpx2.RequestError("cut", request=request)
            elif left is not None and name.endswith("send_request_body.complete"):
                left.set()

        request.extensions["trace"] = trace


class _Lead(threading.Thread):
    """A request under way."""

    def __init__(self, line: Line, request: httpx2.Request) -> None:
        super().__init__(name="claude-lead", daemon=True)
        self.left = request.extensions["left"] = threading.Event()
        self._line, self._request = line, request
        self._came: httpx2.Response | Exception | None = None

    def run(self) -> None:
        try:
            self._came = self._line.send_ahead(self._request)
        except Exception as error:  # raised anew by `response`
            self._came = error
        self.left.set()

    def is_same(self, request: httpx2.Request) -> bool:
        mine = self._request
        return (
            (mine.method, mine.url) == (request.method, request.url)
            and all(mine.headers.get(name) == request.headers.get(name) for name in _COMPARED)
            and mine.content == request.content
        )

    def response(self) -> httpx2.Response:
        """Wait for it."""
        self.join()
        if isinstance(self._came, Exception):
            raise self._came
        assert self._came is not None
        return self._came

    def drop(self) -> None:
        """Close what was asked in vain."""
        self.join()
        if isinstance(self._came, httpx2.Response):
            self._came.close()
