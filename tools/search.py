"""The tool that finds text in the workspace.

Owns how hits are counted, cut and shown. Must not know how ripgrep is found or stopped.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from tools import ripgrep
from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.errors import ToolError
from tools.text import shown
from tools.workspace import MAX_FILE, Workspace

MAX_HITS = 100
MAX_CHARACTERS = 8_000
MAX_LINE = 200
"""Characters of a line that are shown."""
MAX_COUNT = 5_000
"""Hits after which counting stops."""
SECONDS = 20.0


class SearchArguments(Arguments):
    pattern: str = Field(min_length=1, description="regular expression")
    path: str = Field(default=".", description="file or folder")
    glob: str | None = Field(default=None, description="such as *.py")


@dataclass(slots=True)
class _Hits:
    """What was found, by file; files come in any order, ripgrep reads several at once."""

    files: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0

    def add(self, path: str, number: int, text: str) -> None:
        self.count += 1
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + "[...]"
        self.files.setdefault(path, []).append(f"{number} {text}")

    def shown(self) -> tuple[list[str], int]:
        """As many lines as a model is given, and how many hits they hold."""
        lines: list[str] = []
        count, room = 0, MAX_CHARACTERS
        for path, hits in sorted(self.files.items()):
            for index, hit in enumerate(hits):
                new = [hit] if index else [path, hit]
                room -= sum(len(line) + 1 for line in new)
                if room < 0 or count == MAX_HITS:
                    return lines, count
                lines += new
                count += 1
        return lines, count


class Search(Tool[SearchArguments]):
    """Finds the lines that match, by file."""

    name = "search"
    description = (
        "Find lines matching a regular expression: each file, then its lines with numbers."
    )
    Args = SearchArguments
    effect = Effect.READ

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def run(self, args: SearchArguments, cancel: Cancel) -> ToolResult:
        name = self._workspace.name(args.path)
        for text in (args.pattern, args.glob or ""):
            if "\0" in text or not _is_text(text):
                raise ToolError(f"{text!r} cannot be searched for.")
        if not self._workspace.exists(args.path):
            raise ToolError(self._workspace.missing(name))
        if self._workspace.withholds(name):
            raise ToolError(f"{name!r} may hold secrets; it is not searched.")
        note = ""
        try:
            hits = self._search(args.pattern, name, args.glob, cancel)
        except _BadPattern:
            hits = self._search(args.pattern, name, args.glob, cancel, "--fixed-strings")
            note = "[no valid regular expression: searched as plain text]\n"
        more = "more than " if hits.count >= MAX_COUNT else ""
        lines, count = hits.shown()
        output = "\n".join(lines) or "No hits."
        if count < hits.count:
            output += (
                f"\n[{count} of {more}{hits.count} hits in {len(hits.files)} files;"
                " narrow it with path or glob]"
            )
        pattern = shown(args.pattern)[:60]
        return ToolResult(
            note + output,
            f'search "{pattern}": {more}{hits.count} hits in {len(hits.files)} files',
        )

    def _search(
        self, pattern: str, name: str, glob: str | None, cancel: Cancel, *options: str
    ) -> _Hits:
        root = self._workspace.root
        arguments = [
            *(
                "--json",
                "--sort=path",
                "--no-messages",
                f"--max-filesize={MAX_FILE}",
                *ripgrep.ignores(root),
            ),
            *options,
        ]
        if "\n" in pattern:
            arguments.append("--multiline")
        if glob:
            # Before the exclusions: of several globs the last that matches decides.
            arguments.insert(0, f"--glob={glob}")
        hits = _Hits()
        place = "./" if name == "." else f"./{name}"
        with ripgrep.started(root, [*arguments, "-e", pattern, "--", place]) as running:
            for line in running.lines(cancel, SECONDS):
                event = json.loads(line)
                if event["type"] == "match":
                    _add(hits, event["data"], self._workspace)
                if hits.count >= MAX_COUNT:
                    return hits
            problem = running.complaint()
        if "regex parse error" in problem:
            raise _BadPattern
        if problem and not hits.count:
            raise ToolError(f"The search failed: {problem}")
        return hits


class _BadPattern(Exception):
    """ripgrep does not take the pattern as a regular expression."""


def _add(hits: _Hits, data: dict[str, Any], workspace: Workspace) -> None:
    path = _decoded(data["path"]).removeprefix("./")
    if workspace.withholds(path):
        return
    for offset, text in enumerate(_decoded(data["lines"]).removesuffix("\n").split("\n")):
        if offset == 0 or data["line_number"] is not None:
            hits.add(path, (data["line_number"] or 0) + offset, text.removesuffix("\r"))


def _decoded(value: dict[str, str]) -> str:
    """ripgrep writes what is not UTF-8 in base64."""
    if "text" in value:
        return value["text"]
    return base64.b64decode(value["bytes"]).decode("latin-1")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
