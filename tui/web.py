"""`agent serve`: the same application in a browser of this machine.

Owns who may connect: this machine alone, with the token of this run. Must not know what the
application does; each page that is opened is a process of its own.

textual-serve asks nobody who they are, so every request passes a gate. Its sender must be this
machine; its `Host` too, for a foreign page may reach us by a name of its own that points here; the
`Origin`, where there is one, must be this server, and a websocket must have one. The token is the
first part of every path: a cookie would be sent to the other servers of this machine as well.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import shlex
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from string import Template

from aiohttp import web
from textual_serve.server import Server

from agent.errors import InputError

_ADDRESS = "127.0.0.1"
_NAMES = ("localhost", _ADDRESS)
_PATIENCE = 2.0
"""Seconds that pages have to end in."""
_STATIC = {
    "js/textual.js": "text/javascript",
    "css/xterm.css": "text/css",
    "fonts/RobotoMono-VariableFont_wght.ttf": "font/ttf",
}
"""What of textual-serve's files the page needs."""
_FOCUS = """\
new MutationObserver((_, watch) => {
  const field = document.querySelector(".xterm-helper-textarea");
  if (field) { field.focus(); watch.disconnect(); }
}).observe(document, { childList: true, subtree: true });
"""
"""So that the keys go to the application without a click."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The page runs no script of another's, and no other page may show it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """Serves one command on the loopback to whoever has the token."""

    def __init__(self, argv: Sequence[str], port: int, token: str) -> None:
        # No shell stays between us and the application, which leaves when its parent is gone.
        command = f"exec {shlex.join(argv)}"
        super().__init__(command, host=_ADDRESS, port=port, title="Parity")
        self._token = token
        self._page = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        """With the token: for the user alone."""
        return f"http://{_ADDRESS}:{self.port}/{self._token}/"

    def application(self) -> web.Application:
        """What answers, behind the gate."""
        app = web.Application(middlewares=[self._gate])
        app.add_routes(
            [
                web.get("/{token}/", self._index),
                web.get("/{token}/focus.js", self._focus),
                web.get("/{token}/ws", self.handle_websocket),
                web.get("/{token}/static/{name:.+}", self._static),
            ]
        )
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        problem = self._problem(request)
        if problem:
            return web.Response(status=403, text=f"{problem}\n", headers=_HEADERS)
        return await handler(request)

    def _problem(self, request: web.Request) -> str:
        """Why a request is not answered; empty where it is."""
        if not _is_loopback(request.remote):
            return "Only this machine may connect."
        known = {f"{name}:{self.port}" for name in _NAMES}
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in known:
            return "This server has no such name."
        origins = request.headers.getall("Origin", [])
        wanted = 1 if request.path.endswith("/ws") else len(origins)
        if len(origins) != wanted or {*origins} - {f"http://{host}" for host in known}:
            return "Another page may not connect."
        given = request.path.split("/")[1]
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            return "The token is missing or wrong: use the address that was printed."
        return ""

    async def _index(self, request: web.Request) -> web.Response:
        path = f"ws://{request.host}/{self._token}/ws"
        text = self._page.substitute(socket=path)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    async def _focus(self, request: web.Request) -> web.Response:
        return web.Response(text=_FOCUS, content_type="text/javascript", headers=_HEADERS)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        headers = {**_HEADERS, "Content-Type": _STATIC[name]}
        return web.FileResponse(Path(self.statics_path) / name, headers=headers)


def serve(argv: Sequence[str], port: int, tell: Callable[[str], object]) -> None:
    """Serve until Ctrl+C, SIGTERM or SIGHUP.

    Args:
        argv: The command of the application.
        port: 0 for any that is free.
        tell: Takes the address, once it answers there.

    Raises:
        InputError: The port cannot be had.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_ADDRESS, port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be had: {error.strerror}.") from error
        token = secrets.token_urlsafe(32)
        server = GuardedServer(argv, listening.getsockname()[1], token)
        asyncio.run(_serve(server, listening, tell))


async def _serve(
    server: GuardedServer, listening: socket.socket, tell: Callable[[str], object]
) -> None:
    # No log of requests: their paths hold the token.
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=_PATIENCE)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    tell(server.url)
    try:
        await ended.wait()
    finally:
        await runner.cleanup()


def _is_loopback(remote: str | None) -> bool:
    try:
        return ip_address(remote or "").is_loopback
    except ValueError:
        return False
