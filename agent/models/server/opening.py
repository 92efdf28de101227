"""From the address of a server to a model that answers.

Owns what is asked beforehand and what is chosen from it. Must not know what it will be asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.errors import InputError
from agent.models.server.address import Address, parse_address
from agent.models.server.dialects import Dialect, Ollama, OpenAi
from agent.models.server.discovery import Found, Kind, discover
from agent.models.server.model import ServerModel
from agent.models.server.properties import WINDOW, properties
from agent.models.server.wire import USUAL, Timeouts
from agent.secrets import Keys


def open_server(
    address: Address, *, context: int | None = None, key: str = "", timeouts: Timeouts = USUAL
) -> ServerModel:
    """Open the model that a server answers for.

    Args:
        address: The server and the model.
        context: Tokens of the window; None for what the server has or affords.
        key: Sent to this server alone; empty for none.
        timeouts: How long it may be silent.

    Raises:
        ModelMissing: The server has no such model, or several and none was named.
        ModelError: It cannot be asked.
    """
    found = discover(address, key)
    window = _window(found, context)
    spec, advised = properties(found, window)
    dialect: Dialect
    if found.kind is Kind.OLLAMA:
        dialect = Ollama(found.model, window)
    else:
        dialect = OpenAi(found.model, found.kind)
    return ServerModel(found, dialect, spec, key=key, advised=advised, timeouts=timeouts)


def _window(found: Found, wanted: int | None) -> int:
    """Tokens of the window.

    Ollama makes it as long as each request asks, and loads the model anew when that changes: what
    is loaded is kept where it is long enough. Of others the window is what they say it is, and a
    setting can only make less use of it.
    """
    if found.kind is Kind.OLLAMA:
        most = min(wanted or WINDOW, found.trained or WINDOW)
        return max(found.context, most) if wanted is None else most
    return min(wanted or found.context or WINDOW, found.context or wanted or WINDOW)


def key_for(address: Address, environ: Mapping[str, str], keys: Keys) -> str:
    """The key that a server is to get: never one that was meant for another.

    PARITY_SERVER_KEY is for the server that was named. OPENAI_API_KEY goes to OpenAI, or to where
    OPENAI_BASE_URL says that OpenAI is.

    Args:
        environ: As `os.environ`.
        keys: The user's.

    Returns:
        Empty for none.
    """
    # A server on this machine hardly wants a key, and the keyring may have to be unlocked.
    keyring = not address.local
    if key := keys.value("PARITY_SERVER_KEY", keyring):
        return key
    base = environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    try:
        home = parse_address(base, environ)
    except InputError:
        return ""
    same = (home.secure, home.host, home.port) == (address.secure, address.host, address.port)
    return (keys.value("OPENAI_API_KEY", keyring) or "") if same else ""
