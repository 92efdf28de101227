"""The outline of a repository: its symbols, ranked for a task, within a budget of tokens.

Owns what the outline says and the tool that shows it. Must not know the index's files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field

from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.errors import ToolError
from tools.syntax import Kind, Symbol, language_of

if TYPE_CHECKING:
    from pathlib import Path

    from tools.indexing.store import Store
    from tools.workspace import Workspace

T = TypeVar("T")

LONGEST_TEXT = 100_000
"""Characters of a task that are read."""
LIMIT = 500
"""Symbols that a ranking holds; a smaller repository's are all in it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A place that a traceback names."""

    path: str
    """Relative to the workspace."""
    line: int
    """1-based."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A symbol and how much it matters; scores compare within one ranking only."""

    path: str
    symbol: Symbol
    score: float


class Index:
    """The symbols and references of every source file of a workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def build(cls, workspace: Workspace, cache: Path | None) -> Index:
        """Index a workspace: all of it the first time, then what has changed.

        Args:
            workspace: Its `files()` are indexed, those in a language that has a grammar.
            cache: The folder that keeps the index; None keeps it in memory.
        """
        # 10 ms with SQLite; only needed by a run that reads code
        from tools.indexing.store import Store

        root = str(workspace.root)
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:24]
        store = Store(root, None if cache is None else cache / f"{name}.sqlite")
        store.update([path for path in workspace.files() if _indexed(path)])
        return cls(store)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files in the index, sorted."""
        return tuple(sorted(self._store.files))

    def symbols(self, path: str) -> tuple[Symbol, ...]:
        """A file's symbols in the order of the file; empty for a path that is not indexed."""
        return self._sound(lambda: self._store.symbols(path))

    def rank(
        self, text: str, frames: Sequence[Frame] = (), include_tests: bool = False
    ) -> tuple[Ranked, ...]:
        """The symbols that matter for a task, best first, at most `LIMIT`.

        Args:
            text: The task in any words: prose, code, tracebacks.
            frames: Where a failing run has been, outermost first; they weigh most.
            include_tests: Rank tests like other code.
        """
        # 4 ms; only needed to rank
        from tools.indexing.rank import Scorer
        from tools.indexing.terms import parse

        places = [(frame.path, frame.line) for frame in frames]
        query = parse(text[:LONGEST_TEXT])

        def ranked() -> tuple[Ranked, ...]:
            best = Scorer(self._store).rank(query, places, include_tests, LIMIT)
            return tuple(self._ranked(best))

        return self._sound(ranked)

    def refresh(self, paths: Iterable[str]) -> None:
        """Read files again after edits; one that is gone leaves the index."""
        chosen = sorted({path for path in paths if _indexed(path)})
        gone = [path for path in chosen if not os.path.lexists(f"{self._store.root}/{path}")]
        self._store.replace([path for path in chosen if path not in gone], gone)

    def _ranked(self, best: Iterable[tuple[int, float]]) -> Iterator[Ranked]:
        for entry, score in best:
            path = self._store.owner(entry)
            if path is not None:
                symbols = self._store.symbols(path)
                number = entry - self._store.files[path].first - 1
                if number < len(symbols):
                    yield Ranked(path, symbols[number], score)

    def _sound(self, read: Callable[[], T]) -> T:
        """What `read` finds; if the database proves damaged, after building it anew."""
        # Loaded with the store; not needed to import this module
        from sqlite3 import DatabaseError

        try:
            return read()
        except (DatabaseError, ValueError):
            self._store.rebuild()
            return read()


def render(ranked: Sequence[Ranked], index: Index, budget: int, count: Callable[[str], int]) -> str:
    """Files with the lines that name their best symbols, as many as fit; empty if none does.

    Args:
        ranked: Best first; a file stands where its best symbol does.
        index: Knows the classes that the symbols are in, which are shown with them.
        budget: Tokens.
        count: A text's length in tokens.
    """
    shown = [item for item in ranked if item.symbol.kind is not Kind.IMPORTS]
    low, high, best = 0, len(shown), ""
    while low < high:
        middle = (low + high + 1) // 2
        text = _draw(shown[:middle], index)
        if count(text) <= budget:
            low, best = middle, text
        else:
            high = middle - 1
    return best


class OutlineArgs(Arguments):
    """What the outline is for."""

    query: str = Field(description="what the task is about: words, names, an error message")
    path: str | None = Field(default=None, description="file or folder to stay within")


class Outline(Tool[OutlineArgs]):
    """Shows where things are, without their bodies."""

    name = "outline"
    description = (
        "List the files, classes and functions that matter for a query, with line numbers. "
        "With a path, only what is in that file or folder."
    )
    Args = OutlineArgs
    effect = Effect.READ

    def __init__(
        self, index: Callable[[], Index], budget: int, count: Callable[[str], int]
    ) -> None:
        """Prepare the tool.

        Args:
            index: The workspace's index, as it is when the tool runs.
            budget: Tokens of an answer.
            count: A text's length in tokens.
        """
        self._index = index
        self._budget = budget
        self._count = count

    def run(self, args: OutlineArgs, cancel: Cancel) -> ToolResult:
        index = self._index()
        ranked = index.rank(args.query)
        if args.path is not None:
            ranked = _within(index, ranked, args.path)
        text = render(ranked, index, self._budget, self._count)
        if not text:
            raise ToolError("There are no symbols to show here. Use search to look for text.")
        files = text.count("\n\n") + 1
        return ToolResult(text, f"outline: {files} {'file' if files == 1 else 'files'}")


def _within(index: Index, ranked: Sequence[Ranked], path: str) -> tuple[Ranked, ...]:
    """All symbols of a file or folder: the ranked ones first, the rest in their order."""
    wanted = os.path.normpath(path)
    paths = [
        known
        for known in index.paths
        if wanted in (".", known) or known.startswith(wanted.rstrip("/") + "/")
    ]
    if not paths:
        raise ToolError(f"No source file is at {path!r}. Leave path out to see what there is.")
    inside = set(paths)
    found = {(item.path, item.symbol): item for item in ranked if item.path in inside}
    for known in paths:
        for symbol in index.symbols(known):
            found.setdefault((known, symbol), Ranked(known, symbol, 0.0))
    return tuple(found.values())


def _draw(ranked: Sequence[Ranked], index: Index) -> str:
    files: dict[str, set[Symbol]] = {}
    for item in ranked:
        files.setdefault(item.path, set()).add(item.symbol)
    return "\n\n".join(_draw_file(path, chosen, index) for path, chosen in files.items())


def _draw_file(path: str, chosen: set[Symbol], index: Index) -> str:
    """The chosen symbols by line, and the classes around them."""
    lines = [path]
    around: list[tuple[Symbol, bool]] = []
    previous = 0
    for symbol in index.symbols(path):
        while around and around[-1][0].end <= symbol.start:
            around.pop()
        if symbol in chosen:
            for number, (outer, drawn) in enumerate(around):
                if not drawn and outer.kind is Kind.CLASS:
                    lines.append(_line(outer, number))
                around[number] = (outer, True)
            if symbol.first_line != previous:  # `a, b = 1, 2` is two symbols on one line
                lines.append(_line(symbol, len(around)))
            previous = symbol.first_line
        around.append((symbol, symbol in chosen))
    return "\n".join(lines)


def _line(symbol: Symbol, depth: int) -> str:
    return f"{symbol.first_line:>5} {'  ' * depth}{symbol.signature}"


def _indexed(path: str) -> bool:
    """Whether a path has a grammar, and can be shown on one line."""
    return language_of(path) is not None and path.isprintable()
