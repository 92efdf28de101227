"""The Messages API on the loopback, as strict as the real one, and able to misbehave.

It refuses what version 2026-10-21 refuses: sampling parameters, forced tools, prefilled answers,
empty text, schemas that strict tools do not take, calls without results, thinking that was changed
or stands behind something that was. It counts a token for four letters and keeps a cache with four
breakpoints and twenty blocks of look-back.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "2026-10-21"
KEY = "sk-test-0123456789"
UNSUPPORTED = {"default", "title", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
               "minLength", "maxLength", "pattern", "maxItems"}  # fmt: skip

Block = dict[str, Any]


def thinking(text: str) -> Block:
    return {"type": "thinking", "thinking": text, "signature": ""}


def text(said: str) -> Block:
    return {"type": "text", "text": said}


def call(name: str, /, **arguments: object) -> Block:
    return {"type": "tool_use", "name": name, "input": arguments}


@dataclass
class Reply:
    """What one request is answered with."""

    blocks: Sequence[Block] = ()
    stop: str = "end_turn"
    details: dict[str, Any] | None = None
    """`stop_details`."""
    status: int = 200
    error: tuple[str, str, str | None] = ("api_error", "Internal server error", None)
    """Type, message and code, if the status is an error's or in the middle of a stream."""
    headers: dict[str, str] = field(default_factory=dict)
    events: int | None = None
    """After how many events of the stream the connection is closed."""
    fail_after: int | None = None
    """After how many events an error comes in the stream."""
    stall: threading.Event | None = None
    """Waited for in the middle of the stream."""
    cut_input: int | None = None
    """How many letters of the last call's arguments are written."""
    unsigned: bool = False
    """Whether its thinking was cut before it was signed."""
    half_event: bool = False
    """Whether the connection closes in the middle of an event."""


