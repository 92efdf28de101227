"""One change to a file's text: must still parse, can be shown, is written, is told.

Owns what the tools that write have in common. Must not know how the new text was found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from tools import syntax
from tools.action import FileChange
from tools.base import Cancel, Heard, Proposal, ToolResult
from tools.errors import ToolError
from tools.patch import apply_hunks, file_patch, hunks
from tools.text import SourceText, line_at, line_delta, numbered, opcodes, shown
from tools.workspace import Workspace

_AROUND = 2
"""Unchanged lines shown on either side of a change."""
_MOST = 24
"""Lines of a change that are shown."""


def refuse_broken(name: str, before: str | None, after: str) -> None:
    """Refuse a text that does not parse where the one before did, or where there was none.

    Raises:
        ToolError: It names the parser's line.
    """
    problem = syntax.problem(name, after.encode())
    if problem is None or (before is not None and syntax.problem(name, before.encode())):
        return
    lines = after.split("\n")
    first = max(1, problem.line - _AROUND)
    near = numbered(lines[first - 1 : problem.line + _AROUND], first)
    raise ToolError(
        f"Not written: line {problem.line} of the new {name} would not parse"
        f" ({problem.message}). It would read:\n{near}"
    )


def encodable(text: str) -> str:
    """The text itself.

    Raises:
        ToolError: It holds half a character, or a NUL, which no source file has.
    """
    if "\0" in text:
        raise ToolError("The text holds a NUL character; leave it out.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        broken = text[error.start : error.end]
        raise ToolError(f"The text holds {broken!r}, which is no character.") from error
    return text


def change(
    workspace: Workspace, path: str, data: bytes, text: str, verb: str, note: str = ""
) -> Proposal:
    """Give an existing file a new text, once the proposal is carried out.

    Args:
        data: The bytes that the new text was made from; other bytes are not overwritten.
        text: With `\\n` between lines.
        verb: What will have been done, for the user: `edit`, `replace mean in`.
        note: What the model should know besides.

    Raises:
        ToolError: It would not parse, or changes nothing.
    """
    name = workspace.name(path)
    source = SourceText.of(data)
    if text == source.text:
        raise ToolError(f"Nothing to do: that is what is in {name} already.")
    refuse_broken(name, source.text, text)
    after = source.with_text(encodable(text))
    whole = _writing(workspace, path, data, after, verb, note)
    assert isinstance(whole.action, FileChange)
    patch = whole.action.patch

    def narrow(chosen: Collection[int]) -> Proposal:
        """Some of it: what is left out is told, and must not leave the rest unreadable."""
        parts = hunks(patch)
        refused = [part for number, part in enumerate(parts) if number not in chosen]
        if not refused:
            return whole
        if len(refused) == len(parts):
            raise ToolError("Not written: no part of it was allowed.")
        some = apply_hunks(data, patch, chosen)
        told = f"The user refused {len(refused)} of {len(parts)} parts of this change"
        try:
            refuse_broken(name, source.text, SourceText.of(some).text)
        except ToolError as error:
            raise ToolError(f"{told}, and without them it cannot be made. {error}") from error
        refusal = f"\n[{told}; they were not made:]\n{''.join(refused)}"
        return _writing(workspace, path, data, some, verb, note + refusal)

    return replace(whole, narrow=narrow)


def _writing(
    workspace: Workspace, path: str, data: bytes, after: bytes, verb: str, note: str
) -> Proposal:
    """Write these bytes over those, and tell what has changed."""
    name = workspace.name(path)
    before, text = SourceText.of(data).text, SourceText.of(after).text
    proposed = _file_change(name, data, after)

    def write(cancel: Cancel, heard: Heard) -> ToolResult:
        workspace.write(path, after, basis=data)
        added, removed = line_delta(before, text)
        first, last = _region(before, text)
        return ToolResult(
            output=f"Changed {name}, lines {first}-{last}:\n{_excerpt(text, first, last)}{note}",
            display=f"{verb} {shown(name)} +{added} \N{MINUS SIGN}{removed}",
            changed=(name,),
            details=proposed,
        )

    return Proposal(proposed, write)


def create(workspace: Workspace, path: str, text: str) -> Proposal:
    """Make a new file, once the proposal is carried out.

    Args:
        text: With `\\n` between lines.

    Raises:
        ToolError: It would not parse.
    """
    name = workspace.name(path)
    refuse_broken(name, None, text)
    after = text.encode()
    proposed = _file_change(name, None, after)

    def write(cancel: Cancel, heard: Heard) -> ToolResult:
        workspace.write(path, after)
        lines = text.count("\n")
        return ToolResult(
            output=f"Created {name}, {lines} lines.",
            display=f"create {shown(name)} +{lines}",
            changed=(name,),
            details=proposed,
        )

    return Proposal(proposed, write)


def _file_change(name: str, before: bytes | None, after: bytes) -> FileChange:
    basis = "" if before is None else hashlib.sha256(before).hexdigest()
    return FileChange(name, file_patch(name, before, after, 0, 0), basis)


def _region(before: str, after: str) -> tuple[int, int]:
    """The first and the last line of the new text that differ from the old."""
    new = after.split("\n")
    spans = [(j, k) for tag, _, _, j, k in opcodes(before.split("\n"), new) if tag != "equal"]
    first = min(spans[0][0] + 1, len(new))
    return first, min(max(first, spans[-1][1]), line_at(after.rstrip("\n"), len(after)))


def _excerpt(text: str, first: int, last: int) -> str:
    lines = text.removesuffix("\n").split("\n")
    start, end = max(1, first - _AROUND), min(len(lines), last + _AROUND)
    if end - start < _MOST:
        return numbered(lines[start - 1 : end], start)
    half = _MOST // 2
    head = numbered(lines[start - 1 : start - 1 + half], start)
    return f"{head}\n...\n{numbered(lines[end - half : end], end - half + 1)}"
