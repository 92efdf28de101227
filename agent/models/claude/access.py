"""Where the credentials for Claude are.

Owns the search, in the SDK's order, without importing it. Must not know what they are used for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ModelMissing

KEY = "ANTHROPIC_API_KEY"
TOKEN = "ANTHROPIC_AUTH_TOKEN"
_PROFILES = ("ANTHROPIC_PROFILE", "ANTHROPIC_CONFIG_DIR", "ANTHROPIC_FEDERATION_RULE_ID")
"""Variables that say that the SDK finds credentials of its own."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a request identifies itself with; without a bearer the SDK reads its profile files."""

    bearer: str | None = None
    is_token: bool = False
    """Whether it is a token of a session rather than an API key."""


def find_access(environ: Mapping[str, str], key: Callable[[str], str | None]) -> Access:
    """The credentials in force.

    Args:
        environ: As `os.environ`.
        key: Finds a stored key by its name, wherever the user keeps it.

    Raises:
        ModelMissing: There are none.
    """
    if bearer := key(KEY):
        return Access(bearer)
    if bearer := environ.get(TOKEN):
        return Access(bearer, is_token=True)
    home = Path(environ.get("HOME", "~")).expanduser()
    if any(map(environ.get, _PROFILES)) or (home / ".config/anthropic/configs").is_dir():
        return Access()
    raise ModelMissing(f"Claude needs a key: `export {KEY}=…` or `agent keys set {KEY}`.")