@dataclass
class MessagesServer:
    """What it answers, what it was asked, and what it remembers."""

    replies: list[Reply] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    counts: bool = True
    """Whether it counts requests without answering them."""
    crowded: bool = False
    """Whether it wants rest before it counts another."""
    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Of each request for a message."""
    raw: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    """The `User-Agent` of each request for a message."""
    refused: list[str] = field(default_factory=list)
    """Why requests were answered with 400."""
    left: list[bool] = field(default_factory=list)
    """For each stalled stream, whether the other side had gone when it went on."""
    _signed: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Signature: model, thinking, digest of all before."""
    _cache: set[str] = field(default_factory=set)
    _ids: int = 0

    def answer(self, body: dict[str, Any]) -> tuple[Reply, list[dict[str, Any]]]:
        """The reply to a request and its events."""
        self.bodies.append(body)
        if problem := self._problem(body):
            self.refused.append(problem)
            return Reply(status=400, error=("invalid_request_error", problem, None)), []
        reply = self.replies.pop(0) if self.replies else Reply([text("Done.")])
        return reply, self._events(body, reply)

    def _problem(self, body: dict[str, Any]) -> str:
        if sampling := {"temperature", "top_p", "top_k"} & set(body):
            return f"{sampling} may not be set"
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            return "forced tool use is not supported"
        if body.get("thinking", {}).get("type") not in (None, "adaptive", "between_tools"):
            return "thinking.type is not supported for this model"
        messages = body["messages"]
        if messages[0]["role"] != "user":
            return "the first message must be the user's"
        blocks = [block for message in messages for block in message["content"]]
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return "text content blocks must be non-empty"
        for tool in body.get("tools", ()):
            if tool.get("strict") is not True or (bad := _unsupported(tool["input_schema"])):
                return f"{tool['name']}: {bad} is not supported in a strict tool"
        if len(_marks(body)) > 4:
            return "a maximum of 4 blocks with cache_control may be provided"
        return _pairing(messages) or self._tampering(body)

    def _tampering(self, body: dict[str, Any]) -> str:
        chain = _chain(body)
        parts = _parts(body)
        for index, part in enumerate(parts):
            if part.get("type") == "thinking":
                model, said, before = self._signed.get(part["signature"], ("", "", ""))
                if (model, said) != (body["model"], part["thinking"]):
                    return "thinking blocks cannot be modified"
                if before != chain[index]:
                    return "a thinking block stands behind something that was changed"
        return ""

    def _events(self, body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
        usage = self._usage(body)
        so_far = _chain(body)[-1]
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {
                "id": f"msg_{len(self.bodies)}", "type": "message", "role": "assistant",
                "model": body["model"], "content": [], "stop_reason": None,
                "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}},
            {"type": "ping"},
        ]  # fmt: skip
        output = 0
        for index, given in enumerate(reply.blocks):
            block = dict(given)
            if block["type"] == "tool_use":
                self._ids += 1
                block["id"] = f"toolu_{self._ids:04}"
            if block["type"] == "thinking":
                block["signature"] = (
                    ""
                    if reply.unsigned
                    else hashlib.sha256(f"{so_far}{block}".encode()).hexdigest()
                )
                self._signed[block["signature"]] = (body["model"], block["thinking"], so_far)
            last = index == len(reply.blocks) - 1
            events += _block_events(index, block, reply.cut_input if last else None)
            so_far = _link(so_far, {"role": "assistant", **block})
            output += -(-len(json.dumps(block)) // 4)
        events += [
            {"type": "message_delta", "delta": {"stop_reason": reply.stop, "stop_sequence": None,
             "stop_details": reply.details}, "usage": {"output_tokens": output}},
            {"type": "message_stop"},
        ]  # fmt: skip
        return events

    def _usage(self, body: dict[str, Any]) -> dict[str, int]:
        chain, sizes, marks = _chain(body), _sizes(body), _marks(body)
        read = 0
        for mark in marks:
            for end in range(mark, max(0, mark - 20), -1):
                if chain[end] in self._cache:
                    read = max(read, end)
                    break
        self._cache.update(chain[mark] for mark in marks)
        last = max(marks, default=0)
        return {
            "cache_read_input_tokens": sum(sizes[:read]),
            "cache_creation_input_tokens": sum(sizes[read:last]),
            "input_tokens": sum(sizes[max(read, last) :]),
        }


def _parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """All that is read, in its order, without the breakpoints."""
    parts = [{"tools": body.get("tools", [])}, *body.get("system", [])]
    for message in body["messages"]:
        parts += [{"role": message["role"], **block} for block in message["content"]]
    return [{k: v for k, v in part.items() if k != "cache_control"} for part in parts]


def _sizes(body: dict[str, Any]) -> list[int]:
    """The tokens of each part."""
    return [-(-len(json.dumps(part)) // 4) for part in _parts(body)]


def _marks(body: dict[str, Any]) -> list[int]:
    """How many parts each breakpoint covers."""
    parts = [{}, *body.get("system", [])]
    for message in body["messages"]:
        parts += message["content"]
    marks = {number for number, part in enumerate(parts, start=1) if "cache_control" in part}
    return sorted(marks | ({len(parts)} if "cache_control" in body else set()))


def _chain(body: dict[str, Any]) -> list[str]:
    """The digest of each prefix, the empty one first."""
    chain = [""]
    for part in _parts(body):
        chain.append(_link(chain[-1], part))
    return chain


def _link(before: str, part: dict[str, Any]) -> str:
    return hashlib.sha256(f"{before}{json.dumps(part, sort_keys=True)}".encode()).hexdigest()


def _unsupported(schema: object) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_unsupported, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    bad = set(UNSUPPORTED & set(schema))
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        bad.add("additionalProperties")
    inner = [value for key, value in schema.items() if key not in ("properties", "$defs")]
    for group in ("properties", "$defs"):
        inner += schema.get(group, {}).values()
    return bad.union(*map(_unsupported, inner)) if inner else bad


def _pairing(messages: list[dict[str, Any]]) -> str:
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        for block in message["content"]:
            if block["type"] == "tool_use":
                if not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]) or block["id"] in seen:
                    return f"the id {block['id']!r} is malformed or comes again"
                seen.add(block["id"])
                waiting.append(block["id"])
            elif block["type"] == "tool_result":
                if block["tool_use_id"] not in waiting:
                    return f"a result for {block['tool_use_id']}, which was not called"
                waiting.remove(block["tool_use_id"])
            elif message["role"] == "user" and waiting:
                return "tool results must come before anything else"
        if message["role"] == "user" and waiting:
            return f"calls without results: {waiting}"
    return ""


def _block_events(index: int, block: Block, cut: int | None) -> list[dict[str, Any]]:
    kind = block["type"]
    if kind == "tool_use":
        written = json.dumps(block["input"])[:cut]
        start = {**block, "input": {}}
        pieces = [written[at : at + 20] for at in range(0, len(written), 20)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    elif kind == "thinking":
        start = {**block, "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    else:
        start = {**block, "text": ""}
        half = len(block["text"]) // 2
        deltas = [
            {"type": "text_delta", "text": piece}
            for piece in (block["text"][:half], block["text"][half:])
        ]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


@contextmanager
def serve(server: MessagesServer) -> Iterator[MessagesServer]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.paths.append(self.path)
            path, _, _ = self.path.partition("?")
            name = path.removeprefix("/v1/models").strip("/")
            found = [model for model in server.models if not name or model["id"] == name]
            if name and not found:
                self.fail(404, ("not_found_error", f"model: {name}", None))
            else:
                listed = {"data": found, "has_more": False, "first_id": None, "last_id": None}
                self.give(found[0] if name else listed)

        def do_POST(self) -> None:
            server.paths.append(self.path)
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.loads(raw)
            if self.headers["Authorization"] != f"Bearer {KEY}":
                self.fail(401, ("authentication_error", "invalid bearer token", None))
            elif self.headers["anthropic-version"] != VERSION:
                self.fail(400, ("invalid_request_error", "anthropic-version", None))
            elif self.path.endswith("count_tokens"):
                if server.crowded:
                    self.fail(429, ("rate_limit_error", "Too many", None))
                elif server.counts:
                    self.give({"input_tokens": sum(_sizes(body))})
                else:
                    self.fail(404, ("not_found_error", "Not found", None))
            else:
                server.raw.append(raw)
                server.agents.append(self.headers["User-Agent"])
                self.stream(*server.answer(body))

        def stream(self, reply: Reply, events: list[dict[str, Any]]) -> None:
            if reply.status != 200:
                self.fail(reply.status, reply.error, reply.headers)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for number, event in enumerate(events):
                if reply.fail_after == number:
                    kind, message, code = reply.error
                    details = {"error_code": code} if code else None
                    body = {"type": kind, "message": message, "details": details}
                    self.event({"type": "error", "error": body})
                    return
                if reply.events == number:
                    if reply.half_event:
                        self.wfile.write(b'event: content_block_delta\ndata: {"type": "cont')
                    return
                if reply.stall is not None and number == len(events) // 2:
                    reply.stall.wait(20)
                    self.connection.settimeout(0.2)
                    try:
                        server.left.append(self.connection.recv(1) == b"")
                    except TimeoutError:
                        server.left.append(False)
                self.event(event)

        def event(self, event: dict[str, Any]) -> None:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

        def fail(
            self,
            status: int,
            error: tuple[str, str, str | None],
            headers: dict[str, str] | None = None,
        ) -> None:
            kind, message, code = error
            body: dict[str, Any] = {"type": kind, "message": message}
            if code:
                body["details"] = {"error_code": code}
            self.give({"type": "error", "error": body}, status, headers)

        def give(
            self, value: object, status: int = 200, headers: dict[str, str] | None = None
        ) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, content in (headers or {}).items():
                self.send_header(name, content)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the other side has gone, as some tests have it

    httpd = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    server.address = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
