"""What `@` may name: the files of a repository and the symbols in them.

Owns their search, and what a message that names them tells a model. Must not know how a choice is
shown. The tree is listed in a thread and indexed in a process of its own: nothing waits for it, and
typing is not slowed by it.
"""

from __future__ import annotations

import marshal
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import ToolError
from tools.process import clean_environment
from tui.fuzzy import Haystack

if TYPE_CHECKING:
    from tools.syntax import Symbol
    from tools.workspace import Workspace

_NEAR = 40
"""Files whose symbols are searched for what stands behind a colon."""
_FRESH = 5.0
"""Seconds for which the tree is taken to be as it was."""
_LARGEST = 1 << 20
"""Bytes of a file that is looked through for a symbol while a message is sent."""
_MENTION = re.compile(r"""(?<![^\s("'`\[])@(?:"([^"\n]+)"|([^\s"@]+))""")
_TRAILING = ".,;:!?)]}'`"
_WORKER = (
    "import marshal, sys; sys.path[:], root, cache = marshal.load(sys.stdin.buffer); "
    "from tui.completion import serve; serve(root, cache)"
)
_NICE = 10
"""By how much the indexing stands back for what else the machine does."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or a symbol in one."""

    path: str
    """Relative to the root, with `/`."""
    symbol: str = ""
    """Qualified within its file; empty: the file itself is meant."""
    marks: tuple[int, ...] = ()
    """Places in `label` of the letters that were looked for."""

    @property
    def label(self) -> str:
        """What is searched and shown first."""
        return self.symbol or self.path

    @property
    def mention(self) -> str:
        """As it is written into a message."""
        name = f"{self.path}:{self.symbol}" if self.symbol else self.path
        return f'@"{name}"' if re.search(r"\s", name) else f"@{name}"


@dataclass(frozen=True, slots=True)
class _Files:
    paths: tuple[str, ...] = ()
    search: Haystack = field(default_factory=lambda: Haystack(()))


@dataclass(frozen=True, slots=True)
class _Symbols:
    found: tuple[tuple[str, str], ...] = ()
    """Paths and names, those of a file next to one another."""
    spans: dict[str, range] = field(default_factory=dict)
    """Of each path, in `found`."""
    search: Haystack = field(default_factory=lambda: Haystack(()))


