"""What a program prints, told while it runs: in few pieces, however much and however fast it comes.

Owns the pace, what of a flood is told, and where a text may be cut. Must not know what is run, nor
who is told.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tools.base import Cancel, Heard
from tools.text_filter import printable

PACE = 0.1
"""Seconds between two pieces, at least."""
MOST = 8_000
"""Bytes between two pieces that are told: the last ones."""
_LINE = 2_000
"""Characters of a line without an end that are told: the last ones."""
_SEQUENCE = 64
"""Characters after which a terminal sequence without an end is taken for text."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Piece:
    """What came since the piece before it, safe to show."""

    text: str
    """Whole lines, each with its end."""
    line: str = ""
    """The line that has no end yet: it takes the place of the one told before."""
    left_out: int = 0
    """Bytes before `text` that are told by no piece."""
    cut: bool = False
    """Whether only the end of `line` is there."""


def aloud(
    work: Callable[[Cancel, Heard], T],
    cancel: Cancel,
    *,
    patience: float = 0.0,
    most: int = MOST,
) -> Generator[Piece, None, T]:
    """Do something in a thread of its own, and tell meanwhile what it prints.

    Where the generator is closed before the end, the work is cancelled and waited for.

    Args:
        work: Is given a flag to look at, and what takes the output.
        patience: Seconds before the first piece. What ends well before that tells none: its
            result has it all.
        most: Bytes between two pieces that are told: the last ones.

    Returns:
        What the work returns. What it raises is raised here, after its last piece.
    """
    job = _Job(work, cancel, _Gathered(most))
    thread = threading.Thread(target=job.run, name="tool", daemon=True)
    thread.start()
    try:
        told = patience == 0.0
        job.over.wait(patience)
        while not job.over.is_set():
            job.gathered.news.wait()
            piece = job.gathered.take()
            if piece is not None:
                told = True
                yield piece
            job.over.wait(PACE)
        if (told or job.error is not None) and (piece := job.gathered.take()) is not None:
            yield piece
    finally:
        job.stopped = True
        thread.join()
    if job.error is not None:
        raise job.error
    return job.results[0]


def telling(
    work: Callable[[Cancel, Heard], T],
    cancel: Cancel,
    tell: Callable[[Piece], object],
    *,
    most: int = MOST,
) -> T:
    """As `aloud`, for who is told rather than looks: each piece is handed on."""
    pieces = aloud(work, cancel, most=most)
    while True:
        try:
            tell(next(pieces))
        except StopIteration as end:
            result: T = end.value
            return result


class _Job(Generic[T]):
    """Work in its thread; to the work, the flag that it looks at."""

    def __init__(
        self, work: Callable[[Cancel, Heard], T], cancel: Cancel, gathered: _Gathered
    ) -> None:
        self._work = work
        self._cancel = cancel
        self.gathered = gathered
        self.stopped = False
        self.over = threading.Event()
        self.results: list[T] = []
        """One, where it ended well."""
        self.error: BaseException | None = None

    def is_set(self) -> bool:
        return self.stopped or self._cancel.is_set()

    def run(self) -> None:
        try:
            self.results.append(self._work(self, self.gathered.hear))
        except BaseException as error:  # raised again where the work was wanted
            self.error = error
        self.over.set()
        self.gathered.news.set()


class _Gathered:
    """What was printed since the last piece: heard in one thread, taken in another."""

    def __init__(self, most: int) -> None:
        self.news = threading.Event()
        self._most = most
        self._lock = threading.Lock()
        self._new = bytearray()
        self._lost = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        """The last line, raw."""
        self._cut = False
        """Whether its beginning is gone."""

    def hear(self, data: bytes) -> None:
        with self._lock:
            self._new += data
            extra = len(self._new) - self._most
            if extra > 0:
                self._lost += extra
                del self._new[:extra]
        self.news.set()

    def take(self) -> Piece | None:
        """What is new; None where nothing is."""
        self.news.clear()
        with self._lock:
            new, lost = bytes(self._new), self._lost
            self._new.clear()
            self._lost = 0
        if not new:
            return None
        if lost:
            self._decoder.reset()
            lost += _size(self._line)
            self._line, self._cut = "", True
        raw = self._line + self._decoder.decode(new)
        if lost:
            raw = raw.lstrip("\ufffd")  # a character that was cut
        if self._cut and "\n" in raw:  # of what is told as whole, nothing may be gone
            begun, _, raw = raw.partition("\n")
            lost += _size(begun) + 1
            self._cut = False
        whole, end, self._line = raw.rpartition("\n")
        self._shorten()
        line, cut = self._shown()
        return Piece(printable(whole + end), line, lost, cut)

    def _shorten(self) -> None:
        """Keep of the last line what a terminal would still show, and no more than is bearable."""
        if len(self._line) > self._most:
            start = self._line.rstrip("\r").rfind("\r") + 1
            self._line, self._cut = self._line[start:], self._cut and not start
        if len(self._line) > self._most:
            self._line, self._cut = self._line[-self._most :], True

    def _shown(self) -> tuple[str, bool]:
        """The last line as it is told, and whether its beginning is left out."""
        line = self._line
        begun = line.rfind("\x1b")
        # What may be a sequence when the rest of it has come.
        if 0 <= len(line) - begun <= _SEQUENCE and printable(line[begun:]).startswith("\\x1b"):
            line = line[:begun]
        cut = self._cut and "\r" not in line.rstrip("\r")
        line = printable(line)
        return line[-_LINE:], cut or len(line) > _LINE


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
