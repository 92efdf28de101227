"""Events read back from their JSON: a record's lines, or what `--json` printed.

Owns the way from a JSON object to an event. Must not know where the JSON lies, nor what is done
with an event.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from agent import messages
from agent.events import Compacted, Event, Said, ToolFinished
from tools.action import FileChange
from tools.testing.reports import Gist

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_DETAILS: Mapping[str, Any] = {"change": FileChange, "tests": Gist}
"""What there is of a tool result's `details`, by its name in the JSON."""


def from_json(plain: Mapping[str, Any]) -> Event:
    """The event that `agent.events.to_json` made this of; unknown fields are passed over.

    Of a tool result's `details` there is the change of a file, and the gist of a test run; what
    else belongs to the process that it happened in is gone.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    match plain["event"]:
        case "said":
            return Said(messages.from_json(plain["message"]))
        case "compacted":
            told = {name: plain[name] for name in Compacted.__slots__}
            inserted = tuple(map(messages.from_json, plain["inserted"]))
            return Compacted(**{**told, "inserted": inserted})
        case "tool_finished":
            event: ToolFinished = _adapter(ToolFinished).validate_python(plain)
            for name, kind in _DETAILS.items():
                if name in plain["result"]:
                    details = _adapter(kind).validate_python(plain["result"][name])
                    return replace(event, result=replace(event.result, details=details))
            return event
        case name:
            told_of: Event = _adapter(_kind(name)).validate_python(plain)
            return told_of


@functools.cache
def _kind(name: str) -> Any:  # noqa: ANN401  a class is no `Hashable` to mypy
    """
    Raises:
        ValueError: There is no event of that name.
    """
    for kind in get_args(Event):
        if re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() == name:
            return kind
    raise ValueError(f"an event of the name {name!r}")


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401  a class is no `Hashable` to mypy
    """What reads values of a kind."""
    from pydantic import TypeAdapter  # 40 ms; only needed to read records

    return TypeAdapter(kind)
