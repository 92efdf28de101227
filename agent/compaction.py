"""A conversation made shorter: what must survive stays as it was said, the rest becomes a list.

Owns what is kept and the form of the list. Must not know tokens' sizes, models or windows: sizes
are told by the caller. Nobody is asked: a list of what was done costs nothing and invents nothing.

    system, the present task, the list, the last steps as they were

A step is an answer with the results of its calls; it is kept or listed as a whole, so no call is
without its result. What is still too long is clipped in its middle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from tools import todo
from tools.text_filter import clip, clip_line

Size = Callable[[Message], int]
"""The tokens of a message."""

HEADING = "# This conversation so far, shortened"
ADVICE = "What was read is no longer here: read again what you need."
FILES = "## Files changed so far"
TESTS = "## The last test result"
TODO = "## Your to-do list"
TASK_SHARE = 0.6
"""The part of all room that the task may take before it is clipped."""
LIST_SHARE = 0.35
"""The part of what the task leaves that the list may take."""
LINE = 200
"""Characters of a line of the list."""
TOLD = 500
"""Characters of what the user said earlier."""
LEAST = 200
"""Characters that are left of anything that is clipped."""
RESULT = 1500
"""Characters of the last test result."""
_READING = ("read_file", "search", "outline")
"""Tools whose use is least missed."""
_EDITING = ("edit", "replace_symbol", "write_file")


def compact(
    history: Sequence[Message],
    task: int,
    room: int,
    size: Size,
    system: str,
    changed: Iterable[str] = (),
    tested: str = "",
) -> list[Message]:
    """The history in about `room` tokens.

    Args:
        history: It ends with what the model is to be asked next.
        task: The place of the message that tells the present task.
        room: The most tokens wanted; a system message alone may take more.
        size: The tokens of a message.
        system: The system message to begin with.
        changed: Files that were changed so far.
        tested: The last test result, where it is known.
    """
    first = history[0]
    # It may go on with the project's instructions.
    opens = isinstance(first, SystemMessage) and first.text.startswith(system)
    head = first if opens else SystemMessage(system)
    room = max(0, room - size(head))
    told = _clipped(history[task], int(room * TASK_SHARE), size)
    room = max(0, room - size(told))
    steps = _steps(history[task + 1 :])
    recent, dropped = _recent(steps, int(room * (1 - LIST_SHARE)), size)
    start = 1 if isinstance(first, SystemMessage) else 0
    summary = _Summary.of([*history[start:task], *dropped])
    summary.files.update(dict.fromkeys(changed))
    if tested:
        shown = any(tested in _text(message) for message in recent)
        summary.tests = "" if shown else clip(tested, RESULT)
    if any(call.name == todo.NAME for message in recent for call in _calls(message)):
        summary.todo = ""
    room = max(0, room - sum(map(size, recent)))
    listed = summary.shown(room, size)
    return [head, told, *([listed] if listed else []), *recent]


def _steps(messages: Sequence[Message]) -> list[list[Message]]:
    """The messages grouped so that each answer is with what came of it."""
    steps: list[list[Message]] = []
    for message in messages:
        if isinstance(message, AssistantMessage) or not steps:
            steps.append([])
        steps[-1].append(message)
    return steps


def _recent(
    steps: Sequence[Sequence[Message]], room: int, size: Size
) -> tuple[list[Message], list[Message]]:
    """The last steps that fit, and what is before them.

    The very last one is clipped rather than left out, for the model has not seen its results yet;
    if the answer itself takes all room, its results are told as a message of the user's.
    """
    kept: list[Message] = []
    at = len(steps)
    for step in reversed(steps):
        needed = sum(map(size, step))
        if needed > room:
            break
        kept[:0] = step
        room -= needed
        at -= 1
    dropped = [message for step in steps[:at] for message in step]
    if kept or not steps:
        return kept, dropped
    last = steps[-1]
    own = sum(size(message) for message in last if isinstance(message, AssistantMessage))
    others = [message for message in last if not isinstance(message, AssistantMessage)]
    dropped = [message for step in steps[:-1] for message in step]
    if own > room / 2:  # what it wrote is in the files; that it did is in the list
        dropped += last
        texts = [_text(message) for message in others]
        text = "\n".join(["What came of your last calls:", *texts])
        return [_clipped(UserMessage(text), room, size)] if others else [], dropped
    each = (room - own) // max(1, len(others))
    clipped = [
        message if isinstance(message, AssistantMessage) else _clipped(message, each, size)
        for message in last
    ]
    return clipped, dropped


def _clipped(message: Message, room: int, size: Size) -> Message:
    """The message in about so many tokens, its middle left out."""
    now = size(message)
    if now <= room:
        return message
    share = max(room, 1) / now
    match message:
        case UserMessage():
            return UserMessage(clip(message.text, max(LEAST, int(len(message.text) * share))))
        case ToolMessage():
            longest = int(sum(len(item.output) for item in message.results) * share)
            longest = max(LEAST, longest // max(1, len(message.results)))
            return ToolMessage(
                tuple(replace(item, output=clip(item.output, longest)) for item in message.results)
            )
        case _:
            return message


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    weight: int
    """Lines of the least weight are left out first, of those the oldest."""


@dataclass(slots=True)
class _Summary:
    """What is known of messages that are left out."""

    lines: list[_Line] = field(default_factory=list)
    files: dict[str, None] = field(default_factory=dict)
    tests: str = ""
    todo: str = ""
    """The list that the model keeps, as it wrote it last."""
    left_out: int = 0
    """Lines that did not fit."""

    @classmethod
    def of(cls, messages: Sequence[Message]) -> _Summary:
        summary = cls()
        answer: AssistantMessage | None = None
        for message in messages:
            match message:
                case UserMessage(text) if text.startswith(HEADING):
                    summary._take_over(text)
                case UserMessage(text):
                    summary.lines.append(_Line(f"told: {_flat(text, TOLD)}", 3))
                case AssistantMessage():
                    answer = message
                    if message.text:
                        summary.lines.append(_Line(f"you said: {_flat(message.text)}", 2))
                case ToolMessage():
                    summary._take_results(answer, message)
                case SystemMessage():
                    pass
        return summary

    def shown(self, room: int, size: Size) -> Message | None:
        """The list, as much of it as fits; None where there is nothing to tell."""
        if not (self.lines or self.files or self.tests or self.todo):
            return None
        message = self._message()
        while self.lines and size(message) > room:
            # Some at a time, for each look at the size costs a count.
            for _ in range(max(1, len(self.lines) // 10)):
                self.lines.remove(min(self.lines, key=lambda line: line.weight))
                self.left_out += 1
            message = self._message()
        return _clipped(message, room, size)

    def _message(self) -> UserMessage:
        parts = [HEADING, ADVICE]
        if self.left_out:
            parts.append(f"({self.left_out} lines are left out)")
        parts += [f"- {line.text}" for line in self.lines]
        if self.todo:
            parts += [TODO, self.todo]
        if self.files:
            parts += [FILES, *self.files]
        if self.tests:
            parts += [TESTS, self.tests]
        return UserMessage("\n".join(parts))

    def _take_results(self, answer: AssistantMessage | None, message: ToolMessage) -> None:
        calls = {call.id: call for call in answer.calls} if answer else {}
        for result in message.results:
            call = calls.get(result.call_id)
            arguments = dict(call.arguments) if call else {}
            if result.name == todo.NAME:
                self.todo = str(todo.told_in(arguments) or self.todo)
                continue
            spelt = "".join(f" {name}={_flat(value, 60)}" for name, value in arguments.items())
            ended = "ok" if result.ok else f"failed: {_flat(result.output, 100)}"
            weight = 1 if result.name in _READING else 4 if result.name in _EDITING else 2
            self.lines.append(_Line(_flat(f"{result.name}{spelt}: {ended}"), weight))
            if result.name in _EDITING and result.ok and "path" in arguments:
                self.files[str(arguments["path"])] = None
            if result.name == "run_tests":
                self.tests = clip(result.output, RESULT)

    def _take_over(self, text: str) -> None:
        """What an earlier list told."""
        rest, _, tests = text.partition(f"\n{TESTS}\n")
        rest, _, files = rest.partition(f"\n{FILES}\n")
        rest, _, listed = rest.partition(f"\n{TODO}\n")
        self.todo = listed or self.todo
        self.tests = tests or self.tests
        self.files.update(dict.fromkeys(filter(None, files.split("\n"))))
        if match := re.search(r"^\((\d+) lines are left out\)$", rest, re.MULTILINE):
            self.left_out += int(match[1])
        for line in re.findall(r"^- (.*)$", rest, re.MULTILINE):
            weight = 4 if line.startswith(_EDITING) else 1
            self.lines.append(_Line(line, weight))


def _flat(value: object, limit: int = LINE) -> str:
    return clip_line(" ".join(str(value).split()), limit)


def _calls(message: Message) -> tuple[ToolCall, ...]:
    return message.calls if isinstance(message, AssistantMessage) else ()


def _text(message: Message) -> str:
    if isinstance(message, ToolMessage):
        return "\n".join(f"{item.name}:\n{item.output}" for item in message.results)
    return message.text
