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

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def from_json(plain: Mapping[str, Any]) -> Event:
    """The event that `agent.events.to_json` made this of; unknown fields are passed over.

    Of a tool result's `details` there is the change of a file; what else belongs to the process
    that it happened in is gone.

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
        case "tool_finished" if "change" in plain["result"]:
            event = _adapter("tool_finished").validate_python(plain)
            assert isinstance(event, ToolFinished)
            change = FileChange(**plain["result"]["change"])
            return replace(event, result=replace(event.result, details=change))
        case name:
            return _adapter(name).validate_python(plain)


@functools.cache
def _adapter(name: str) -> TypeAdapter[Event]:
    """What reads events of a name.

    Raises:
        ValueError: There is no such event.
    """
    from pydantic import TypeAdapter  # 40 ms; only needed to read records

    for kind in get_args(Event):
        if re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() == name:
            return TypeAdapter(kind)
    raise ValueError(f"an event of the name {name!r}")
