"""What a server's refusal means: which error it is, and what of the request it objects to.

Owns the reading of statuses and messages, each in one place. Must not know connections.
"""

from __future__ import annotations

import re

from agent.errors import (
    AccessRefused,
    ContextOverflow,
    CreditSpent,
    ModelError,
    NoSuchModel,
    RateLimited,
    RequestRefused,
    ServerFailed,
)
from agent.models.server.address import Address
from agent.models.server.wire import Refused

_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|context (?:size|length|window)"
    r"|(?:prompt|input) (?:is )?too long|too many tokens|exceeds? (?:the )?max.{0,20}context",
    re.IGNORECASE,
)
_FAILED_CALL = re.compile(
    r"tool_use_failed|pars(?:e|ing) (?:the )?(?:tool call|input)|invalid tool call"
    r"|does not match the expected",
    re.IGNORECASE,
)
_TOOLS = re.compile(r"\btools?\b|tool[_-]|function call", re.IGNORECASE)


def overflows(refused: Refused) -> bool:
    """Whether the request is longer than the window."""
    return refused.status == 413 or (
        refused.status in (400, 422, 500) and bool(_OVERFLOW.search(refused.message))
    )


def is_failed_call(refused: Refused) -> bool:
    """Whether the model wrote a call that the server itself could not read."""
    return refused.status in (400, 422, 500) and bool(_FAILED_CALL.search(refused.message))


def lacks_tools(refused: Refused) -> bool:
    """Whether the server or its model takes no tools."""
    client = refused.status in (400, 404, 405, 422, 500, 501)
    return client and not overflows(refused) and bool(_TOOLS.search(refused.message))


def objects_to(refused: Refused, field: str) -> bool:
    """Whether the server does not know or allow a field of the request."""
    named = re.search(rf"(?<!\w){re.escape(field)}(?!\w)", refused.message)
    return refused.status in (400, 422, 501) and named is not None


def error_of(refused: Refused, address: Address, model: str = "") -> ModelError:
    """The error that a refusal is, in one line that says what to do."""
    status, said, wait = refused.status, refused.message, refused.retry_after
    because = f": {said}" if said else ""
    if overflows(refused):
        return ContextOverflow(
            f"The conversation is longer than the window of the server at {address}{because}"
        )
    if status in (401, 403):
        return AccessRefused(
            f"The server at {address} does not accept the key, or wants one ({status}){because}"
        )
    if status == 402:
        return CreditSpent(f"The account at {address} has no credit left{because}")
    if status == 404:
        return NoSuchModel(
            f"The server at {address} does not know {model or 'that'}{because} "
            "(check the address and the model's name)"
        )
    if status == 429:
        return RateLimited(f"{address} counts too many requests{because}", retry_after=wait)
    if status in (503, 529) and re.search(r"loading", said, re.IGNORECASE):
        return ServerFailed(f"{address} is still loading its model.", retry_after=wait)
    if status in (503, 529):
        return ServerFailed(f"{address} is overloaded ({status}){because}", retry_after=wait)
    if status in (408, 409, 425) or status >= 500:
        return ServerFailed(f"{address} failed with status {status}{because}", retry_after=wait)
    if 300 <= status < 400:
        return RequestRefused(f"{address} answers with status {status}: {said}; give that address")
    return RequestRefused(f"{address} refuses the request ({status}){because}")
