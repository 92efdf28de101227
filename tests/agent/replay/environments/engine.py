"""A container engine on the loopback: its images are folders, its containers copies of them.

It speaks as much of the engine's HTTP interface as a replay uses, and runs commands for real.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PLACES = ("/testbed", "/tmp/patch.diff", "/eval.sh")


@dataclass
class Engine:
    """What it holds; addressed as `tcp://…`."""

    folder: Path
    address: str = ""
    images: dict[str, Path] = field(default_factory=dict)
    offered: dict[str, Path] = field(default_factory=dict)
    """Those that can be pulled."""
    full: bool = False
    """Whether it makes no more containers."""
    containers: dict[str, Path] = field(default_factory=dict)
    commands: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    made: int = 0


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    state = Engine(folder)

    class Handler(_Handler):
        engine = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.address = f"tcp://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Engine

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(
        self, code: int, body: object = None, headers: dict[str, str] | None = None
    ) -> None:
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        self.send_response(code)
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        for name, value in (
            {"Content-Type": kind, "Content-Length": str(len(data))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _asked(self) -> tuple[list[str], dict[str, str], bytes]:
        url = urlsplit(self.path)
        words = [word for word in url.path.split("/") if word]
        words = words[1:] if words[0].startswith("v1") else words
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return words, query, body

    def do_GET(self) -> None:
        words, query, _ = self._asked()
        match words:
            case ["version"]:
                self._answer(200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24"})
            case ["_ping"]:
                self._answer(200, {})
            case ["images", *name, "json"] if "/".join(name) in self.engine.images:
                self._answer(200, {"Id": "sha256:1", "RepoTags": ["/".join(name)]})
            case ["images", *name, "json"]:
                self._answer(404, {"message": f"No such image: {'/'.join(name)}"})
            case ["containers", name, "json"]:
                self._answer(200, {"Id": name, "Name": f"/{name}", "State": {"Status": "running"}})
            case ["containers", name, "archive"]:
                packed = io.BytesIO()
                place = self.engine.containers[name] / query["path"].strip("/")
                with tarfile.open(fileobj=packed, mode="w") as tar:
                    tar.add(place, place.name)
                told = base64.b64encode(json.dumps({"name": place.name}).encode()).decode()
                self._answer(200, packed.getvalue(), {"X-Docker-Container-Path-Stat": told})
            case ["exec", name, "json"]:
                self._answer(200, {"ExitCode": self.engine.codes[name], "Pid": 1})
            case _:
                self._answer(404, {"message": f"no {self.path}"})

    def do_PUT(self) -> None:
        words, query, body = self._asked()
        place = self.engine.containers[words[1]] / query["path"].strip("/")
        place.mkdir(exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            tar.extractall(place, filter="data")
        self._answer(200)

    def do_POST(self) -> None:
        words, query, body = self._asked()
        it = self.engine
        asked: dict[str, Any] = json.loads(body) if body else {}
        match words:
            case ["images", "create"]:
                name = f"{query['fromImage']}:{query.get('tag', 'latest')}"
                if name in it.offered:
                    it.images[name] = it.offered[name]
                    self._answer(200, {"status": "Pulled"})
                else:
                    self._answer(404, {"message": f"manifest for {name} not found: does not exist "
                                       "or no pull access"})  # fmt: skip
            case ["containers", "create"] if it.full:
                self._answer(500, {"message": "mkdir /var/lib/x: no space left on device"})
            case ["containers", "create"]:
                it.made += 1
                name = f"c{it.made}"
                it.containers[name] = it.folder / name
                shutil.copytree(it.images[asked["Image"]], it.containers[name], symlinks=True)
                self._answer(201, {"Id": name})
            case ["containers", name, "exec"]:
                number = f"e{len(it.commands)}"
                it.commands[number] = (name, asked["Cmd"])
                self._answer(201, {"Id": number})
            case ["exec", number, "start"]:
                self._run(number)
            case ["containers", name, "kill"]:
                for process in list(it.running.values()):
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                self._answer(204)
            case _:
                self._answer(204)

    def do_DELETE(self) -> None:
        words, _, _ = self._asked()
        shutil.rmtree(self.engine.containers.pop(words[1]))
        self._answer(204)

    def _run(self, number: str) -> None:
        name, argv = self.engine.commands[number]
        root = self.engine.containers[name]
        here = [f"{root}{word}" if word in _PLACES else word for word in argv]
        self.wfile.write(
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        self.wfile.flush()
        time.sleep(0.05)  # what comes with the header is lost to the SDK
        with subprocess.Popen(
            here, cwd=root / "testbed", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:  # fmt: skip
            self.engine.running[number] = process
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                while data := os.read(process.stdout.fileno(), 4096):
                    self.wfile.write(struct.pack(">BxxxL", 1, len(data)) + data)
                    self.wfile.flush()
        self.engine.codes[number] = process.returncode
        self.close_connection = True
