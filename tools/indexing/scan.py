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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

from tools.indexing.terms import RANDOM_FROM, WORD, Splitter, looks_random, without_random
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


def scan(root: str, paths: Sequence[str]) -> Scan:
    """Read some files; one that is gone, no regular file or too long has no symbols."""
    files: list[ScannedFile] = []
    postings: defaultdict[str, array[int]] = defaultdict(partial(array, "I"))
    terms_of = Splitter().__getitem__
    count = 0
    for path in paths:
        source, mtime, size = _read(f"{root}/{path}")
        found = symbols(path, source)
        uses: list[str] = []
        names = (path, *(symbol.name for symbol in found))
        for name, text in zip(names, _own_texts(source, found), strict=True):
            words = WORD.findall(text.decode("utf-8", "replace"))
            unique = [
                word
                for word in dict.fromkeys(words)
                if len(word) < RANDOM_FROM or not looks_random(word)
            ]
            uses.append(" ".join(unique))
            terms = Counter(chain.from_iterable(map(terms_of, words)))
            for word in WORD.findall(name):
                for term in terms_of(word):
                    terms[term] += _NAME_BOOST
            # BM25's saturated term frequency with k1 = 1.2 and b = 0.5
            length = 0.6 + 0.6 * len(words) / _TYPICAL_LENGTH
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
    shares = max(2 * workers, len(paths) // _GROUP) if len(paths) >= _PARALLEL_FROM else 1
    groups = [list(paths[number::shares]) for number in range(shares)]
    done: set[int] = set()
    if shares > 1 and workers > 1:
        for number, found in _in_processes(root, groups, workers):
            done.add(number)
            yield found
    # Also what a process that died left behind.
    for number, group in enumerate(groups):
        if number not in done:
            yield scan(root, group)


def stamp(place: str) -> tuple[int, int]:
    """Modification time in nanoseconds and size of a regular file; (-1, -1) for anything else."""
    try:
        found = os.lstat(place)
    except OSError:
        return -1, -1
    if not stat.S_ISREG(found.st_mode):
        return -1, -1
    return found.st_mtime_ns, found.st_size


def serve(root: str, groups: Sequence[tuple[int, list[str]]]) -> None:
    """The other end of `_in_processes`: write each group's scan to standard output."""
    out = sys.stdout.buffer
    for number, group in groups:
        found = scan(root, group)
        files = [
            (file.path, file.mtime, file.size, file.first, file.symbols, file.words)
            for file in found.files
        ]
        data = marshal.dumps((number, files, found.count, found.postings))
        out.write(len(data).to_bytes(8, "little") + data)
        out.flush()


def _in_processes(
    root: str, groups: Sequence[list[str]], workers: int
) -> Iterator[tuple[int, Scan]]:
    """Deal the groups to interpreters of their own: safe where forking with threads is not."""
    numbered = list(enumerate(groups))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for worker in range(workers):
            task = marshal.dumps((sys.path, root, numbered[worker::workers]))
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _WORKER],
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            processes.append(process)
            _send(process, task)
        with ThreadPoolExecutor(workers) as pool:
            for results in pool.map(_receive, processes):
                yield from results
    except OSError:
        return
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _send(process: subprocess.Popen[bytes], task: bytes) -> None:
    if process.stdin is None:
        return
    try:
        with process.stdin as pipe:
            pipe.write(task)
    except BrokenPipeError:
        return  # it died; what it leaves undone is scanned here


def _receive(process: subprocess.Popen[bytes]) -> list[tuple[int, Scan]]:
    results: list[tuple[int, Scan]] = []
    if process.stdout is None:
        return results
    while len(head := process.stdout.read(8)) == 8:
        size = int.from_bytes(head, "little")
        data = process.stdout.read(size)
        if len(data) < size:
            break
        number, files, count, postings = marshal.loads(data)
        scanned = tuple(ScannedFile(*fields) for fields in files)
        results.append((number, Scan(scanned, count, postings)))
    return results


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
