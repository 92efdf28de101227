"""Other texts for a gap, where the model doubts what is in it (fill-in-the-middle).

A model that is asked to write code anew copies what it sees, faults included. Between what stands
before and behind a gap it has nothing to copy: where it would have gone on otherwise than the
text does is where a fault is likely, and what it would have written is likely to mend it.
Must not know what the text is.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.messages import ToolCall
from agent.models.base import INFILL, Gap, Infill, Usage
from agent.models.local.driver import Driver, InfillTokens

T = TypeVar("T")

LONGEST = 48
"""Tokens of another text."""
LINES = 3
"""Lines of one."""
_SAME = 8
"""Characters by which the line behind the gap is recognised."""


@dataclass(slots=True)
class Infiller:
    """Fills gaps in the driver's sequence, and counts what that takes."""

    driver: Driver
    marks: InfillTokens
    wanted: Infill
    room: int
    """Tokens that may be written."""
    progress: Callable[[int, int], object] = max
    """Told of the tokens that were read, and of how many they will be."""
    evaluated: int = 0
    reused: int = 0
    output: int = 0
    reading: float = 0.0
    """Seconds that what was evaluated took."""

    def calls(self) -> Iterator[tuple[ToolCall, str]]:
        """Each other text of each gap as a call, and in a difference for those who watch.

        Raises:
            Aborted, DecodeFailed: As the driver does.
        """
        ids = itertools.count(1)
        for number, gap in enumerate(self.wanted.gaps):
            if not self.wanted.each:
                if (likelihood := self.likelihood(gap)) is not None:
                    rated = {"gap": number, "text": gap.piece, "likelihood": likelihood}
                    yield ToolCall(f"{INFILL}_{next(ids)}", INFILL, rated), ""
                continue
            old = _lines("-", gap.piece)
            for text, likely in self.alternatives(gap):
                arguments = {"gap": number, "text": text, "probability": likely}
                call = ToolCall(f"{INFILL}_{next(ids)}", INFILL, arguments)
                yield call, f"{old}{_lines('+', text)}"
                old = ""

    def usage(self, seconds: float) -> Usage:
        """What all of it took."""
        read, output = self.evaluated, self.output
        return Usage(
            prompt=self.reused + read,
            reused=self.reused,
            evaluated=read,
            new=read,
            output=output,
            sampled=output,
            prompt_seconds=self.reading,
            output_seconds=seconds - self.reading,
        )

    def alternatives(self, gap: Gap) -> Iterator[tuple[str, float]]:
        """Other texts for one gap, the likeliest first, and how likely they are.

        Raises:
            Aborted, DecodeFailed: As the driver does.
        """
        driver, piece = self.driver, self._tokens(gap.piece)
        prompt = self._begun(gap, piece)
        if not prompt:
            return
        doubts = self._timed(driver.read_doubting, prompt, piece)
        known = {gap.piece.strip(), ""}
        left = self.wanted.each
        for doubt in doubts:
            if not left or doubt.probability < self.wanted.least or self.output >= self.room:
                return
            head = [*piece[: doubt.index - 1], doubt.token]
            driver.keep([*prompt, *head])
            self._read([*prompt, *head[:-1]])
            text = self._written(head, gap)
            if text not in known:
                known.add(text)
                left -= doubt.token not in driver.ends  # the beginning of the piece cost nothing
                yield text, doubt.probability

    def likelihood(self, gap: Gap) -> float | None:
        """The natural logarithm of how likely a gap's own text is; None if that is too long.

        Raises:
            Aborted, DecodeFailed: As the driver does.
        """
        piece = self._tokens(gap.piece)
        prompt = self._begun(gap, piece)
        return self._timed(self.driver.read_rating, prompt, piece) if prompt else None

    def _begun(self, gap: Gap, piece: Sequence[int]) -> list[int]:
        """Read what is around a gap, but for the last token; empty if there is no room for it."""
        marks, bos = self.marks, self.driver.bos()
        before, after = self._tokens(gap.before), self._tokens(gap.after)
        begin = [marks.prefix] if bos is None else [bos, marks.prefix]
        prompt = [*begin, *before, marks.suffix, *after, marks.middle]
        if len(prompt) + len(piece) + LONGEST >= self.driver.n_context:
            return []
        self.reused += self.driver.keep(prompt)
        self._read(prompt[:-1])
        return prompt

    def _timed(
        self, read: Callable[[Sequence[int]], T], prompt: Sequence[int], piece: Sequence[int]
    ) -> T:
        """Read a piece in its gap."""
        began = time.monotonic()
        found = read([prompt[-1], *piece, min(self.driver.ends)])
        self.reading += time.monotonic() - began
        self.evaluated += len(piece) + 2
        return found

    def _read(self, tokens: Sequence[int]) -> None:
        """Evaluate what the cache does not hold yet."""
        unread = tokens[len(self.driver.held) :]
        began = time.monotonic()
        self.driver.evaluate(unread, lambda done: self.progress(done, len(unread)))
        self.reading += time.monotonic() - began
        self.evaluated += len(unread)

    def _written(self, head: Sequence[int], gap: Gap) -> str:
        """The text that begins with these tokens, of which only the last is not the gap's own."""
        ends = self.driver.ends | {self.marks.prefix, self.marks.suffix, self.marks.middle}
        following = next(filter(None, map(str.strip, gap.after.splitlines())), "")
        most = max(LINES, gap.piece.count("\n") + 1)
        tokens = list(head)
        text = self._text(tokens[:-1])
        own = len(text)
        while tokens[-1] not in ends:
            text = self._text(tokens)
            *lines, last = text.split("\n")
            over = len(lines) == most or _begins(following, last.strip())
            if "\n" in text[own:] and (over or not lines[-1].strip()):
                return "\n".join(lines).strip()
            stops = [at for stop in self.wanted.stop if (at := text.find(stop, own)) >= 0]
            if stops:
                return text[: min(stops)].strip()
            if len(tokens) - len(head) == LONGEST or self.output >= self.room:
                return ""  # it has no end
            self.driver.evaluate(tokens[-1:])
            tokens.append(int(self.driver.logits().argmax()))
            self.output += 1
        return text.strip()

    def _text(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self.driver.piece, tokens)).decode("utf-8", "ignore")

    def _tokens(self, text: str) -> list[int]:
        return self.driver.tokenize(text, special=False)


def _lines(sign: str, text: str) -> str:
    return "".join(f"{sign} {line}\n" for line in text.split("\n"))


def _begins(line: str, words: str) -> bool:
    """Whether a line is these words, or begins with so many of them that it will be."""
    return bool(line) and (words == line or (len(words) >= _SAME and line.startswith(words)))
