"""Fetching one file of the model hub, or of a mirror of it, over HTTP.

Owns addresses, resuming, retries. Must not know the catalogue's other kinds of source, nor decide
whether the bytes are the right ones.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from typing import IO, Any

from agent.models.partial import Partial, SourceFailed
from agent.models.progress import Progress

BASE = "https://huggingface.co"
_CHUNK = 1 << 20
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO})
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, and how often it is asked again."""

    connect: float = 5.0
    """Seconds until a connection stands."""
    read: float = 30.0
    """Seconds without a byte after which a transfer counts as cut."""
    tries: int = 4
    """Attempts in a row that may bring nothing new."""
    pause: float = 1.5
    """Seconds before the second attempt; doubled each time, 20 in all."""
    sleep: Callable[[float], None] = time.sleep


def hub_url(repo: str, revision: str, file: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where a file is; PARITY_HUB replaces the hub by a mirror of it."""
    base = environ.get("PARITY_HUB") or BASE
    path = urllib.parse.quote(f"{repo}/resolve/{revision}/{file}")
    return f"{base.rstrip('/')}/{path}"


def fetch_url(
    url: str,
    partial: Partial,
    progress: Progress,
    what: str,
    patience: Patience,
    expected: int = 0,
) -> str:
    """Bring `partial.data` to its full length.

    Args:
        expected: Bytes the file must have; 0 when that is not known.

    Returns:
        The SHA-256 the hub states for the file; empty where it states none.

    Raises:
        SourceFailed: It cannot be had from here; what has come is kept for another time.
        OSError: The disk takes no more.
    """
    opener = _opener(patience)
    failures = 0
    while True:
        before = partial.length
        try:
            return _attempt(opener, url, partial, progress, what, patience, expected)
        except _Final as error:
            raise SourceFailed(str(error)) from error
        except (OSError, http.client.HTTPException, _Cut) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            unreachable = _unreachable(error)
            failures = 1 if partial.length > before else failures + 1
            if failures >= patience.tries or (unreachable and not partial.length):
                raise SourceFailed(_reason(error)) from error
            patience.sleep(min(patience.pause * 2 ** (failures - 1), 20.0))
        finally:
            progress.end()


class _Cut(Exception):
    """The transfer stopped in the middle, or the server asked to come back later."""


class _Final(Exception):
    """Asking again will not help."""


def _attempt(
    opener: urllib.request.OpenerDirector,
    url: str,
    partial: Partial,
    progress: Progress,
    what: str,
    patience: Patience,
    expected: int,
) -> str:
    state = partial.state
    start = partial.length if state.etag and state.origin == url else 0
    if state.size and start >= state.size and start:
        return state.digest
    headers = {"User-Agent": "parity-agent", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": state.etag}
    request = urllib.request.Request(url, headers=headers)
    try:
        response = opener.open(request, timeout=patience.connect)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:
                partial.truncate(0)
                raise _Cut("the file there has changed") from error
            if error.code in _TEMPORARY:
                raise _Cut(f"the server answers {error.code} {error.reason}") from error
            raise _Final(f"the server answers {error.code} {error.reason}") from error
    with response:
        first, size = _extent(response.status, response.headers, start)
        if expected and size and size != expected:
            raise _Final(f"the file there has {size:,} bytes instead of {expected:,}")
        if first != start:
            start = 0
        digest = getattr(response, "linked_digest", "") or _digest(response.headers)
        etag = response.headers.get("ETag", "")
        if start == 0:
            partial.truncate(0)
        partial.save(
            replace(
                partial.state,
                origin=url,
                etag="" if etag.startswith("W/") else etag,
                size=size,
                digest=digest or (state.digest if start else ""),
            )
        )
        progress.begin(what, size, start)
        done = start
        with partial.data.open("ab") as out:
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                progress.update(done)
        if size and done < size:
            raise _Cut(f"the transfer was cut at {done:,} of {size:,} bytes")
        if size and done > size:
            partial.truncate(0)
            raise _Final(f"the server sent {done:,} bytes of {size:,}")
        return partial.state.digest


def _extent(status: int, headers: Message, start: int) -> tuple[int, int]:
    """(first byte of the body, bytes of the whole file; 0 unknown)."""
    if status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start:
            raise _Final("the server answers with another part than the one asked for")
        return start, int(match[2]) if match[2] != "*" else 0
    length = headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else 0


def _digest(headers: Message) -> str:
    """The SHA-256 that the hub gives large files as their ETag; empty where there is none."""
    for name in ("X-Linked-ETag", "ETag"):
        value = headers.get(name, "").strip('"').casefold()
        if re.fullmatch(r"[0-9a-f]{64}", value):
            return value
    return ""


def _unreachable(error: Exception) -> bool:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(reason, OSError)


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    if isinstance(reason, OSError):
        return f"it cannot be reached ({reason.strerror or reason})"
    return str(reason) or type(reason).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps the digest that only the first answer states."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            raise _Final("it redirects from https to an open connection")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            linked = _digest(headers) or getattr(req, "linked_digest", "")
            following.linked_digest = linked  # type: ignore[attr-defined]
        return following

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ANN401
        response.linked_digest = getattr(request, "linked_digest", "")
        return response

    https_response = http_response


def _opener(patience: Patience) -> urllib.request.OpenerDirector:
    """An opener with one time limit for connecting and another for reading."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read)

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    return urllib.request.build_opener(PlainHandler, SecureHandler, _Redirects)