class Places:
    """All that can be named, as the tree was when it was last looked at."""

    def __init__(self, root: Path, cache: Path | None, changed: Callable[[], object]) -> None:
        """
        Args:
            cache: The folder that keeps the index.
            changed: Called from another thread when more can be found than before.
        """
        self._root = root
        self._cache = cache
        self._changed = changed
        self._files = _Files()
        self._symbols = _Symbols()
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def refresh(self) -> None:
        """Look at the tree again, unless that was done a moment ago."""
        if time.monotonic() - self._looked < _FRESH or not self._looking.acquire(blocking=False):
            return
        threading.Thread(target=self._look, name="completion", daemon=True).start()

    @property
    def looking(self) -> bool:
        """Whether more may be found in a moment."""
        return self._looking.locked()

    def search(self, query: str, limit: int) -> list[Place]:
        """The best, best first.

        Args:
            query: Letters of a path or a symbol; `path:symbol` narrows both.
        """
        path, colon, name = query.partition(":")
        if colon:
            return list(self._within(path, name, limit))
        files, symbols = self._files, self._symbols
        hits = files.search.search(query, limit)
        # The index of the answer's tier, then files, then what is shorter.
        ranked = [(hit.tier, 0, n, Place(files.paths[hit.index], "", hit.marks))
                  for n, hit in enumerate(hits)]  # fmt: skip
        if query and "/" not in query:
            for n, hit in enumerate(symbols.search.search(query, limit)):
                path, name = symbols.found[hit.index]
                ranked.append((hit.tier, 1, n, Place(path, name, hit.marks)))
        return [place for *_, place in sorted(ranked, key=lambda item: item[:3])][:limit]

    def _within(self, path: str, name: str, limit: int) -> Iterator[Place]:
        """Symbols of the files that a path means."""
        files, symbols = self._files, self._symbols
        if not path:
            hits = symbols.search.search(name, limit)
            yield from (Place(*symbols.found[hit.index], hit.marks) for hit in hits)
            return
        near = [files.paths[hit.index] for hit in files.search.search(path, _NEAR)]
        if path in symbols.spans:
            near = [path]
        chosen = [symbols.found[at] for file in near for at in symbols.spans.get(file, ())]
        names = Haystack([name for _, name in chosen], ordered=True)
        yield from (Place(*chosen[hit.index], hit.marks) for hit in names.search(name, limit))

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._process is not None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _look(self) -> None:
        try:
            from tools.workspace import Workspace  # 30 ms; only needed to complete

            workspace = Workspace(self._root)
            paths = tuple(filter(_plain, workspace.files()))
            if paths != self._files.paths:
                self._files = _Files(paths, Haystack(paths))
                self._changed()
            names = self._indexed()
            if not self._closed:
                self._symbols = _symbols(names)
                self._changed()
        except (ToolError, OSError, ValueError, EOFError, TypeError):
            pass  # what was found before is still offered
        finally:
            self._looked = time.monotonic()
            self._looking.release()

    def _indexed(self) -> list[tuple[str, list[str]]]:
        """The names of the symbols, by their files.

        Raises:
            OSError, EOFError, ValueError: The process could not be started, or has died.
        """
        cache = os.fspath(self._cache) if self._cache else None
        with subprocess.Popen(
            [sys.executable, "-I", "-c", _WORKER],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as self._process:
            if self._closed:  # meanwhile
                self.close()
            told, _ = self._process.communicate(
                marshal.dumps((sys.path, os.fspath(self._root), cache))
            )
        self._process = None
        names: list[tuple[str, list[str]]] = marshal.loads(told)
        return names


def serve(root: str, cache: str | None) -> None:
    """The other end of `Places`: write the symbols' names, by their files, to standard output."""
    os.nice(_NICE)
    from tools.outline import Index  # only this process reads code
    from tools.syntax import Kind
    from tools.workspace import Workspace

    index = Index.build(Workspace(Path(root)), Path(cache) if cache else None)
    names = [
        (path, [item.name for item in index.symbols(path) if item.kind is not Kind.IMPORTS])
        for path in index.paths
    ]
    sys.stdout.buffer.write(marshal.dumps(names))


def _symbols(names: Iterable[tuple[str, list[str]]]) -> _Symbols:
    found: list[tuple[str, str]] = []
    spans: dict[str, range] = {}
    for path, own in names:
        first = len(found)
        found += [(path, name) for name in own if _plain(name)]
        spans[path] = range(first, len(found))
    return _Symbols(tuple(found), spans, Haystack([name for _, name in found]))


def _plain(name: str) -> bool:
    """Whether a name can be shown and written as it is."""
    return name.isprintable() and '"' not in name and "@" not in name


def made_plain(text: str, root: Path) -> tuple[str, str]:
    """A message as a model is told it: names without the `@`; and where the named things are.

    What does not exist beneath the root, or may hold secrets, stays as it was written.
    """
    if "@" not in text:
        return text, ""
    from tools.workspace import Workspace  # loaded with the session

    workspace = Workspace(root)
    told: dict[str, None] = {}

    def plain(match: re.Match[str]) -> str:
        written = match[1] or match[2]
        # A sentence may end right after a name.
        for name in (written, written.rstrip(_TRAILING)):
            if line := _described(name, workspace):
                told[line] = None
                return name + written[len(name) :]
        return match[0]

    text = _MENTION.sub(plain, text)
    return text, "\n".join(("Named below:", *(f"- {line}" for line in told))) if told else ""


def _described(name: str, workspace: Workspace) -> str:
    """One line on a file, a folder or a symbol; empty if there is none."""
    path, _, symbol = name.partition(":")
    try:
        real = workspace.name(path)
        if workspace.withholds(real):
            return ""
        place = workspace.root / real
        if place.is_dir():
            return "" if symbol else f"{path} is a folder."
        if not place.is_file() or place.stat().st_size > _LARGEST:
            return f"{path} is a file." if place.is_file() and not symbol else ""
        data = workspace.peek(path)
    except (ToolError, OSError):
        return ""
    if not symbol:
        lines = data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
        return f"{path} has {lines} {'line' if lines == 1 else 'lines'}."
    from tools.syntax import symbols  # 15 ms; only needed for a symbol's lines

    found = next((item for item in symbols(path, data) if item.name == symbol), None)
    return f"{path}:{symbol} is in {path}, {_lines(found)}." if found else ""


def _lines(symbol: Symbol) -> str:
    if symbol.first_line == symbol.last_line:
        return f"line {symbol.first_line}"
    return f"lines {symbol.first_line} to {symbol.last_line}"
