"""Which symbols matter for a task: words, mentions, tracebacks, and what those refer to.

Owns the scoring. Must not know how the index is kept or shown.

An entry's score is the sum of: BM25 of the text against it and, less, against its file (Robertson
and Zaragoza, 2009); names and paths that the text mentions; the frames of tracebacks; and the
personalised PageRank of all that over the references between symbols, found by forward push
(Andersen, Chung and Lang, 2006), which visits only the neighbourhood of what scored.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush, nlargest
from math import log, sqrt

from tools.indexing.scan import WEIGHT_BITS
from tools.indexing.store import Store
from tools.indexing.terms import Query

_POSTINGS = 80_000
"""How many are read for one query, the rarest terms first."""
_FILES = 120
"""How many give their symbols to a ranking."""
_FILE_SHARE = 0.6
_MENTION = 1.0
_PATH = 1.0
_FRAME = 4.0
_TRACE = 3.0
_FADE = 0.6
"""A frame counts this much of the one it called."""
_RANK_SHARE = 0.5
_RESTART = 0.3
_SEEDS = 40
_PUSHES = 40
_KINDS = {ord("v"): 0.4, ord("i"): 0.15}
_TEST_FOLDERS = frozenset(("test", "tests", "testing", "__tests__"))
_TEST_STEMS = frozenset(("test", "tests", "conftest"))
_TEST_ENDINGS = ("_test", "_tests", ".test", ".spec", "-test", "_spec")
_ASIDE_FOLDERS = frozenset(
    (
        *("doc", "docs", "example", "examples", "sample", "samples", "benchmark", "benchmarks"),
        *("vendor", "vendored", "_vendor", "third_party", "node_modules"),
    )
)
"""Where a fault seldom is: documentation, examples, the code of others."""


class Scorer:
    """One ranking of one index."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.firsts, self.paths = store.owners()
        self.entries = [0.0] * store.end
        self.files = [0.0] * len(self.paths)
        self.owner = array("i", [-1]) * store.end
        for number, path in enumerate(self.paths):
            first, end = store.files[path].first, store.files[path].end
            self.owner[first:end] = array("i", [number]) * (end - first)
        self._by_name: dict[str, list[int]] | None = None
        self._definitions: dict[str, list[tuple[int, str]]] = {}

    def rank(
        self, query: Query, frames: Sequence[tuple[str, int]], include_tests: bool, limit: int
    ) -> list[tuple[int, float]]:
        """The best entries that are symbols, best first, with their scores.

        Args:
            query: What the text asks for.
            frames: Path and line, outermost first.
            include_tests: Do not put tests behind the rest.
            limit: How many at most.
        """
        self._words(query)
        self._mentions(query)
        self._frames(query, frames)
        self._references()
        bounds = []
        for number, path in enumerate(self.paths):
            file = self.store.files[path]
            most = max(self.entries[file.first : file.end])
            factor = _factor(path, include_tests)
            bounds.append(((most + _FILE_SHARE * self.files[number]) * factor, -number, factor))
        scored: list[tuple[float, int]] = []
        for _, number, factor in nlargest(_FILES, bounds):
            file = self.store.files[self.paths[-number]]
            share = _FILE_SHARE * self.files[-number]
            for entry in range(file.first + 1, file.end):
                weight = factor * _KINDS.get(file.kinds[entry - file.first], 1.0)
                scored.append(((self.entries[entry] + share) * weight, -entry))
        return [(-entry, score) for score, entry in nlargest(limit, scored)]

    def _words(self, query: Query) -> None:
        store, entries, files, owner = self.store, self.entries, self.files, self.owner
        found = [(store.postings(term), weight) for term, weight in query.terms.items()]
        found = sorted((pair for pair in found if pair[0]), key=lambda pair: len(pair[0]))
        count, left = max(len(entries), 1), _POSTINGS
        full = (1 << WEIGHT_BITS) - 1
        for postings, weight in found:
            left -= len(postings)
            if left < 0:
                break
            idf = log(1 + (count - len(postings) + 0.5) / (len(postings) + 0.5))
            table = [weight * idf * step / full for step in range(full + 1)]
            best: dict[int, float] = {}
            for posting in postings:
                entry = posting >> WEIGHT_BITS
                gain = table[posting & full]
                entries[entry] += gain
                file = owner[entry]
                if gain > best.get(file, 0.0):
                    best[file] = gain
            best.pop(-1, None)
            for file, gain in best.items():
                files[file] += gain
        self.entries = _normalised(entries)
        self.files = _normalised(files)

    def _mentions(self, query: Query) -> None:
        for name, weight in query.names.items():
            parts = name.split(".")
            known = self._defined(parts[-1])
            matches = [
                (entry, self._agreement(parts, entry, qualified)) for entry, qualified in known
            ]
            best = max((agreed for _, agreed in matches), default=0)
            chosen = [entry for entry, agreed in matches if agreed == best]
            for entry in chosen:
                gain = _MENTION * weight * (1.0 if best > 1 else 0.6) / sqrt(len(chosen))
                self.entries[entry] += gain
            if len(parts) > 1 and not known:
                for inner in parts[:-1]:
                    for entry, _ in (found := self._defined(inner)):
                        self.entries[entry] += _MENTION * weight * 0.3 / len(found)
                self._path("/".join(parts))
        for path in query.paths:
            self._path(path.rpartition(".")[0])

    def _agreement(self, parts: Sequence[str], entry: int, qualified: str) -> int:
        """How many of a dotted name's last parts agree with an entry's full name."""
        path = self.paths[self.owner[entry]].rpartition(".")[0]
        whole = [*path.split("/"), *qualified.split(".")]
        agreed = 0
        for ours, theirs in zip(reversed(parts), reversed(whole), strict=False):
            if ours != theirs:
                break
            agreed += 1
        return agreed

    def _path(self, path: str) -> None:
        """Raise the files whose path, without its ending, ends most like `path`."""
        matches = self._located(path)
        for number in matches:
            self.files[number] += _PATH / len(matches)

    def _located(self, path: str) -> list[int]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for number, known in enumerate(self.paths):
                stem = known.rpartition(".")[0]
                self._by_name[stem.rpartition("/")[2]].append(number)
                if stem.endswith("/__init__"):
                    self._by_name[stem.split("/")[-2]].append(number)
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        best = 0
        found: list[int] = []
        for number in self._by_name.get(parts[-1], ()) if parts else ():
            stem = self.paths[number].rpartition(".")[0].removesuffix("/__init__")
            agreed = 0
            for ours, theirs in zip(reversed(parts), reversed(stem.split("/")), strict=False):
                if ours != theirs:
                    break
                agreed += 1
            if agreed >= best:
                found = [*found, number] if agreed == best else [number]
                best = agreed
        return found if len(found) <= 10 else []

    def _frames(self, query: Query, frames: Sequence[tuple[str, int]]) -> None:
        for distance, (path, line) in enumerate(reversed(frames)):
            if path in self.store.files:
                self._frame(path, line, "", _FRAME * _FADE**distance)
        quoted = [
            (located, trace)
            for trace in query.traces
            if len(located := self._located(trace.path.rpartition(".")[0])) == 1
        ]
        for distance, (located, trace) in enumerate(reversed(quoted)):
            weight = _TRACE * _FADE**distance
            self._frame(self.paths[located[0]], trace.line, trace.function, weight)

    def _frame(self, path: str, line: int, function: str, weight: float) -> None:
        """Raise the innermost symbol at a line; by its function's name where that is known."""
        first = self.store.files[path].first
        spans = [
            (symbol.last_line - symbol.first_line, first + 1 + number)
            for number, symbol in enumerate(self.store.symbols(path))
            if (symbol.name.rpartition(".")[2] == function)
            or (symbol.first_line <= line <= symbol.last_line and not function)
        ]
        if spans:
            self.entries[min(spans)[1]] += weight
        self.files[self.owner[first]] += weight / 2

    def _references(self) -> None:
        """Spread the scores along the references: what is used by what matters, matters."""
        seeds = nlargest(_SEEDS, range(len(self.entries)), key=self.entries.__getitem__)
        total = sum(self.entries[entry] for entry in seeds)
        if total <= 0:
            return
        rest = {entry: self.entries[entry] / total for entry in seeds}
        rank: defaultdict[int, float] = defaultdict(float)
        queue = [(-share, entry) for entry, share in rest.items()]
        queue.sort()
        for _ in range(_PUSHES):
            if not queue:
                break
            _, entry = heappop(queue)
            share = rest.pop(entry, 0.0)
            rank[entry] += _RESTART * share
            targets = self._targets(entry) if share > 0 else {}
            weights = sum(targets.values())
            for target, weight in targets.items():
                gain = (1 - _RESTART) * share * weight / weights
                rest[target] = rest.get(target, 0.0) + gain
                heappush(queue, (-rest[target], target))
        for entry, share in rest.items():
            rank[entry] += _RESTART * share
        top = max(rank.values())
        for entry, share in rank.items():
            self.entries[entry] += _RANK_SHARE * share / top

    def _targets(self, entry: int) -> dict[int, float]:
        """What an entry refers to; a name that its own file defines means that definition."""
        targets: dict[int, float] = {}
        owner = self.owner[entry]
        if owner < 0:
            return targets
        for name in self.store.uses(entry):
            known = self._defined(name)
            near = [found for found, _ in known if self.owner[found] == owner]
            chosen = near or [found for found, _ in known]
            if len(chosen) <= 10:
                for found in chosen:
                    if found != entry:
                        targets[found] = targets.get(found, 0.0) + 1 / len(chosen)
        return targets

    def _defined(self, name: str) -> list[tuple[int, str]]:
        if name not in self._definitions:
            self._definitions[name] = self.store.definitions(name)
        return self._definitions[name]


def _factor(path: str, include_tests: bool) -> float:
    """How much a file's symbols count, by what kind of file it is."""
    *folders, name = path.split("/")
    stem = name.rpartition(".")[0]
    factor = 1.0
    if not include_tests and (
        stem.startswith("test_")
        or stem in _TEST_STEMS
        or stem.endswith(_TEST_ENDINGS)
        or not _TEST_FOLDERS.isdisjoint(folders)
    ):
        factor = 0.2
    generated = stem.endswith(".min") or ("migrations" in folders and stem[:1].isdigit())
    if generated or not _ASIDE_FOLDERS.isdisjoint(folders):
        factor *= 0.4
    return factor


def _normalised(scores: list[float]) -> list[float]:
    top = max(scores, default=0.0)
    return [score / top for score in scores] if top > 0 else scores
