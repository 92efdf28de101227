"""What a text becomes when it is sent: a message, a command, a shell line.

Owns how a finished text is read, and how it is told what was sent. Must not know the widgets, nor
when a message waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from agent import shell_sign
from tui import commands
from tui.prompt_history import Draft
from tui.widgets.prompt.pastes import expanded

_LEAVING = ("exit", "quit", ":q")
"""What many type to leave, and nobody wants done."""


@dataclass
class Submitted(Message):
    """The user sent a message."""

    text: str


@dataclass
class Hurried(Message):
    """What waits first is to be sent at once: the turn at work is to end."""


@dataclass
class CommandGiven(Message):
    """A command of `tui.commands`."""

    name: str
    arguments: str


@dataclass
class ShellGiven(Message):
    """A line for a shell."""

    line: str
    told: bool
    """Whether the model is to know of it."""


def submitted(draft: Draft) -> Submitted:
    """A draft as the message that it is."""
    return Submitted(expanded(draft).strip())


def read(draft: Draft, *, at_work: bool) -> CommandGiven | ShellGiven | Draft | None:
    """What a draft is: the draft itself where it is a message, None where nothing is written.

    Raises:
        CommandRefused: There is no such command, or it cannot be given now.
    """
    text = draft.text.strip()
    if not text:
        return None
    if is_command(text) or text in _LEAVING:
        command, arguments = commands.parse(text if is_command(text) else "/quit")
        command.check(arguments, at_work=at_work)
        return CommandGiven(command.name, arguments)
    if is_message(text):
        return draft
    line, told = shell_sign.read(expanded(draft))
    return ShellGiven(line, told) if line else None


def is_command(text: str) -> bool:
    """Whether a text is meant as a command: no path, and one line."""
    text = text.rstrip()
    name = text.partition(" ")[0]
    return len(name) > 1 and name[0] == "/" and "/" not in name[1:] and "\n" not in text


def is_message(text: str) -> bool:
    """Whether a text is meant for the model: no command, and no line for a shell."""
    return not is_command(text) and not text.startswith(shell_sign.SIGN)
