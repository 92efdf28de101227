"""A small server on the loopback that plays what it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    lines: Sequence[bytes] = ()
    """Sent as they are, one after the other."""
    status: int = 200
    kind: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    before: float = 0.0
    """Seconds before anything is sent."""
    pause: float = 0.0
    """Seconds between two lines."""
    hang: float = 0.0
    """Seconds after the last line, before the connection is closed."""
    drop: bool = False
    """Close the connection without a word."""


Answering = Callable[[Json], Reply]


@dataclass(slots=True)
class Server:
    """Answers by path; every request is kept."""

    routes: dict[str, Answering]
    url: str = ""
    asked: list[tuple[str, Json]] = field(default_factory=list)
    """The path and the body of each request."""
    heads: list[dict[str, str]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client went before the end of its answer."""

    def bodies(self, path: str) -> list[Json]:
        return [body for asked, body in self.asked if asked.partition("?")[0] == path]


@contextmanager
def serving(routes: dict[str, Answering]) -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server(routes)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            self._answer(json.loads(self.rfile.read(size)))

        def _answer(self, body: Json) -> None:
            server.asked.append((self.path, body))
            server.heads.append(dict(self.headers.items()))
            self.close_connection = True
            answering = server.routes.get(self.path.partition("?")[0])
            reply = answering(body) if answering else error(404, "no such path")
            time.sleep(reply.before)
            if reply.drop:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(reply.status)
            for name, value in (("Content-Type", reply.kind), *reply.headers):
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for line in reply.lines:
                    self.wfile.write(line)
                    self.wfile.flush()
                    time.sleep(reply.pause)
                until = time.monotonic() + reply.hang
                self.connection.settimeout(max(reply.hang, 0.01))
                if reply.hang and not self.connection.recv(1) and time.monotonic() < until:
                    server.left.set()
            except TimeoutError:
                pass
            except OSError:
                server.left.set()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is written."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes is no fault."""

    http = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        with suppress(OSError):
            http.server_close()
        thread.join()


def data(value: Json, kind: str = "application/json") -> Reply:
    return Reply([json.dumps(value).encode()], kind=kind)


def error(status: int, message: str, **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message}}).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply([body], status, "application/json", named)


def models(*names: str, **more: object) -> Answering:
    rows = [{"id": name, "object": "model", **more} for name in names]
    return lambda body: data({"object": "list", "data": rows})


def event(value: Json) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, **said: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": said, "finish_reason": finish}]})


def call(name: str, arguments: str, id: str = "", index: int = 0) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": id, "type": "function", "function": function}


def usage(prompt: int, output: int = 5, cached: int = 0) -> bytes:
    counted = {"prompt_tokens": prompt, "completion_tokens": output}
    return event(
        {"choices": [], "usage": {**counted, "prompt_tokens_details": {"cached_tokens": cached}}}
    )


DONE = b"data: [DONE]\n\n"


def said(text: str, prompt: int = 0, cached: int = 0) -> Reply:
    """An answer in words."""
    pieces = [delta(content=text[at : at + 8]) for at in range(0, len(text), 8)]
    counted = [usage(prompt, cached=cached)] if prompt else []
    return Reply([*pieces, delta("stop"), *counted, DONE])


def called(*calls: Json, prompt: int = 0, finish: str = "tool_calls") -> Reply:
    """An answer of tool calls, their arguments in pieces."""
    lines = []
    for number, one in enumerate(calls):
        function = one["function"]
        text = function["arguments"]
        lines.append(
            delta(tool_calls=[{**one, "index": number, "function": {**function, "arguments": ""}}])
        )
        lines += [
            delta(tool_calls=[{"index": number, "function": {"arguments": text[at : at + 7]}}])
            for at in range(0, len(text), 7)
        ]
    counted = [usage(prompt)] if prompt else []
    return Reply([*lines, delta(finish), *counted, DONE])


def in_turn(*replies: Reply) -> Answering:
    """One after the other, then the last again and again."""
    left = list(replies)
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


def ollama_line(done: bool = True, **said: object) -> bytes:
    """A line of Ollama's own answer; the last one is done."""
    row = {"message": {"role": "assistant", **said}, "done": done}
    return json.dumps(row | ({"done_reason": "stop"} if done else {})).encode() + b"\n"


def ollama(*replies: Reply) -> dict[str, Answering]:
    """What an Ollama serves whose model has tools, a window of 8,192 tokens, and these answers."""
    shown = {"model_info": {"x.context_length": 8192}, "capabilities": ["tools"]}
    return {
        "/api/show": lambda body: data(shown),
        "/api/ps": lambda body: data({"models": []}),
        "/api/chat": in_turn(*replies),
    }
