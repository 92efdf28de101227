"""A file's bytes as text that can be edited, and back, with every other byte as it was.

Owns encodings, byte order marks, line endings and how lines are numbered for a model. Must not
know files, workspaces or what an edit means.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import AnyStr

from tools.errors import ToolError
from tools.text_filter import printable

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\w+|[^\w \t]")


@dataclass(frozen=True, slots=True)
class SourceText:
    """Text with `\\n` between its lines, and what it takes to write it back."""

    text: str
    original: str
    """The same with its own line endings, without the byte order mark."""
    newline: str
    """The line ending that most lines have."""
    encoding: str
    """`utf-8`, or `latin-1` where the bytes are not UTF-8."""
    mark: bytes
    """The byte order mark, or nothing."""

    @classmethod
    def of(cls, data: bytes) -> SourceText:
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        body = data[len(mark) :]
        encoding = "utf-8"
        try:
            original = body.decode(encoding)
        except UnicodeDecodeError:
            encoding = "latin-1"
            original = body.decode(encoding)
        windows = original.count("\r\n")
        newline = "\r\n" if windows * 2 > original.count("\n") else "\n"
        return cls(original.replace("\r\n", "\n"), original, newline, encoding, mark)

    def with_text(self, text: str) -> bytes:
        """The bytes of a new text. Lines that were there keep their own line endings.

        Args:
            text: With `\\n` between lines.

        Raises:
            ToolError: It has characters that the file's encoding lacks.
        """
        if self.newline.join(self.text.split("\n")) == self.original:
            body = text.replace("\n", self.newline)
        else:
            body = "".join(self._merged(text))
        try:
            return self.mark + body.encode(self.encoding)
        except UnicodeEncodeError as error:
            what = body[error.start : error.end]
            raise ToolError(f"The file is {self.encoding}, which cannot hold {what!r}.") from error

    def _merged(self, text: str) -> list[str]:
        """The lines of a new text with endings: their own where they were there before."""
        kept = _LINE.findall(self.original)
        new = _LINE.findall(text)
        merged: list[str] = []
        for tag, start, end, first, last in opcodes(_LINE.findall(self.text), new):
            if tag == "equal":
                merged += kept[start:end]
                continue
            endings = ["\r\n" if line.endswith("\r\n") else "\n" for line in kept[start:end]]
            for index, line in enumerate(new[first:last], 1):
                # A changed line keeps its ending, and the last one that of the last before.
                if endings and index == last - first:
                    ending = endings[-1]
                elif index < len(endings):
                    ending = endings[index - 1]
                else:
                    ending = self.newline
                merged.append(line.replace("\n", ending))
        return merged


Opcode = tuple[str, int, int, int, int]


def opcodes(before: Sequence[str], after: Sequence[str]) -> list[Opcode]:
    """The steps from one sequence to the other, as `difflib` writes them.

    What both begin and end with is matched as such, so nothing outside a change is touched.
    """
    shorter = min(len(before), len(after))
    head = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    tail = next(
        (i for i in range(shorter - head) if before[-1 - i] != after[-1 - i]), shorter - head
    )
    steps: list[Opcode] = [("equal", 0, head, 0, head)] if head else []
    matcher = SequenceMatcher(
        None, before[head : len(before) - tail], after[head : len(after) - tail]
    )
    for tag, start, end, first, last in matcher.get_opcodes():
        steps.append((tag, start + head, end + head, first + head, last + head))
    if tail:
        steps.append(("equal", len(before) - tail, len(before), len(after) - tail, len(after)))
    return steps


def common_start(one: AnyStr, other: AnyStr) -> int:
    """How many characters, or bytes, both begin with."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, True, key=lambda length: one[:length] != other[:length])


def changed_span(old: AnyStr, new: AnyStr) -> tuple[int, int, int]:
    """Where two texts differ: the start in both, the end in the one and in the other."""
    start = common_start(old, new)
    same = common_start(old[start:][::-1], new[start:][::-1])
    return start, len(old) - same, len(new) - same


def line_delta(before: str, after: str) -> tuple[int, int]:
    """How many lines were added and how many removed."""
    added = removed = 0
    for tag, start, end, first, last in opcodes(_LINE.findall(before), _LINE.findall(after)):
        if tag != "equal":
            removed += end - start
            added += last - first
    return added, removed


def numbered(lines: Sequence[str], first: int) -> str:
    """Lines as a model reads them: the number, a space, the line."""
    return "\n".join(
        f"{number} {line}" if line else str(number) for number, line in enumerate(lines, first)
    )


def line_at(text: str, offset: int) -> int:
    """The 1-based line that holds an offset."""
    return text.count("\n", 0, offset) + 1


def shown(text: str) -> str:
    """A path, or other text, as one line without control characters."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def difference(before: str, after: str) -> int:
    """Words and signs that are taken out or put in."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return sum(
        _changed(_WORD.findall("".join(old[a:b])), _WORD.findall("".join(new[c:d])))
        for tag, a, b, c, d in opcodes(old, new)
        if tag != "equal"
    )


def _changed(old: list[str], new: list[str]) -> int:
    return sum(b - a + d - c for tag, a, b, c, d in opcodes(old, new) if tag != "equal")
