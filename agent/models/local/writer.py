"""One answer in the making: tokens chosen or forced, their text, what of it is thought.

Owns the path from logits to text: sampling, forcing, incremental UTF-8, stop strings, the split
of reasoning from speech, the limits. Must not know forms.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence

from agent.models.base import ReasoningDelta, Sampling, TextDelta
from agent.models.local.driver import Aborted, Doubt, Driver
from agent.models.local.sampler import Sampler
from agent.models.local.structure import Matcher

Emit = Callable[[TextDelta | ReasoningDelta], None]

_PAUSE = 0.02
"""Seconds between two deltas at least: what is faster is sent together."""

_OPEN, _CLOSE = "<think>", "</think>"


class Full(Exception):
    """The answer has as many tokens as it may."""


class Stopped(Exception):
    """The answer came to a stop string."""


class Writer:
    """Writes one answer into the driver's cache and tells of it as it grows.

    A chosen token is evaluated only when the next one is wanted, so one that turns out unwelcome
    costs nothing to put back, and the last one is read together with the next request.
    """

    def __init__(
        self,
        driver: Driver,
        sampling: Sampling,
        emit: Emit,
        *,
        limit: int,
        stops: Sequence[str] = (),
        thinking: bool = False,
    ) -> None:
        self.output: list[int] = []
        self.sampled = 0
        self.text = ""
        self._opened, self._closed = thinking, False
        self._telling_thought = thinking
        self._driver = driver
        self._sampler = Sampler(driver, sampling)
        self._emit = emit
        self._limit = limit
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting: list[int] = []
        self._told = 0
        self._spoken = False
        self._next_delta = 0.0

    @property
    def line(self) -> str:
        """What stands in the last line so far."""
        return self.text[self.text.rfind("\n") + 1 :]

    @property
    def thinking(self) -> bool:
        """Whether what comes next belongs to a thought."""
        if self._closed or not (self._opened or self.text.lstrip().startswith(_OPEN)):
            return False
        self._closed = _CLOSE in self.text
        return not self._closed

    def choose(self, matcher: Matcher | None = None) -> int:
        """Choose the next token, by the matcher's leave; nothing is written yet.

        Raises:
            Full, Aborted, StructureError: The answer cannot go on.
        """
        if len(self.output) >= self._limit:
            raise Full
        if self._driver.aborting:
            raise Aborted
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._driver.evaluate(waiting)
        token = self._sampler.choose()
        self.sampled += 1
        if matcher is not None and not matcher.accepts(token):
            # Most choices are allowed, and trying one is a hundred times cheaper than a mask.
            matcher.restrict(self._driver.logits())
            token = self._sampler.choose()
            matcher.consume([token])
        return token

    def ends(self, token: int) -> bool:
        return token in self._driver.ends

    def peek(self, token: int) -> str:
        """The text of a token as far as it is whole letters."""
        return self._driver.piece(token).decode("utf-8", "ignore")

    def doubts(self, tokens: Sequence[int]) -> tuple[Doubt, ...]:
        """Where the model would not go on with these tokens; see `Driver.doubts`."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._driver.evaluate(waiting)
        return self._driver.doubts(tokens)

    def tokenize(self, text: str) -> list[int]:
        """The tokens of plain text."""
        return self._driver.tokenize(text, special=False)

    def text_of(self, tokens: Sequence[int]) -> str:
        """What tokens say, as far as it is whole letters."""
        return b"".join(map(self._driver.piece, tokens)).decode("utf-8", "ignore")

    def write(self, tokens: Sequence[int]) -> None:
        """Append tokens to the answer.

        Raises:
            Full: Not all of them found room.
            Stopped: The text now held a stop string; it and what follows are cut off.
        """
        for token in tokens:
            if len(self.output) >= self._limit:
                raise Full
            self.output.append(token)
            self._waiting.append(token)
            self.text += self._decoder.decode(self._driver.piece(token))
        if self._stops:
            self._check_stops()
        self._tell()

    def drop(self) -> None:
        """Take back the token that `choose` gave last."""
        self.sampled -= 1

    def force(self, text: str) -> None:
        """Append this text, tokenised by itself."""
        if text:
            self.write(self.tokenize(text))

    def follow(self, matcher: Matcher, until: int | None = None) -> None:
        """Write what the matcher allows, forced tokens unsampled, until it is done.

        Args:
            matcher: What may come.
            until: Or until the text has this many characters.
        """
        while not matcher.done and (until is None or len(self.text) < until):
            forced = matcher.forced()
            if forced:
                self.write(forced)
                continue
            token = self.choose(matcher)
            if self.ends(token):
                self.drop()
                return
            self.write([token])

    def close(self) -> None:
        """Tell the rest, half letters replaced."""
        self.text += self._decoder.decode(b"", final=True)
        self._next_delta = 0.0
        self._tell(rest=True)
        self._sampler.close()

    def _check_stops(self) -> None:
        first = min(
            (at for stop in self._stops if (at := self.text.find(stop, self._told)) >= 0),
            default=-1,
        )
        if first < 0:
            return
        self.text = self.text[:first]
        kept = self.text.encode()
        while self.output and sum(len(self._driver.piece(t)) for t in self.output) > len(kept):
            self.output.pop()
        size = sum(len(self._driver.piece(token)) for token in self.output)
        self.output += self._driver.tokenize(kept[size:].decode("utf-8", "ignore"), special=False)
        self._decoder.reset()
        self._waiting.clear()
        raise Stopped

    def _tell(self, *, rest: bool = False) -> None:
        """Emit what is certain: not the beginning of a tag or of a stop string."""
        now = time.monotonic()
        if now < self._next_delta:
            return
        self._next_delta = now + _PAUSE
        marks = (
            self._stops
            if self._spoken and not self._telling_thought
            else (*self._stops, _OPEN, _CLOSE)
        )
        while self._told < len(self.text):
            new = self.text[self._told :]
            if not self._spoken and not self._telling_thought:
                bare = new.lstrip()
                if bare.startswith(_OPEN):
                    self._telling_thought = True
                    self._told = len(self.text) - len(bare) + len(_OPEN)
                    continue
                if not rest and (not bare or _OPEN.startswith(bare)):
                    return
                self._spoken = True
            if self._telling_thought:
                thought, closed, _ = new.partition(_CLOSE)
                if closed:
                    self._say(thought)
                    self._told += len(_CLOSE)
                    self._telling_thought, self._spoken = False, True
                    continue
            keep = 0 if rest else _overlap(new, marks)
            if len(new) > keep:
                self._say(new[: len(new) - keep])
            return

    def _say(self, text: str) -> None:
        self._told += len(text)
        if text:
            self._emit(ReasoningDelta(text) if self._telling_thought else TextDelta(text))


def _overlap(text: str, marks: Sequence[str]) -> int:
    """The length of the longest end of the text that one of the marks begins with."""
    longest = 0
    for mark in marks:
        for size in range(min(len(mark) - 1, len(text)), longest, -1):
            if text.endswith(mark[:size]):
                longest = size
                break
    return longest
