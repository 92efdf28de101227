"""A patch as diffs, side by side where there is room, with the lines' own numbers.

Owns how a patch becomes what `textual_diff_view` shows. Must not know whose patch it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from textual import highlight
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static
from textual_diff_view import DiffView
from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchedFile, PatchSet

from tools.text import shown
from tools.text_filter import clip_line, printable

_LINES = 1_500
"""Lines of one file's hunks that are shown."""
_WIDE = 500
"""Characters of one line that are shown."""
_COMPARED = 1_500
"""Characters on either side that are compared letter by letter: the price is their product."""

_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.5
"""Share of the words that lines have in common where their differences are marked."""

Opcode = tuple[str, int, int, int, int]


@dataclass(slots=True)
class _Sides:
    """The lines of a file's hunks before and after, and where they stand in the file."""

    before: list[str]
    after: list[str]
    groups: list[list[Opcode]]
    """For each hunk its steps, as `difflib` writes them, in lines of the hunks."""
    shifts: list[tuple[int, int]]
    """For each hunk, what is added to its lines on either side to get the file's."""


def diffs(patch: str) -> list[Widget]:
    """A widget for each file of a patch; text where it is none."""
    try:
        files = PatchSet(patch)
    except UnidiffParseError:
        return [_plain(patch)]
    several = len(files) > 1
    return [part for file in files for part in _file(file, titled=several)] or [_plain(patch)]


def _plain(text: str) -> Widget:
    lines = [printable(clip_line(line, _WIDE)) for line in text.split("\n")[:_LINES]]
    return Static(Content("\n".join(lines)), classes="output")


def _file(file: PatchedFile, *, titled: bool) -> Iterator[Widget]:
    if titled:
        delta = f"+{file.added} \N{MINUS SIGN}{file.removed}"
        yield Static(Content(f"{shown(file.path)} {delta}"), classes="file")
    if not file:
        yield Static(Content("nothing that can be shown as lines"), classes="output")
        return
    sides, gone = _sides(file)
    yield HunkDiff(shown(file.path), sides)
    if gone:
        yield Static(Content(f"… {gone:,} lines left out …"), classes="output")


def _sides(file: PatchedFile) -> tuple[_Sides, int]:
    """A file's hunks, and how many of their lines are left out."""
    sides = _Sides([], [], [], [])
    gone = 0
    for hunk in file:
        if len(sides.before) + len(sides.after) > _LINES:
            gone += len(hunk)
            continue
        a, b = len(sides.before), len(sides.after)
        sides.shifts.append((max(0, hunk.source_start - 1) - a, max(0, hunk.target_start - 1) - b))
        steps: list[Opcode] = []
        lines = [line for line in hunk if line.line_type in " +-"][:_LINES]
        gone += len(hunk) - len(lines)
        for kind, run in groupby(lines, key=lambda line: line.line_type):
            texts = [_safe(line.value) for line in run]
            i, j = len(sides.before), len(sides.after)
            if kind != "+":
                sides.before += texts
            if kind != "-":
                sides.after += texts
            if kind == "+" and steps and steps[-1][0] == "delete":
                _, i1, i2, j1, _ = steps.pop()
                steps.append(("replace", i1, i2, j1, len(sides.after)))
            else:
                tag = {" ": "equal", "-": "delete", "+": "insert"}[kind]
                steps.append((tag, i, len(sides.before), j, len(sides.after)))
        sides.groups.append(steps)
    return sides, gone


def _alike(before: list[str], after: list[str]) -> bool:
    """Whether lines have so many words in common that the others are worth marking."""
    a: list[str] = _WORD.findall("\n".join(before))
    b: list[str] = _WORD.findall("\n".join(after))
    return SequenceMatcher(a=a, b=b, autojunk=False).ratio() >= _ALIKE


def _safe(line: str) -> str:
    return printable(clip_line(line.removesuffix("\n"), _WIDE)).expandtabs(4)


class HunkDiff(DiffView):
    """The hunks of one file."""

    def __init__(self, path: str, sides: _Sides) -> None:
        """
        Args:
            path: Safe to show.
        """
        kinds = {step[0] for steps in sides.groups for step in steps}
        both = "replace" in kinds or {"delete", "insert"} <= kinds  # else half of it were empty
        super().__init__(
            path, path, "", "", auto_split=both, split=False, wrap=True, annotations=True
        )
        self._sides = sides

    def compose(self) -> ComposeResult:
        yield from self.compose_split() if self.split else self.compose_unified()

    @property
    def grouped_opcodes(self) -> list[list[Opcode]]:
        return [
            [(tag, i1 + a, i2 + a, j1 + b, j2 + b) for tag, i1, i2, j1, j2 in steps]
            for steps, (a, b) in zip(self._sides.groups, self._sides.shifts, strict=True)
        ]

    @property
    def highlighted_code_lines(self) -> tuple[list[Content], list[Content]]:
        if self._highlighted_code_lines is None:
            before, after = self._coloured(self._sides.before), self._coloured(self._sides.after)
            added = self.get_visual_style("diff-view--inline-added")
            removed = self.get_visual_style("diff-view--inline-removed")
            for tag, i1, i2, j1, j2 in (step for steps in self._sides.groups for step in steps):
                if tag != "replace" or i2 - i1 != j2 - j1:
                    continue
                gone, come = self._sides.before[i1:i2], self._sides.after[j1:j2]
                if sum(map(len, gone)) > _COMPARED or not _alike(gone, come):
                    continue
                before[i1:i2], after[j1:j2] = self._highlight_diff_lines(
                    before[i1:i2], after[j1:j2], added, removed
                )
            self._highlighted_code_lines = self._placed(before, 0), self._placed(after, 1)
        return self._highlighted_code_lines

    def _coloured(self, lines: list[str]) -> list[Content]:
        if not lines:
            return []
        code = "\n".join(lines)
        language = highlight.guess_language(code, self.path_original)
        dark, ansi = self.app.current_theme.dark, self.app.native_ansi_color
        found = self.highlight(code, self.path_original, language, ansi=ansi, dark=dark)
        # The highlighter leaves out empty lines at the end.
        return [*found.split("\n", allow_blank=True), *[Content()] * len(lines)][: len(lines)]

    def _placed(self, lines: list[Content], side: int) -> list[Content]:
        """The lines at the places that they have in the file; nothing between them."""
        placed: list[Content] = []
        for steps, shift in zip(self._sides.groups, self._sides.shifts, strict=True):
            (_, a, _, b, _), (_, _, c, _, d) = steps[0], steps[-1]
            start, end = (b, d) if side else (a, c)
            placed += [Content()] * (start + shift[side] - len(placed))
            placed += lines[start:end]
        return placed
