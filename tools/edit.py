"""The tools that change a part of a file: exact text, or a whole symbol.

Owns how the text to be replaced is found, and what a model is told when it is not there. Must not
know models.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

from pydantic import Field

from tools.base import Arguments, Effect, Proposal, Tool
from tools.editing.change import change
from tools.errors import ToolError
from tools.text import SourceText, line_at, numbered
from tools.workspace import Workspace

_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.4
"""The least likeness (0 to 1) of a region that is offered as the one that was meant."""
_CANDIDATES = 5
"""Regions that are compared letter by letter."""
_MOST = 60
"""Lines of the nearest region that are shown."""
_NUMBERED = re.compile(r"(?:\d+(?: .*)?(?:\n|\Z))+\Z")


class EditArguments(Arguments):
    path: str = Field(description="file")
    old: str = Field(description="exact text, found once")
    new: str = Field(description="its replacement")


class Edit(Tool[EditArguments]):
    """Replaces a text that occurs once."""

    name = "edit"
    description = "Replace text in a file. `old` must be copied exactly and occur only once."
    Args = EditArguments
    effect = Effect.EDIT
    bodies = ("old", "new")

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def propose(self, args: EditArguments) -> Proposal:
        data = self._workspace.basis(args.path, unread=True)
        text = SourceText.of(data).text
        old, new = args.old.replace("\r\n", "\n"), args.new.replace("\r\n", "\n")
        if not old.strip():
            raise ToolError("`old` is empty: give the text to be replaced.")
        if old == new:
            raise ToolError("`old` and `new` are the same: nothing to do.")
        name = self._workspace.name(args.path)
        start, end, exact = locate(name, text, old)
        if not exact:
            new = _fitted(text[start:end], new)
        return change(self._workspace, args.path, data, text[:start] + new + text[end:], "edit")


def locate(name: str, text: str, old: str) -> tuple[int, int, bool]:
    """Where a text stands, and whether it does so to the letter.

    Whitespace at the ends of lines may differ.

    Raises:
        ToolError: It is not there, with the nearest region; or more than once, with the lines.
    """
    for exact in (True, False):
        if exact:
            pattern = re.compile(f"(?={re.escape(old)})")
            spans = [(m.start(), m.start() + len(old)) for m in pattern.finditer(text)]
        else:
            ends = r"[ \t]*\n".join(re.escape(line.rstrip()) for line in _trimmed(old))
            spans = [m.span() for m in re.finditer(rf"{ends}[ \t]*(?=\n|\Z)", text)]
        if len(spans) == 1:
            return *spans[0], exact
        if spans:
            lines = ", ".join(str(line_at(text, start)) for start, _ in spans[:20])
            raise ToolError(
                f"`old` occurs {len(spans)} times in {name}, at lines {lines}."
                " Give more lines around it, so that it occurs once."
            )
    raise ToolError(_not_found(name, text, old))


def _trimmed(old: str) -> list[str]:
    """Its lines without blank ones at the ends."""
    lines = old.split("\n")
    while not lines[0].strip():
        del lines[0]
    while not lines[-1].strip():
        del lines[-1]
    return lines


def _fitted(found: str, new: str) -> str:
    """The replacement without the blank lines at its ends that the text found lacks too."""
    if not new.strip():
        return ""
    return new.strip("\n") if not found.startswith("\n") else new


def _not_found(name: str, text: str, old: str) -> str:
    message = f"`old` is not in {name}."
    if _NUMBERED.match(old):
        message += " Leave out the line numbers that read_file shows."
    lines = text.removesuffix("\n").split("\n")
    wanted = _trimmed(old)
    start, likeness = _nearest(lines, wanted)
    if likeness < _ALIKE:
        return f"{message} Nothing there resembles it: read the file."
    end = min(len(lines), start + len(wanted))
    shown = numbered(lines[start : min(end, start + _MOST)], start + 1)
    return (
        f"{message} The nearest is lines {start + 1}-{end}; copy from there,"
        f" without the numbers:\n{shown}"
    )


def _nearest(lines: list[str], wanted: list[str]) -> tuple[int, float]:
    """The 0-based line where the region most like `wanted` begins, and how like it is."""
    goal = Counter(word for line in wanted for word in _WORD.findall(line))
    words = [_WORD.findall(line) for line in lines]
    size = min(len(wanted), len(lines))
    window = Counter(word for line in words[:size] for word in line)
    scores = []
    shared = sum(min(count, window[word]) for word, count in goal.items())
    for start in range(len(lines) - size + 1):
        if start:
            for line, step in ((words[start - 1], -1), (words[start + size - 1], 1)):
                for word in line:
                    inside = window[word] < goal[word] if step > 0 else window[word] <= goal[word]
                    shared += step if inside else 0
                    window[word] += step
        scores.append((shared, -start))
    best = (0, 0.0)
    text = "\n".join(wanted)
    for _, negative in sorted(scores, reverse=True)[:_CANDIDATES]:
        region = "\n".join(lines[-negative : -negative + size])
        likeness = SequenceMatcher(None, region, text, autojunk=False).ratio()
        if likeness > best[1]:
            best = (-negative, likeness)
    return best


class ReplaceArguments(Arguments):
    path: str = Field(description="file")
    symbol: str = Field(description="such as mean, Report.render, RATE or (imports)")
    code: str = Field(description="its whole new definition")


class ReplaceSymbol(Tool[ReplaceArguments]):
    """Replaces a definition, whole."""

    name = "replace_symbol"
    description = "Replace a whole function, method, class or constant with new code."
    Args = ReplaceArguments
    effect = Effect.EDIT
    bodies = ("code",)

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def propose(self, args: ReplaceArguments) -> Proposal:
        data = self._workspace.basis(args.path, unread=True)
        name = self._workspace.name(args.path)
        if not args.code.strip():
            raise ToolError(f"`code` is empty: give the whole definition of {args.symbol}.")
        # 40 ms; only needed to edit
        from tools.editing.splice import splice

        spliced = splice(name, SourceText.of(data).text, args.symbol, args.code)
        note = "".join(f"\n[{note}]" for note in spliced.notes)
        verb = f"replace {spliced.name} in"
        return change(self._workspace, args.path, data, spliced.text, verb, note)
