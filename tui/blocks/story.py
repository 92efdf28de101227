"""Events made into blocks: which begin, which go on, which are put together.

Owns the list of a conversation's blocks and the rules of what a person is shown. Must not know
any widget.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import assert_never

from agent import events
from agent.approval import Choice, Denial
from agent.events import Event
from agent.messages import AssistantMessage, Message, UserMessage
from agent.printer import switch_cost
from tools.action import FileChange
from tools.live import Piece
from tools.text import shown
from tools.text_filter import clip, clip_line, printable
from tui.blocks.entries import (
    MOST_SHOWN,
    Answer,
    Call,
    Change,
    Entry,
    Kind,
    Lookups,
    Prompted,
    Question,
    Remark,
    State,
    Thought,
    Verdict,
)
from tui.blocks.printed import Printed

LOOKUPS = {"read_file": "read", "search": "searched", "outline": "outlined"}
"""The tools that only look, and what is said of their use."""

_SMALL = 60
"""Lines of a patch that is shown without being asked for."""
_LONG = 2_000
"""Characters of a line of ours that are shown."""


@dataclass(slots=True)
class Story:
    """A conversation's blocks, in their order."""

    entries: list[Entry] = field(default_factory=list)
    doing: str = ""
    """What the model is at, where no block tells; empty when it rests."""
    at_work: bool = False
    """Whether a turn has begun and not ended."""
    _answer: Answer | None = None
    """What is being written."""
    _thought: Thought | None = None
    _running: dict[str, Call] = field(default_factory=dict)
    _task: str = ""

    def take(self, event: Event) -> list[Entry]:
        """Go on with the story; the blocks that were changed or added, in their order."""
        match event:
            case events.TurnStarted(task, turn=turn):
                before = self._lose()  # where it went on after its process had ended
                self._task, self.doing, self.at_work = task.strip(), "starting", True
                return [*before, self.add(Prompted(_safe(task), turn))]
            case events.Said(message):
                return self._said(message)
            case events.StepStarted():
                self.doing = "asking the model"
            case events.PromptReading(done, total):
                self.doing = f"reading {done:,} / {total:,} tokens"
            case events.Waiting(seconds):
                self.doing = f"asking again in {seconds:.0f} s"
            case events.Wrote(text, reasoning):
                self.doing = "thinking" if reasoning else "writing"
                return self._wrote(text, reasoning=reasoning)
            case events.WroteCall(tool):
                self.doing = f"writing {_line(tool)}"
                return self._close_writing()
            case events.StepFinished():
                self.doing = ""
            case events.ToolStarted():
                self.doing = ""
                return [*self._close_writing(), self._begin(event)]
            case events.ToolPrinted():
                return self._printed(event)
            case events.ApprovalAsked():
                return self._asked(event)
            case events.ApprovalAnswered():
                return self._permitted(event)
            case events.ToolFinished():
                return self._finish(event)
            case events.Rewound(_, reason, turn):
                if turn:
                    self.at_work = False
                    self._forget(turn)
                return [self.add(Remark(_line(reason), Kind.REWOUND))]
            case events.Compacted():
                return [self.add(Remark(_compacted(event), Kind.COMPACTED))]
            case events.Switched(model):
                return [self.add(Change(_line(model), switch_cost(event)))]
            case events.Notice(text):
                return [self.add(Remark(printable(clip(text, _LONG))))]
            case events.TurnFinished():
                return self._end(event)
            case _:
                assert_never(event)
        return []

    def add(self, entry: Entry) -> Entry:
        """A block at the end."""
        self.entries.append(entry)
        return entry

    def break_off(self) -> list[Entry]:
        """Nothing more is to come; where a turn was at work, its process has ended in it."""
        if not self.at_work:
            return []
        cut = Remark("The session was cut off here; what was done until then is kept.")
        return [*self._lose(), self.add(cut)]

    def _lose(self) -> list[Entry]:
        """What is at work ends unheard."""
        self.at_work, self.doing = False, ""
        changed = self._close_writing()
        if self._answer is not None:
            self._answer.done = True
            changed.append(self._answer)
        for call in self._running.values():
            call.seconds, call.state = call.elapsed, State.LOST
            changed.append(self._holder(call))
        self._answer = self._thought = None
        self._running.clear()
        return changed

    def _forget(self, turn: int) -> None:
        """Leave out a turn that was taken back, and what came after it."""
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Prompted) and entry.turn >= turn:
                del self.entries[index:]
                return

    def _wrote(self, text: str, *, reasoning: bool) -> list[Entry]:
        changed: list[Entry] = []
        if reasoning:
            if self._thought is None:
                self._thought = Thought()
                self.add(self._thought)
            self._thought.write(text)
            return [self._thought]
        if self._thought is not None and not self._thought.done:
            self._thought.close()
            changed.append(self._thought)
        if self._answer is None:
            if not text.strip():
                return changed
            self._answer = Answer()
            self.add(self._answer)
        self._answer.write(text)
        return [*changed, self._answer]

    def _close_writing(self) -> list[Entry]:
        """Nothing more of the answer is to come; it stays as it is until it is said."""
        changed: list[Entry] = []
        if self._thought is not None and not self._thought.done:
            self._thought.close()
            changed.append(self._thought)
        return changed

    def _said(self, message: Message) -> list[Entry]:
        match message:
            case AssistantMessage():
                return self._answered(message)
            case UserMessage(text) if self._task and self._task in text:
                self._task = ""  # shown as the user's own
            case UserMessage(text):
                return [self.add(Question(_safe(text)))]
            case _:
                pass
        return []

    def _answered(self, message: AssistantMessage) -> list[Entry]:
        """An answer is whole: what was written is replaced by what it says outside its calls."""
        changed = self._close_writing()
        if message.reasoning.strip() and self._thought is None:
            thought = Thought(_safe(message.reasoning), done=True)
            changed.append(self.add(thought))
        text = _safe(message.text).strip()
        answer = self._answer
        if answer is None and text:
            answer = Answer()
            self.add(answer)
        if answer is not None:
            if answer.text.strip() != text:
                answer.text = text
            answer.done = True
            changed.append(answer)
        self._answer = self._thought = None
        told = [f"A tool call could not be read: {_line(line)}" for line in message.malformed]
        return [*changed, *(self.add(Remark(line, Kind.MALFORMED)) for line in told)]

    def _begin(self, event: events.ToolStarted) -> Entry:
        call = Call(event.call, event.origin)
        self._running[event.call.id] = call
        if event.call.name not in LOOKUPS:
            return self.add(call)
        last = self.entries[-1] if self.entries else None
        if isinstance(last, Lookups) and last.calls[-1].origin is event.origin:
            last.calls.append(call)
            return last
        return self.add(Lookups([call]))

    def _holder(self, call: Call) -> Entry:
        """The block that shows a call."""
        if call.call.name not in LOOKUPS:
            return call
        for entry in reversed(self.entries):
            if isinstance(entry, Lookups) and call in entry.calls:
                return entry
        return call

    def _turned(self, call_id: str, state: State) -> list[Entry]:
        call = self._running.get(call_id)
        if call is None:
            return []
        call.state = state
        return [self._holder(call)]

    def _printed(self, event: events.ToolPrinted) -> list[Entry]:
        call = self._running.get(event.call_id)
        if call is None:
            return []
        call.printed = call.printed or Printed()
        call.printed.write(Piece(event.text, event.line, event.left_out))
        return [self._holder(call)]

    def _asked(self, event: events.ApprovalAsked) -> list[Entry]:
        call = self._running.get(event.call.id)
        if call is not None and isinstance(event.action, FileChange):
            call.patch = event.action.patch
        return self._turned(event.call.id, State.ASKING)

    def _permitted(self, event: events.ApprovalAnswered) -> list[Entry]:
        call = self._running.get(event.call.id)
        if call is None:
            return []
        call.word, call.started = event.word, time.monotonic()  # the question took no work
        return self._turned(
            event.call.id, State.DENIED if event.choice is Choice.DENY else State.RUNNING
        )

    def _finish(self, event: events.ToolFinished) -> list[Entry]:
        call = self._running.pop(event.call.id, None)
        if call is None:  # its start is not in the record
            self._begin(events.ToolStarted(event.call, event.origin))
            call = self._running.pop(event.call.id)
        result = event.result
        details = result.details
        if isinstance(details, Denial) or call.state is State.DENIED:
            call.state = State.DENIED
        else:
            call.state = State.OK if event.good else State.FAILED
        if isinstance(details, FileChange):
            call.patch = details.patch
        watched = call.open and call.printed is not None  # it stays under the user's eyes
        small = call.state is State.OK and 0 < call.patch.count("\n") <= _SMALL
        call.open = watched or small
        call.result, call.seconds, call.printed = result, event.seconds, None
        return [self._holder(call)]

    def _end(self, event: events.TurnFinished) -> list[Entry]:
        changed = self._lose()
        verdict = Verdict(event.status, _line(event.summary), event.totals, event.patch)
        return [*changed, self.add(verdict)]


def _safe(text: str) -> str:
    """A text as it may be shown; what is clipped is not looked at."""
    return printable(clip(text, MOST_SHOWN))


def _line(text: str) -> str:
    return shown(clip_line(text, _LONG))


def _compacted(event: events.Compacted) -> str:
    return (
        f"{_line(event.reason)}: shortened from {event.messages_before:,} to "
        f"{event.messages_after:,} messages, about {event.tokens_before:,} to "
        f"{event.tokens_after:,} tokens"
    )
