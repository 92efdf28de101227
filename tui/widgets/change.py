"""A command or a change of a file as it is judged: whole, and nothing in it hides.

Owns the look of an action and of a patch's hunks. Must not know what is decided about it.
"""

from __future__ import annotations

import shlex
from typing import ClassVar

from textual.content import Content
from textual.reactive import var
from textual.widget import Widget
from textual.widgets import Static

from agent.approval import ApprovalRequest
from tools.action import Command, FileChange
from tools.patch import hunks
from tools.text_filter import visible
from tui.themes import MUTED

MOST = 100_000
"""Characters of one text that are shown: more than anybody reads before saying yes."""
_STYLES = {"+": "$text-success on $added", "-": "$text-error on $removed"}
_TAB = 4


def described(request: ApprovalRequest) -> list[Widget]:
    """What would be done; of a change of several hunks, each by itself."""
    match request.action:
        case Command() as command:
            return [_lines(*_command(command))]
        case FileChange() as change:
            parts = hunks(change.patch)
            if len(parts) < 2 or not change.basis:
                return [_lines(*map(_line, _limited("".join(parts) or change.patch)))]
            return [Hunk(number, len(parts), part) for number, part in enumerate(parts)]
        case None:
            text = request.args.model_dump_json()
            return [_lines(*map(Content, _whole(text)))]


def title(request: ApprovalRequest) -> Content:
    """Who wants what, and why that is asked."""
    match request.action:
        case FileChange() as change:
            verb = "change" if change.basis else "create"
            what = f"{verb} {visible(change.path)}"
        case Command():
            what = "run a command"
        case None:
            what = f"use {visible(request.tool)}"
    reason = f"  {visible(request.reason)}"
    return Content.assemble((f"May the agent {what}?", "bold"), (reason, MUTED))


class Hunk(Static):
    """One part of a change, to be allowed or not."""

    allowed: var[bool] = var(True)
    chosen: var[bool] = var(False, toggle_class="-chosen")
    BOX: ClassVar[dict[bool, str]] = {True: "[x]", False: "[ ]"}

    def __init__(self, number: int, count: int, text: str) -> None:
        super().__init__(markup=False, classes="hunk")
        self.number = number
        self._title = f" {number + 1} of {count}  "
        self._head, _, body = text.partition("\n")
        self._body = [_line(line) for line in _limited(body)]

    def on_mount(self) -> None:
        self.show()

    def watch_allowed(self, allowed: bool) -> None:
        self.set_class(not allowed, "-refused")
        self.show()

    def watch_chosen(self) -> None:
        self.show()

    def show(self) -> None:
        mark = "$text-success" if self.allowed else "$text-error"
        head = Content.assemble(
            (
                "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT} " if self.chosen else "  ",
                "bold $text-primary",
            ),
            (self.BOX[self.allowed], f"bold {mark}"),
            (self._title, "bold" if self.chosen else ""),
            (visible(self._head), MUTED),
        )
        self.update(Content("\n").join([head, *self._body]))


def patch_lines(patch: str) -> list[Content]:
    """A patch of several files, coloured; of their heads, the names."""
    lines, head = [], False
    for line in _limited(patch):
        if line.startswith("diff --git "):
            head = True
            name = visible(line.rpartition(" b/")[2])
            lines += [Content(), Content.styled(name, f"bold {MUTED}")]
        head = head and not line.startswith("@@")
        if not head:
            lines.append(_line(line))
    return lines


def _lines(*lines: Content) -> Static:
    return Static(Content("\n").join(lines), markup=False)


def _line(line: str) -> Content:
    shown = visible(line, keep="\t").expandtabs(_TAB)
    return Content.styled(shown, _STYLES.get(line[:1], MUTED if line[:1] == "@" else ""))


def _command(command: Command) -> list[Content]:
    words = (*(f"{name}={value}" for name, value in command.env), *command.argv)
    text = shlex.join((*words, *(command.chosen or ())))
    first, *rest = _whole(text)
    program = visible(command.program) or "no program of that name"
    lines = [Content.assemble(("$ ", MUTED), (first, "bold"))]
    lines += [Content.styled(f"  {line}", "bold") for line in rest]
    lines += [Content.styled(f"{program}, in {visible(command.folder)}", MUTED)]
    if command.network:
        lines.append(Content.styled("with the network", "bold $text-warning"))
    return lines


def _whole(text: str) -> list[str]:
    """Every line end is shown as `\\n`, and a new line begins there all the same."""
    *lines, last = _limited(text)
    return [*(f"{visible(line)}\\n" for line in lines), visible(last)]


def _limited(text: str) -> list[str]:
    """The lines; what is left out of an endless text is told."""
    left = len(text) - MOST
    if left > 0:
        text = f"{text[:MOST]}\n[… {left:,} more characters are not shown: think twice]"
    return text.removesuffix("\n").split("\n")
