"""A conversation read back from its session's record, so that a new process can go on with it.

Owns the meaning of a record's lines for the history. Must not know how a record is written, nor
what is done with the conversation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from agent.errors import InputError
from agent.events import Compacted, Origin
from agent.messages import AssistantMessage, Message, ToolMessage, ToolOutput, closing, from_json
from agent.models.base import Usage
from agent.session import VERSION, SessionInfo


@dataclass(slots=True)
class Recorded:
    """What a record tells of a conversation."""

    messages: list[Message] = field(default_factory=list)
    """The history, message for message as it was said; no call is without a result."""
    lost: ToolMessage | None = None
    """The last of the messages, where the record lacks it: the process ended in a tool."""
    notices: list[str] = field(default_factory=list)
    """Lines that could not be read."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """What each model has read and written in all."""
    ended: str = ""
    """How the last turn ended; empty: it did not."""
    _results: dict[str, ToolOutput] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The name of the model that wrote last; empty when none did."""
        answers = (item for item in reversed(self.messages) if isinstance(item, AssistantMessage))
        return next(answers, AssistantMessage("")).model

    def take(self, line: dict[str, Any]) -> None:
        """One line of the record.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        match line["event"]:
            case "session":
                if line["version"] > VERSION:
                    raise InputError(
                        f"Session {line['id']} was written by a newer version of this program."
                    )
            case "turn_started":
                self.ended = ""
            case "said":
                message = from_json(line["message"])
                if isinstance(message, AssistantMessage):
                    self._results.clear()
                self.messages.append(message)
            case "tool_finished" if line["origin"] == Origin.MODEL.value:
                call, result = line["call"], line["result"]
                output = ToolOutput(call["id"], call["name"], result["output"], result["ok"])
                self._results[output.call_id] = output
            case "step_finished":
                usage = Usage(**line["usage"])
                self.usage[self.model] = self.usage.get(self.model, Usage()) + usage
            case "rewound":
                del self.messages[line["messages"] :]
            case "compacted":
                inserted = tuple(map(from_json, line["inserted"]))
                told = {field.name: line[field.name] for field in fields(Compacted)}
                compacted = Compacted(**{**told, "inserted": inserted})
                self.messages = compacted.applied(self.messages)
            case "turn_finished":
                self.ended = line["status"]

    def close(self) -> None:
        """The end of the record: calls whose process ended in them get a result that says so."""
        last = self.messages[-1] if self.messages else None
        if isinstance(last, AssistantMessage) and last.calls:
            self.lost = closing(last, self._results)
            self.messages.append(self.lost)


def load(info: SessionInfo) -> Recorded:
    """Read a session's conversation; lines that cannot be read are skipped, with a notice.

    Raises:
        InputError: The record cannot be read, or is of a newer version.
    """
    recorded = Recorded()
    try:
        lines = info.record.read_bytes().split(b"\n")  # not at what else Unicode takes for one
    except OSError as error:
        raise InputError(f"The record {info.record} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            recorded.take(json.loads(line))
        except (ValueError, KeyError, TypeError):
            recorded.notices.append(
                f"Line {number} of the session's record cannot be read, perhaps for a crash cut it "
                "short; it is skipped."
            )
    recorded.close()
    return recorded
