"""Questions on a real terminal: what is shown is whole, and Enter is no."""

from __future__ import annotations

import io
import os
import pty
import shlex
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from agent.approval import ApprovalAnswer, ApprovalRequest, Choice
from agent.rules import rule_for
from agent.terminal_approver import TerminalApprover, question
from tools.action import Action, Command, FileChange
from tools.base import Arguments
from tools.errors import Cancelled

ALL = (Choice.ONCE, Choice.SESSION, Choice.ALWAYS, Choice.DENY)
ROOT = Path("/srv/repo")
MAKE = Command(("make", "build"), str(ROOT), "/usr/bin/make")
HIDING = ("sh", "-c", "ls" + " " * 300 + "; rm\u200b -rf \u202eeulav\x1b[2K\r\x07 \u3164x\nmore")


@dataclass
class Terminal:
    """Both ends of a pseudo-terminal."""

    keyboard: int
    source: TextIO


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    keyboard, device = pty.openpty()
    with os.fdopen(device, "r") as source:
        yield Terminal(keyboard, source)
    os.close(keyboard)


def request(action: Action | None = MAKE, choices: tuple[Choice, ...] = ALL) -> ApprovalRequest:
    rule = rule_for(action, ROOT, True) if action else None
    return ApprovalRequest("run", Arguments(), action, "it is unknown", rule, choices)


def answer(
    terminal: Terminal, *typed: str, choices: tuple[Choice, ...] = ALL
) -> tuple[ApprovalAnswer, str]:
    """What comes of typing these lines, each once it is asked for."""
    out = io.StringIO()

    def type_lines() -> None:
        for number, line in enumerate(typed, start=1):
            while out.getvalue().count("? ") < number:
                time.sleep(0.005)
            os.write(terminal.keyboard, line.encode())

    typing = threading.Thread(target=type_lines)
    typing.start()
    given = TerminalApprover(terminal.source, out).ask(request(choices=choices), threading.Event())
    typing.join()
    return given, out.getvalue()


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("\n", ApprovalAnswer(Choice.DENY)),
        ("n\n", ApprovalAnswer(Choice.DENY)),
        ("No\n", ApprovalAnswer(Choice.DENY)),
        ("y\n", ApprovalAnswer(Choice.ONCE)),
        ("yes\n", ApprovalAnswer(Choice.ONCE)),
        ("s\n", ApprovalAnswer(Choice.SESSION)),
        ("a\n", ApprovalAnswer(Choice.ALWAYS)),
        ("n run the tests first\n", ApprovalAnswer(Choice.DENY, "run the tests first")),
        ("yellow\n", ApprovalAnswer(Choice.DENY, "yellow")),
        ("\x04", ApprovalAnswer(Choice.DENY, unattended=True)),
    ],
)
def test_answers(terminal: Terminal, typed: str, given: ApprovalAnswer) -> None:
    assert answer(terminal, typed)[0] == given


def test_the_rule_is_shown_before_it_is_chosen(terminal: Terminal) -> None:
    _, told = answer(terminal, "\n")
    assert "s, a would allow: exactly `make build`, in the sandbox\n" in told


def test_what_is_not_offered_is_not_taken(terminal: Terminal) -> None:
    given, told = answer(terminal, "a\n", "y\n", choices=(Choice.ONCE, Choice.SESSION, Choice.DENY))
    assert given == ApprovalAnswer(Choice.ONCE)
    assert "[a]" not in told
    assert "not offered" in told


def test_keys_typed_before_the_question_do_not_count(terminal: Terminal) -> None:
    os.write(terminal.keyboard, b"y\n")
    time.sleep(0.05)
    assert answer(terminal, "\n")[0] == ApprovalAnswer(Choice.DENY)


def test_waiting_ends_when_it_is_cancelled(terminal: Terminal) -> None:
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(Cancelled):
        TerminalApprover(terminal.source, io.StringIO()).ask(request(), cancel)


def test_a_command_is_shown_whole_and_nothing_hides() -> None:
    shown = question(request(Command(HIDING, str(ROOT), "/tmp/sh", network=True)))
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert "[300 spaces]; rm\\u200b -rf \\u202eeulav\\x1b[2K\\r\\x07 \\u3164x\\n\n    more" in shown
    assert "with the network" in shown
    long = ("echo", *(f"word{number}" for number in range(500)))
    assert shlex.join(long) in question(request(Command(long, str(ROOT), "/bin/echo")))


def test_a_program_that_is_not_what_its_name_says_is_shown() -> None:
    python = Command(("pytest",), str(ROOT), "/srv/repo/.venv/bin/python")
    assert "which is /srv/repo/.venv/bin/python" in question(request(python))
    planted = Command(("ls",), str(ROOT), "/srv/repo/bin/ls")
    assert "which is /srv/repo/bin/ls" in question(request(planted))


def test_a_change_is_shown_as_a_diff_whose_every_character_is_seen() -> None:
    patch = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-\tnew\n+\tn\x1b[8mew\u202e\r\n"
    shown = question(request(FileChange("a\nb", patch, "")))
    assert "creates a\\nb\n" in shown
    assert "  +\tn\\x1b[8mew\\u202e\\r\n" in shown
