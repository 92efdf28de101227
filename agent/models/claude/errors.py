"""From what the SDK raises to errors of ours, each one line that says what to do.

Owns the mapping. Must not know how a request is made or when it is made again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx2

from agent.errors import (
    AccessRefused,
    AnswerRefused,
    ConnectionLost,
    ContextOverflow,
    CreditSpent,
    ModelError,
    NoSuchModel,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServerSilent,
    Unreachable,
)

if TYPE_CHECKING:
    from anthropic import APIStatusError
    from anthropic.types import RefusalStopDetails

_SPENT = ("spend_limit_reached", "billing")
"""Parts of error codes that say that money, not time, is missing."""
_TOO_LONG = re.compile(r"prompt is too long|exceeds? .*context|context_size", re.IGNORECASE)
_SAID = 300
"""Characters that are told of what a server said."""
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status of an error by its type."""


def explain(error: Exception, model: str, host: str) -> ModelError | None:
    """The error of ours that says the same; None for what is no fault of the server's."""
    import anthropic  # 1 s; whoever made the request has it already

    match error:
        case anthropic.APIStatusError():
            return _status(error, model)
        case anthropic.APITimeoutError():
            # The SDK tells one timeout from another only by its cause.
            if isinstance(error.__cause__, httpx2.ConnectTimeout):
                return _unreachable(host)
            return _silent(host)
        case httpx2.TimeoutException():
            return _silent(host)
        case anthropic.APIConnectionError():
            if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ProxyError):
                return _unreachable(host)
            return cut(host)
        case httpx2.HTTPError() | json.JSONDecodeError() | UnicodeDecodeError():  # half an event
            return cut(host)
        case anthropic.AnthropicError():
            line = " ".join(str(error).split())
            return AccessRefused(f"The credentials for Claude cannot be used: {line}")
        case _:
            return None


def cut(host: str) -> ConnectionLost:
    """The answer ended without its end."""
    return ConnectionLost(f"The answer of {host} broke off.")


def refused(model: str, details: RefusalStopDetails | None) -> AnswerRefused:
    """The model stopped with a refusal."""
    category = f" ({details.category})" if details and details.category else ""
    why = f": {details.explanation.rstrip('.')}" if details and details.explanation else ""
    return AnswerRefused(
        f"{model} refused to go on{category}{why}. Say the task differently, or take another model."
    )


def overflow(model: str) -> ContextOverflow:
    return ContextOverflow(
        f"The conversation is longer than the window of {model}: begin a new one."
    )


def _unreachable(host: str) -> Unreachable:
    return Unreachable(
        f"{host} cannot be reached: check the network, the proxy and ANTHROPIC_BASE_URL."
    )


def _silent(host: str) -> ServerSilent:
    return ServerSilent(f"{host} has not answered for too long.")


def _status(error: APIStatusError, model: str) -> ModelError:
    # In the middle of a stream the status is 200, and only the type tells.
    status = _STATUS.get(f"{error.type}", error.status_code)
    said = " ".join((error.api_message or f"status {status}").split())[:_SAID].rstrip(".")
    wait = _retry_after(error)
    if any(part in (error.error_code or "") for part in _SPENT):
        status = 402
    match status:
        case 401:
            return AccessRefused(
                f"The key for Claude is not accepted: {said}. Check ANTHROPIC_API_KEY, or store "
                "another with `agent keys set ANTHROPIC_API_KEY`."
            )
        case 402:
            return CreditSpent(
                f"Claude cannot be paid: {said}. Add credit or raise the limit in the Claude "
                "Console, or go on with a local model."
            )
        case 403:
            return AccessRefused(
                f"The key may not use {model}: {said}. Take another model, or a key that may."
            )
        case 404:
            return NoSuchModel(f"There is no model {model}.")
        case 413:
            return RequestRefused(
                "The request is larger than Claude takes (32 MB): begin a new conversation."
            )
        case 429:
            rest = f": it wants {wait:.0f} s of rest" if wait else ""
            return RateLimited(f"Claude's rate limit is reached{rest}.", retry_after=wait)
        case 529:
            return ServerFailed("Claude is overloaded.", retry_after=wait)
        case 408 | 409 | 504:
            return ServerFailed(f"Claude did not manage in time: {said}.", retry_after=wait)
        case _ if status >= 500:
            return ServerFailed(f"Claude is out of order: {said}.", retry_after=wait)
        case _ if _TOO_LONG.search(f"{said} {error.type}"):
            return overflow(model)
        case _:
            return RequestRefused(f"Claude does not take the request: {said}.")


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds, from the header; a date, which the API never sends, is not read."""
    for name, factor in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(error.response.headers[name]) * factor)
        except (KeyError, ValueError):
            continue
    return None
