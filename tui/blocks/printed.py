"""What a program prints, as its block keeps it while it comes: head and tail of a flood.

Owns what is kept and which lines of it are shown. Must not know what was run.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tools.live import Piece
from tools.text_filter import clip_line, printable

_HEAD = 8_000
"""Characters kept of the beginning."""
_TAIL = 100_000
"""Characters kept of the end."""
_LINE = 2_000
"""Characters of a line that are shown."""


@dataclass(slots=True, eq=False)
class Printed:
    """An output that goes on."""

    head: str = ""
    """The beginning, raw."""
    tail: deque[str] = field(default_factory=deque)
    """The last pieces, raw."""
    line: str = ""
    """What comes after them, and is still being written."""
    lines_in_all: int = 0
    _kept: int = 0
    """Characters of `tail`."""
    _cut: bool = False
    """Whether there was more between `head` and `tail`."""
    _gone: bool = False
    """Whether something of it was never told."""

    def write(self, piece: Piece) -> None:
        """Add output, of any size. A flood is not looked at."""
        text, self.line = piece.text, piece.line
        if piece.left_out:
            self._gone = True
            text = f"… {piece.left_out:,} bytes left out …\n{text}"
        self.lines_in_all += text.count("\n")
        room = _HEAD - len(self.head)
        self.head += text[:room] if room > 0 else ""
        text = text[max(0, room) :]
        if text:
            self.tail.append(text[-_TAIL:])
            self._kept += len(self.tail[-1])
        while self._kept - len(self.tail[0] if self.tail else "") > _TAIL:
            self._kept -= len(self.tail.popleft())
            self._cut = True

    def lines(self, most: int) -> list[str]:
        """At most so many of the lines: the first, a mark for those left out, the last."""
        end = "".join(self.tail) + self.line
        text = self.head if self._cut else self.head + end
        first = text.split("\n", most)
        if not self._cut and len(first) <= most:
            return [_shown(line) for line in first[: len(first) - (not first[-1])]]
        head = most // 3
        last = (end if self._cut else text).rstrip("\n").rsplit("\n", most - head)
        last = last[1:] if len(last) > most - head else last
        gone = self.lines_in_all - head - len(last)
        middle = [f"… {gone:,} lines left out …"] if gone > 0 else []
        return [*map(_shown, first[:head]), *middle, *map(_shown, last)]

    @property
    def whole(self) -> str:
        """All of it, raw; empty where something of it is gone."""
        return "" if self._cut or self._gone else "".join([self.head, *self.tail, self.line])

    def last(self, most: int) -> list[str]:
        """The last lines that are not blank."""
        pieces, size = [self.line], len(self.line)
        for piece in (*reversed(self.tail), self.head):
            pieces.append(piece)
            size += len(piece)
            if size > most * _LINE:
                break
        text = "".join(reversed(pieces))[-most * _LINE :]
        found = [line for line in text.split("\n") if line.strip()]
        return [_shown(line) for line in found[-most:]]


def _shown(line: str) -> str:
    return printable(clip_line(line, _LINE))
