"""A small file server on the loopback that can be told to misbehave."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What the server has and how it serves it; tests change it between requests."""

    body: bytes
    etag: str = '"v1"'
    linked: str = ""
    """The digest stated on the redirect, as the hub does; empty to state none."""
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answers to give first, one a request."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the connection is closed, one a request."""
    stall: float = 0.0
    """Seconds to stay silent instead of cutting."""
    gate: threading.Event | None = None
    """Waited for in the middle of the body."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range header) of each request."""


@contextmanager
def serve(behaviour: Behaviour) -> Iterator[str]:
    """Serve until the block ends; the value is the base address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            behaviour.asked.append((self.path, self.headers.get("Range", "")))
            self.close_connection = True
            if not self.path.startswith("/store/"):
                self.redirect()
            elif behaviour.statuses:
                self.send_error(behaviour.statuses.pop(0))
            else:
                self.send_body()

        def redirect(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"/store{self.path}")
            if behaviour.linked:
                self.send_header("X-Linked-ETag", f'"{behaviour.linked}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_body(self) -> None:
            body, start = behaviour.body, 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range", behaviour.etag) == behaviour.etag
            if asked and behaviour.ranges and same:
                start = int(asked[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("ETag", behaviour.etag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            rest = body[start:]
            if behaviour.cuts:
                rest = rest[: behaviour.cuts.pop(0)]
                self.wfile.write(rest)
                self.wfile.flush()
                time.sleep(behaviour.stall)
                return
            half = len(rest) // 2
            self.wfile.write(rest[:half])
            self.wfile.flush()
            if behaviour.gate is not None:
                behaviour.gate.wait(20)
            self.wfile.write(rest[half:])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
