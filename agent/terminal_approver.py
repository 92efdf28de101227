"""Questions on a terminal, for a command without a screen.

Shows the whole of what would be done, with everything that could hide made visible; Enter alone is
no. Owns the look of a question and the reading of its answer. Must not know when to ask.
"""

from __future__ import annotations

import os
import select
import shlex
import termios
from typing import TextIO

from agent.approval import ApprovalAnswer, ApprovalRequest, Choice
from tools.action import Command, FileChange
from tools.base import Cancel
from tools.errors import Cancelled
from tools.text_filter import visible

_TICK = 0.1
"""Seconds between two looks at `cancel`."""
_KEYS = {
    Choice.ONCE: ("y", "allow once"),
    Choice.SESSION: ("s", "allow for this session"),
    Choice.ALWAYS: ("a", "always allow in this project"),
}


class TerminalApprover:
    """Implements `agent.approval.Approver`."""

    def __init__(self, source: TextIO, out: TextIO) -> None:
        """
        Args:
            source: The terminal's input; what was typed before a question does not count.
            out: Where questions are written.
        """
        self._source = source.fileno()
        self._out = out

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        offered = [choice for choice in request.choices if choice in _KEYS]
        self._out.write(question(request))
        keys = "  ".join(f"[{_KEYS[choice][0]}] {_KEYS[choice][1]}" for choice in offered)
        self._out.write(f"{keys}  [Enter] no; other words go to the model\n")
        if request.rule is not None and len(offered) > 1:
            letters = ", ".join(_KEYS[choice][0] for choice in offered[1:])
            self._out.write(f"{letters} would allow: {request.rule}\n")
        termios.tcflush(self._source, termios.TCIFLUSH)
        while True:
            self._out.write("? ")
            self._out.flush()
            line = self._line(cancel)
            if line is None:
                self._out.write("\n")
                return ApprovalAnswer(Choice.DENY, unattended=True)
            word = line.strip()
            if word.casefold() in ("", "n", "no"):
                return ApprovalAnswer(Choice.DENY)
            if word.casefold() == "yes":
                return ApprovalAnswer(Choice.ONCE)
            for choice, (key, name) in _KEYS.items():
                if word.casefold() == key:
                    if choice in offered:
                        return ApprovalAnswer(choice)
                    self._out.write(f"To {name} is not offered here.\n")
                    break
            else:
                return ApprovalAnswer(Choice.DENY, word.removeprefix("n "))

    def _line(self, cancel: Cancel) -> str | None:
        """What is typed, up to its end; None when the terminal is gone."""
        data = b""
        while not data.endswith(b"\n"):
            if cancel.is_set():
                self._out.write("\n")
                raise Cancelled
            if not select.select([self._source], [], [], _TICK)[0]:
                continue
            try:
                piece = os.read(self._source, 4096)
            except OSError:  # EIO: it was hung up
                return None
            if not piece:
                return None
            data += piece
        return data.decode("utf-8", "replace")


def question(request: ApprovalRequest) -> str:
    """What would be done, whole, as lines in which nothing hides."""
    lines = [f"{request.tool} asks for approval: {visible(request.reason)}"]
    match request.action:
        case Command() as command:
            words = (*(f"{name}={value}" for name, value in command.env), *command.argv)
            lines.append(f"  $ {_whole(shlex.join((*words, *(command.chosen or ()))))}")
            program = visible(command.program) or "no program"
            lines.append(f"  which is {program}, in {visible(command.folder)}")
            if command.network:
                lines.append("  with the network")
        case FileChange() as change:
            lines.append(f"  {'changes' if change.basis else 'creates'} {visible(change.path)}")
            patch = change.patch.removesuffix("\n").split("\n")
            lines += [f"  {visible(line, keep=chr(9))}" for line in patch]
        case None:
            lines.append(f"  {_whole(request.args.model_dump_json())}")
    return "\n".join(lines) + "\n"


def _whole(text: str) -> str:
    """Every line end is shown as `\\n`, and a new line begins there all the same."""
    return "\\n\n    ".join(visible(line) for line in text.split("\n"))
