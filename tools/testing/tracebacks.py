"""Tracebacks as a small model can use them: the workspace's own lines, and the error.

What is read comes from the repository's code: it is filtered, never trusted. Must not know runners.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.testing.project_settings import small_text
from tools.text_filter import clip, clip_line, printable

_MESSAGE = 900
"""Characters of a case's message."""
_SOURCE = 160
"""Characters of one line of source."""
_ERROR_LINE = 240
"""Characters of one line of an error."""
_DETAIL_LINES = 14
"""Lines of an assertion's explanation."""
_SHOWN_FRAMES = 4
_FOREIGN = frozenset({"site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox"})
_CHAIN = re.compile(
    r"^(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):$",
    re.M,
)
_ADVICE = re.compile(r"Use -v+ to get|Full diff:$|use 'pytest --fixtures")
_TEXT_FRAME = re.compile(
    r'^(?:E\s+)?\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<name>\S+))?'
    r"|^(?P<short>[^\s:][^:\n]*\.py):(?P<at>\d+): in (?P<where>\S+)",
    re.M,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A frame of a traceback within the workspace."""

    path: str
    line: int
    name: str


class Places:
    """Knows which frames lie in the workspace, and shows their source."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._lines: dict[str, list[str]] = {}

    def of(self, frames: Iterable[tuple[str, int, str]]) -> tuple[Place, ...]:
        """The frames within the workspace; installed packages are not part of it."""
        found: list[Place] = []
        for file, line, name in frames:
            try:
                path = Path(os.path.realpath(self._root / file)).relative_to(self._root)
            except ValueError:
                continue
            if path.suffix == ".py" and _FOREIGN.isdisjoint(path.parts):
                found.append(Place(path.as_posix(), line, name))
        return tuple(found)

    def in_text(self, text: str) -> tuple[Place, ...]:
        """The frames that a printed traceback names."""
        return self.of(
            (
                match["file"] or match["short"],
                int(match["line"] or match["at"]),
                match["name"] or match["where"] or "",
            )
            for match in _TEXT_FRAME.finditer(text)
        )

    def source(self, place: Place) -> str:
        """The statement at a place on one line, the following lines too if brackets are open."""
        lines = self._lines.get(place.path)
        if lines is None:
            lines = small_text(self._root / place.path).split("\n")
            self._lines[place.path] = lines
        taken = ""
        for line in lines[place.line - 1 : place.line + 7]:
            taken = f"{taken} {line.strip()}".strip()
            if sum(map(taken.count, "([{")) <= sum(map(taken.count, ")]}")):
                break
        return clip_line(printable(taken), _SOURCE)

    def explain(self, places: Sequence[Place], error: str) -> str:
        """A failure in a few lines: where the test stood, where it went wrong, and the error."""
        shown = list(places)
        if len(shown) > _SHOWN_FRAMES:
            shown = [shown[0], *shown[1 - _SHOWN_FRAMES :]]
        lines = [
            f"{place.path}:{place.line} in {place.name}: {self.source(place)}" for place in shown
        ]
        if len(places) > len(shown):
            lines.insert(1, f"[... {len(places) - len(shown)} calls left out ...]")
        head = "\n".join(lines)
        return f"{head}\n{clip(error, max(300, _MESSAGE - len(head)), head=0.7)}".strip()


def error_lines(text: str) -> str:
    """The lines of a pytest failure that say what was wrong: those marked `E`, else the last."""
    last = _CHAIN.split(text)[-1]
    marked = [line for line in last.splitlines() if re.match(r"E(?:\s|$)", line)]
    marked = [line for line in marked if line.strip("E ") and not _ADVICE.search(line)]
    if not marked:
        marked = [line for line in last.splitlines() if line.strip()][-6:]
    if len(marked) > _DETAIL_LINES:
        marked = [*marked[: _DETAIL_LINES - 4], "E   ...", *marked[-3:]]
    return "\n".join(clip_line(printable(line), _ERROR_LINE) for line in marked)


def positions(places: Iterable[Place]) -> tuple[tuple[str, int], ...]:
    """Places as a case keeps them: path and line."""
    return tuple((place.path, place.line) for place in places)
