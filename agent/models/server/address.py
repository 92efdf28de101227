"""Where a server is and which of its models is meant.

Owns the forms in which a user names them. Must not know what is said there, nor connect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from agent.errors import InputError

OLLAMA_PORT = 11434
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """One server. A key is only ever sent to the address it was given with."""

    secure: bool
    """Whether TLS is spoken."""
    host: str
    port: int
    path: str
    """Where the chat API begins, as `/v1`; without a slash at its end."""
    model: str = ""
    """The model that was named; empty for the only one there is."""
    ollama: bool = False
    """Whether it is known to be Ollama."""

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.place}"

    @property
    def place(self) -> str:
        """Host and port, the port left out where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def api(self) -> str:
        """The URL at which the chat API begins."""
        return f"{self}{self.path}"

    @property
    def root(self) -> str:
        """Where a server's other interfaces begin: the path without its `/v1`."""
        return self.path.removesuffix("/v1")

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        return self.host in _LOOPBACK or self.host.startswith("127.")


def is_url(text: str) -> bool:
    """Whether the name of a model is the address of a server."""
    return text.casefold().startswith(("http://", "https://", "server:"))


def parse_address(text: str, environ: Mapping[str, str]) -> Address:
    """Read `http://host:port[/v1][#model]`, `server:URL` or `ollama:NAME`.

    Raises:
        InputError: It is none of these.
    """
    kind, _, rest = text.partition(":")
    match kind.casefold():
        case "ollama":
            return _ollama(rest, environ)
        case "server":
            return _url(rest if "://" in rest else f"http://{rest}", text)
        case _:
            return _url(text, text)


def _ollama(name: str, environ: Mapping[str, str]) -> Address:
    """Ollama's server is where OLLAMA_HOST says; an address to listen at means this machine."""
    host = environ.get("OLLAMA_HOST", "").strip() or f"127.0.0.1:{OLLAMA_PORT}"
    secure = host.startswith("https://")
    found = _url(host if "://" in host else f"http://{host}", f"OLLAMA_HOST={host}")
    named = urlsplit(host if "://" in host else f"http://{host}").port
    reached = "127.0.0.1" if found.host in ("0.0.0.0", "::") else found.host
    port = named or (443 if secure else 80 if "://" in host else OLLAMA_PORT)
    return Address(secure, reached, port, "/v1", name, ollama=True)


def _url(text: str, given: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{given} is no address of a server: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{given} is no address of a server: write it as http://127.0.0.1:8080.")
    if parts.username is not None or parts.query:
        raise InputError(f"The address of {parts.hostname} holds a user or a query: leave it out.")
    secure = parts.scheme == "https"
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return Address(
        secure,
        parts.hostname,
        port or (443 if secure else 80),
        path or "/v1",
        unquote(parts.fragment),
    )
