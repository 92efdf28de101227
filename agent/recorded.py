"""A conversation read back from its session's record, so that a new process can go on with it.

Owns the meaning of a record's lines for the history and its turns. Must not know how a record is
written, nor what is done with the conversation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

from agent.errors import InputError
from agent.events import Compacted, Origin
from agent.messages import AssistantMessage, Message, ToolMessage, ToolOutput, closing, from_json
from agent.models.base import Usage
from agent.session import VERSION, SessionInfo


@dataclass(frozen=True, slots=True)
class TurnInfo:
    """A turn that is part of the conversation: none that was taken back."""

    number: int
    """In the session, from 1; one that was taken back leaves a gap."""
    task: str
    when: float
    """Its start, in seconds since the epoch."""
    model: str
    """That began it."""
    status: str = ""
    """How it ended, as `agent.events.Status`; empty: it did not."""
    summary: str = ""
    changed: tuple[str, ...] = ()
    """Files, relative to the root."""
    patch: str = ""
    """What it changed, as `git apply` takes it; nothing of a turn that did not end."""
    own: bool = True
    """Whether it was this session's, not that of the one it was forked from."""


@dataclass(slots=True)
class _Mark:
    """Where the history stood before a turn."""

    messages: list[Message]
    """The list of then: it may have been compacted since, and only grew meanwhile."""
    length: int


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
    asked: str = ""
    """The name that the model last at work was asked for by; empty: not known."""
    turns: list[TurnInfo] = field(default_factory=list)
    """Those that the conversation consists of."""
    last_turn: int = 0
    """The highest number that a turn was ever given."""
    stale: tuple[str, ...] = ()
    """Files that the session it was forked from changed after the last of these turns."""
    _marks: list[_Mark] = field(default_factory=list)
    _opening: bool = False
    """Whether nothing was said yet in the last turn."""
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
                self.ended, self.asked = "", line.get("asked", "")
                self.last_turn = line.get("turn") or self.last_turn + 1
                info = TurnInfo(self.last_turn, line["task"], line.get("at", 0.0), line["model"])
                self.turns.append(info)
                self._marks.append(_Mark(self.messages, len(self.messages)))
                self._opening = True
            case "switched":
                self.asked = line.get("asked", self.asked)
            case "said":
                message = from_json(line["message"])
                if isinstance(message, AssistantMessage):
                    self._results.clear()
                self.messages.append(message)
                if self._opening and isinstance(message, ToolMessage):
                    self._marks[-1].length += 1  # results that the turn before left untold
                self._opening = False
            case "tool_finished" if line["origin"] == Origin.MODEL.value:
                call, result = line["call"], line["result"]
                output = ToolOutput(call["id"], call["name"], result["output"], result["ok"])
                self._results[output.call_id] = output
            case "step_finished":
                usage = Usage(**line["usage"])
                self.usage[self.model] = self.usage.get(self.model, Usage()) + usage
            case "rewound" if line.get("turn"):
                self.go_back(line["turn"])
            case "rewound":
                del self.messages[line["messages"] :]
            case "forked":
                self.turns = [replace(turn, own=False) for turn in self.turns]
                self.stale = tuple(line["stale"])
            case "compacted":
                inserted = tuple(map(from_json, line["inserted"]))
                told = {field.name: line[field.name] for field in fields(Compacted)}
                compacted = Compacted(**{**told, "inserted": inserted})
                self.messages = compacted.applied(self.messages)
            case "turn_finished":
                self.ended = line["status"]
                if self.turns:
                    self.turns[-1] = replace(
                        self.turns[-1],
                        status=line["status"],
                        summary=line["summary"],
                        changed=tuple(line["changed"]),
                        patch=line["patch"],
                    )

    def go_back(self, turn: int) -> None:
        """Be what the conversation was before a turn."""
        kept = sum(1 for info in self.turns if info.number < turn)
        if kept == len(self.turns):
            return
        mark = self._marks[kept]
        self.messages = mark.messages
        del self.messages[mark.length :]
        del self.turns[kept:], self._marks[kept:]
        self._results.clear()
        self.lost = None
        self.ended = self.turns[-1].status if self.turns else ""

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
