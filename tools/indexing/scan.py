"""Files to index entries: their symbols and, for each, how strongly it holds which terms.

Owns what is read from a workspace and the processes that share the reading of a large one. Must
not know the database or the ranking. Everything that crosses a process is made of plain tuples,
for `marshal`.
"""

from __future__ import annotations

import marshal
import os
import stat
import subprocess
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain

from tools.indexing.terms import Splitter, without_random, words
from tools.process import clean_environment
from tools.syntax import Symbol, symbols

LARGEST_FILE = 1024 * 1024
"""Bytes; longer files are left out."""
WEIGHT_BITS = 6
"""A posting is an entry's number shifted by this, and its weight in the low bits."""
_FULL = (1 << WEIGHT_BITS) - 1
_NAME_BOOST = 5
_TYPICAL_LENGTH = 60
"""Words of an entry; BM25's average length, fixed so that one file can be added alone."""
_PARALLEL_FROM = 300
"""Files; fewer are read here, sooner than other processes start."""
_GROUP = 1000
"""Files that a process reads, at most, before it reports."""
_REPORTS = 4
"""Of each process, at least: what came is written down while the rest is read."""
_WORKER = (
    "import marshal, sys; task = marshal.load(sys.stdin.buffer); sys.path[:] = task[0]; "
    "from tools.indexing.scan import serve; serve(task[1], task[2])"
)

SymbolRow = tuple[str, str, int, int, int, int, str]
"""A Symbol's fields in their order."""


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """One file; its entries are numbered from `first`: the file itself, then its symbols."""

    path: str
    mtime: int
    """Nanoseconds."""
    size: int
    """Bytes; with `mtime` it tells whether the file has changed."""
    first: int
    symbols: tuple[SymbolRow, ...]
    words: tuple[str, ...]
    """For each entry the identifiers it uses, separated by spaces."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A group of files, numbered together from zero."""

    files: tuple[ScannedFile, ...]
    count: int
    """Entries in all."""
    postings: dict[str, bytes]
    """Term to an array('I') of postings."""


def scan(root: str, paths: Sequence[str], splitter: Splitter | None = None) -> Scan:
    """Read some files; one that is gone, no regular file or too long has no symbols."""
    files: list[ScannedFile] = []
    postings: defaultdict[str, array[int]] = defaultdict(partial(array, "I"))
    splitter = Splitter() if splitter is None else splitter
    terms_of, random = splitter.__getitem__, splitter.random
    count = 0
    for path in paths:
        source, mtime, size = _read(f"{root}/{path}")
        found = symbols(path, source)
        uses: list[str] = []
        names = (path, *(symbol.name for symbol in found))
        for name, text in zip(names, _own_texts(source, found), strict=True):
            used = words(text.decode("utf-8", "replace"))
            terms = Counter(chain.from_iterable(map(terms_of, used)))
            unique: Iterable[str] = dict.fromkeys(used)
            if not random.isdisjoint(unique):
                unique = [word for word in unique if word not in random]
            uses.append(" ".join(unique))
            for word in words(name):
                for term in terms_of(word):
                    terms[term] += _NAME_BOOST
            # BM25's saturated term frequency with k1 = 1.2 and b = 0.5
            length = 0.6 + 0.6 * len(used) / _TYPICAL_LENGTH
            number = count << WEIGHT_BITS
            once = number | (int(_FULL / (1 + length)) or 1)
            for term, times in terms.items():
                postings[term].append(
                    once if times == 1 else number | (int(_FULL * times / (times + length)) or 1)
                )
            count += 1
        rows = tuple(_row(symbol) for symbol in found)
        files.append(ScannedFile(path, mtime, size, count - len(uses), rows, tuple(uses)))
    return Scan(tuple(files), count, {term: found.tobytes() for term, found in postings.items()})


def scan_all(root: str, paths: Sequence[str]) -> Iterator[Scan]:
    """The same for any number of files, in groups, on all processors when there are many."""
    workers = min(os.cpu_count() or 1, 8)
    if len(paths) < _PARALLEL_FROM or workers == 1:
        for first in range(0, len(paths), _GROUP):
            yield scan(root, paths[first : first + _GROUP])
        return
    shares = max(_REPORTS * workers, len(paths) // _GROUP)
    groups = [list(paths[number::shares]) for number in range(shares)]
    processes = [_start(root, groups[worker::workers]) for worker in range(workers)]
    try:
        for number, group in enumerate(groups):
            # What a process that died left behind is read here.
            yield _receive(processes[number % workers]) or scan(root, group)
    finally:
        for process in filter(None, processes):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def stamp(place: str) -> tuple[int, int]:
    """Modification time in nanoseconds and size of a regular file; (-1, -1) for anything else."""
    try:
        found = os.lstat(place)
    except OSError:
        return -1, -1
    if not stat.S_ISREG(found.st_mode):
        return -1, -1
    return found.st_mtime_ns, found.st_size


def serve(root: str, groups: Sequence[Sequence[str]]) -> None:
    """The other end of `scan_all`: write each group's scan to standard output."""
    out = sys.stdout.buffer
    splitter = Splitter()
    for group in groups:
        found = scan(root, group, splitter)
        files = [
            (file.path, file.mtime, file.size, file.first, file.symbols, file.words)
            for file in found.files
        ]
        data = marshal.dumps((files, found.count, found.postings))
        out.write(len(data).to_bytes(8, "little") + data)
        out.flush()


def _start(root: str, groups: list[list[str]]) -> subprocess.Popen[bytes] | None:
    """An interpreter of its own for some groups: safe where forking with threads is not."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _WORKER],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(marshal.dumps((sys.path, root, groups)))
    return process


def _receive(process: subprocess.Popen[bytes] | None) -> Scan | None:
    """The next group's scan; None from a process that did not start, or died."""
    if process is None or process.stdout is None:
        return None
    size = int.from_bytes(process.stdout.read(8), "little")
    data = process.stdout.read(size)
    if not size or len(data) < size:
        return None
    files, count, postings = marshal.loads(data)
    return Scan(tuple(ScannedFile(*fields) for fields in files), count, postings)


def _read(place: str) -> tuple[bytes, int, int]:
    """A regular file's bytes and stamp. Never waits on a pipe, never follows a last link."""
    mtime, size = stamp(place)
    if not 0 < size <= LARGEST_FILE:
        return b"", mtime, size
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return b"", mtime, size
            return file.read(LARGEST_FILE), mtime, size
    except OSError:
        return b"", mtime, size


def _own_texts(source: bytes, found: Sequence[Symbol]) -> list[bytes]:
    """The text of the file, then of each symbol, each without that of the symbols inside it."""
    pieces: list[list[bytes]] = [[] for _ in range(len(found) + 1)]
    stack = [(0, len(source))]
    position = 0
    for number, symbol in enumerate(found, 1):
        while len(stack) > 1 and stack[-1][1] <= symbol.start:
            inside, end = stack.pop()
            pieces[inside].append(source[position:end])
            position = max(position, end)
        pieces[stack[-1][0]].append(source[position : symbol.start])
        position = max(position, symbol.start)
        stack.append((number, symbol.end))
    while stack:
        inside, end = stack.pop()
        pieces[inside].append(source[position:end])
        position = max(position, end)
    return [b" ".join(parts) for parts in pieces]


def _row(symbol: Symbol) -> SymbolRow:
    return (
        symbol.name,
        symbol.kind.value,
        symbol.start,
        symbol.end,
        symbol.first_line,
        symbol.last_line,
        without_random(symbol.signature),
    )
