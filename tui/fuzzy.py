"""Texts found by a few of their letters, among tens of thousands within a key's time.

Owns the search and its order. Must not know what the texts stand for.

All texts are searched as one by the regular expressions' engine, tier by tier, and no further than
the answer needs: those that begin with the query, those with a word that does, those that hold it,
those that hold its letters in their order. Within a tier the shorter text comes first.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

SCATTERED = 4
_WORDS = "._-: "
"""What a word begins after."""
_CANDIDATES = 200
"""Texts of the last tier that are compared with one another."""


@dataclass(frozen=True, slots=True)
class Match:
    """A text that was found."""

    index: int
    """Among the texts, as they were given."""
    marks: tuple[int, ...]
    """Places of the query's letters in it."""
    tier: int = 0
    """How well it matches; 0 is the whole text, `SCATTERED` the least."""


class Haystack:
    """Texts that can be searched again and again."""

    def __init__(self, texts: Sequence[str], *, ordered: bool = False) -> None:
        """
        Args:
            texts: None holds a line end.
            ordered: Whether they come best first; else the shortest are.
        """
        self._texts = texts
        order = range(len(texts))
        self._order = order if ordered else sorted(order, key=lambda at: len(texts[at]))
        lower = [_lower(texts[at]) for at in self._order]
        self._starts = array("L")
        position = 1
        for text in lower:
            self._starts.append(position)
            position += len(text) + 1
        self._all = "\n" + "\n".join(lower) + "\n"
        self._narrowed: tuple[str, list[int], Haystack] | None = None
        """A query, all texts that match it, and those alone: the next letter needs no others."""

    def search(self, query: str, limit: int) -> list[Match]:
        """The best, best first; all texts match a query without letters.

        Args:
            limit: Texts at most.
        """
        query = _lower("".join(query.split()))
        if not query:
            return [Match(at, ()) for at in islice(self._order, limit)]
        if self._narrowed is not None and query.startswith(self._narrowed[0]):
            _, there, few = self._narrowed
            hits = few.search(query, limit)
            return [replace(hit, index=there[hit.index]) for hit in hits]
        found: dict[int, Match] = {}
        for match in self._tiers(query, limit):
            found.setdefault(match.index, match)
            if len(found) >= limit:
                break
        return list(found.values())

    def _tiers(self, query: str, limit: int) -> Iterator[Match]:
        for before in ("\n", "/"):  # what a path ends with is what a file is called
            yield from self._literal(before, query, 1)
        for before in _WORDS:
            yield from self._literal(before, query, 2)
        yield from self._literal("", query, 3)
        letters = "".join(f"[^\n{re.escape(char)}]*+{re.escape(char)}" for char in query)
        most = max(limit, _CANDIDATES)
        hits = islice(re.finditer("\n" + letters, self._all), most)
        matches = [self._spread(hit.start() + 1, query) for hit in hits]
        if len(matches) < most < len(self._texts):
            there = [match.index for match in matches]
            few = Haystack([self._texts[at] for at in there], ordered=True)
            self._narrowed = query, there, few
        yield from sorted(matches, key=_gaps)

    def _literal(self, before: str, query: str, tier: int) -> Iterator[Match]:
        wanted, start = before + query, 0
        while (found := self._all.find(wanted, start)) >= 0:
            first = found + len(before)
            number = bisect_right(self._starts, first) - 1
            offset = first - self._starts[number]
            start = self._all.index("\n", first)  # once for each text
            whole = before == "\n" and start == first + len(query)
            marks = tuple(range(offset, offset + len(query)))
            yield Match(self._order[number], marks, 0 if whole else tier)

    def _spread(self, first: int, query: str) -> Match:
        number = bisect_right(self._starts, first) - 1
        end = self._all.index("\n", first)
        return Match(self._order[number], tuple(_places(self._all[first:end], query)), SCATTERED)


def _places(text: str, query: str) -> list[int]:
    """Where the letters stand: the last one first, each as late as may be before it."""
    places: list[int] = []
    end = len(text)
    # From behind, for what a name ends with tells more than its folders do.
    for char in reversed(query):
        end = text.rindex(char, 0, end)
        places.append(end)
    return places[::-1]


def _gaps(match: Match) -> tuple[int, int]:
    """How scattered the letters are."""
    places = match.marks
    groups = sum(1 for one, other in pairwise(places) if other != one + 1)
    return groups, places[-1] - places[0]


def _lower(text: str) -> str:
    """In small letters, each in its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower()[0] for c in text)
