"""What a server is told before it starts."""

from dataclasses import dataclass

from relay.settings import Settings


@dataclass(frozen=True)
class Server:
    host: str
    port: int
    retries: int
    timeout: int
    """Seconds."""
    quiet: bool


def configure(text: str) -> Server:
    """The server that a configuration file describes."""
    settings = Settings.parse(text)
    return Server(
        host=settings.text("host", "localhost"),
        port=settings.number("port", 7400),
        retries=settings.number("retries", 3),
        timeout=settings.number("timeout", 30),
        quiet=settings.flag("quiet", False),
    )
