"""The tools that read and write whole files.

Owns how a file is shown to a model and when a whole file may be replaced. Must not know models.
"""

from __future__ import annotations

from pydantic import Field

from tools.base import Arguments, Cancel, Effect, Proposal, Tool, ToolResult
from tools.editing.change import change, create, encodable
from tools.errors import ToolError
from tools.text import SourceText, numbered, shown
from tools.workspace import Workspace

MAX_LINES = 400
MAX_CHARACTERS = 16_000
MAX_LINE = 1_000
"""Characters of one line that are shown."""
MAX_ENTRIES = 200
"""Names that a folder's listing has."""


class ReadArguments(Arguments):
    path: str = Field(description="file or folder")
    start: int = Field(default=1, ge=1, description="first line")
    end: int | None = Field(default=None, ge=1, description="last line")


class ReadFile(Tool[ReadArguments]):
    """Shows a file's lines with their numbers, or a folder's entries."""

    name = "read_file"
    description = "Show a file's lines, each after its number and a space; or list a folder."
    Args = ReadArguments
    effect = Effect.READ

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def run(self, args: ReadArguments, cancel: Cancel) -> ToolResult:
        name = self._workspace.name(args.path)
        if self._workspace.resolve(args.path).is_dir():
            return _listing(name, self._workspace.files())
        text = SourceText.of(self._workspace.read(args.path)).text
        if not text:
            return ToolResult("(empty file)", f"read {shown(name)} (empty)")
        lines = text.removesuffix("\n").split("\n")
        if args.start > len(lines):
            raise ToolError(f"{name} has {len(lines)} lines; line {args.start} is past its end.")
        if args.end is not None and args.end < args.start:
            raise ToolError(f"end {args.end} is before start {args.start}.")
        wanted = lines[args.start - 1 : args.end]
        part = _within_limits(wanted)
        last = args.start + len(part) - 1
        output = numbered(part, args.start)
        if len(part) < len(wanted) or (args.end is None and args.start > 1):
            output += f"\n[lines {args.start}-{last} of {len(lines)}"
            output += f"; for more: start={last + 1}]" if last < len(lines) else "]"
        return ToolResult(
            output, f"read {shown(name)} {args.start}\N{EN DASH}{last} of {len(lines)}"
        )


def _within_limits(lines: list[str]) -> list[str]:
    """The first lines that a model can take at once, each cut where it is endless."""
    shown_lines: list[str] = []
    room = MAX_CHARACTERS
    for line in lines[:MAX_LINES]:
        if len(line) > MAX_LINE:
            line = f"{line[:MAX_LINE]}[... {len(line) - MAX_LINE:,} characters left out]"
        room -= len(line) + 5
        if room < 0:
            break
        shown_lines.append(line)
    return shown_lines


def _listing(name: str, files: tuple[str, ...]) -> ToolResult:
    prefix = "" if name == "." else f"{name}/"
    counts: dict[str, int] = {}
    for path in files:
        if path.startswith(prefix):
            head, slash, _ = path.removeprefix(prefix).partition("/")
            counts[head + slash] = counts.get(head + slash, 0) + 1
    entries = [
        f"{entry} ({n} files)" if entry.endswith("/") else entry
        for entry, n in sorted(counts.items())
    ]
    output = "\n".join(entries[:MAX_ENTRIES]) or "(no files, or all are ignored)"
    if len(entries) > MAX_ENTRIES:
        output += f"\n[{MAX_ENTRIES} of {len(entries)} entries]"
    return ToolResult(output, f"list {shown(name)}: {len(entries)} entries")


class WriteArguments(Arguments):
    path: str = Field(description="file")
    content: str = Field(description="the whole file")


class WriteFile(Tool[WriteArguments]):
    """Creates a file, or replaces one that was read."""

    name = "write_file"
    description = "Create a file, or replace one that you have read, with its whole content."
    Args = WriteArguments
    effect = Effect.EDIT
    bodies = ("content",)

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def propose(self, args: WriteArguments) -> Proposal:
        text = encodable(args.content).replace("\r\n", "\n")
        if self._workspace.exists(args.path):
            data = self._workspace.basis(args.path)
            # 20 ms; only needed to replace a file
            from tools.editing.definitions import elision

            gap = elision(text, SourceText.of(data).text)
            if gap:
                raise ToolError(f"The content leaves out a part ({gap!r}): give the whole file.")
            if text and not text.endswith("\n") and data.endswith(b"\n"):
                text += "\n"
            return change(self._workspace, args.path, data, text, "write")
        if text and not text.endswith("\n"):
            text += "\n"
        return create(self._workspace, args.path, text)
