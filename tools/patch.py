"""Changed files as a patch that `git apply` takes.

Owns the format. Must not know where the bytes come from.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from base64 import b85encode
from collections.abc import Collection, Iterator
from difflib import unified_diff

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HUNK = re.compile(r"^@@ -(?P<start>\d+)(?:,(?P<count>\d+))? \+\d+(?:,\d+)? @@", re.MULTILINE)
_QUOTED = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def file_patch(
    path: str, before: bytes | None, after: bytes | None, old_mode: int, new_mode: int
) -> str:
    """One file's part of a patch; empty if nothing changed.

    Args:
        before: None for a file that is new. A symbolic link's bytes are its target.
        after: None for one that is gone.
        old_mode: Its permission bits before, `S_IFLNK` for a symbolic link; only whether it is a
            link or executable is told.
        new_mode: The same, after.

    Returns:
        Text whose `encode("utf-8", "surrogateescape")` is the patch to the byte: content that
        is not UTF-8 is kept as surrogates.
    """
    old_kind, new_kind = git_mode(old_mode), git_mode(new_mode)
    if before is not None and after is not None and old_kind[:3] != new_kind[:3]:
        gone = file_patch(path, before, None, old_mode, 0)
        return gone + file_patch(path, None, after, 0, new_mode)
    moded = before is not None and after is not None and old_kind != new_kind
    if before == after and not moded:
        return ""
    old, new = _quote(f"a/{path}"), _quote(f"b/{path}")
    header = [f"diff --git {old} {new}\n"]
    if before is None:
        header.append(f"new file mode {new_kind}\n")
    if after is None:
        header.append(f"deleted file mode {old_kind}\n")
    if moded:
        header.append(f"old mode {old_kind}\nnew mode {new_kind}\n")
    if before == after:
        return "".join(header)
    if b"\0" in (before or b"") + (after or b""):
        return "".join((*header, *_binary(before, after)))
    hunks = list(unified_diff(_lines(before), _lines(after)))[2:]
    if hunks:
        # A tab ends a name that holds a space.
        header.append(f"--- {'/dev/null' if before is None else _ended(old)}\n")
        header.append(f"+++ {'/dev/null' if after is None else _ended(new)}\n")
    else:
        header.append(f"index {'0' * 40}..{'0' * 40}\n")
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in hunks
    )
    return "".join((*header, *ended))


def hunks(patch: str) -> tuple[str, ...]:
    """The separate changes of one file's patch, each from its `@@`."""
    starts = [match.start() for match in _HUNK.finditer(patch)]
    return tuple(patch[at:end] for at, end in zip(starts, [*starts[1:], None], strict=False))


def apply_hunks(before: bytes, patch: str, chosen: Collection[int]) -> bytes:
    """The bytes with some of a patch's changes made.

    Args:
        before: What the patch was made from.
        patch: Of one file that holds text, as `file_patch` makes it.
        chosen: Which hunks, counted from 0.
    """
    old, new, at = _lines(before), list[str](), 0
    for number, hunk in enumerate(hunks(patch)):
        if number not in chosen:
            continue
        head = _HUNK.match(hunk)
        assert head is not None
        count = int(head["count"] or 1)
        start = int(head["start"]) - (1 if count else 0)  # of an empty range, the line before it
        new += old[at:start]
        kept = False
        for line in _LINE.findall(hunk)[1:]:
            if not line.startswith("\\"):
                kept = line[:1] in " +"
                new += [line[1:]] if kept else []
            elif kept:  # the last line of the file, which has no end
                new[-1] = new[-1].removesuffix("\n")
        at = start + count
    return "".join((*new, *old[at:])).encode("utf-8", "surrogateescape")


def git_mode(mode: int) -> str:
    """A file's mode as git tells it."""
    if stat.S_ISLNK(mode):
        return "120000"
    return "100755" if mode & 0o111 else "100644"


def _binary(before: bytes | None, after: bytes | None) -> Iterator[str]:
    """git's form for bytes that are no text: each way the whole file, packed."""
    yield f"index {_object_id(before)}..{_object_id(after)}\nGIT binary patch\n"
    for data in (after or b"", before or b""):
        yield f"literal {len(data)}\n"
        packed = zlib.compress(data)
        for start in range(0, len(packed), 52):
            line = packed[start : start + 52]
            length = chr(len(line) + (64 if len(line) <= 26 else 70))
            yield f"{length}{b85encode(line, pad=True).decode()}\n"
        yield "\n"


def _object_id(data: bytes | None) -> str:
    if data is None:
        return "0" * 40
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _lines(data: bytes | None) -> list[str]:
    return _LINE.findall((data or b"").decode("utf-8", "surrogateescape"))


def _quote(name: str) -> str:
    """A name as git writes it: in quotes with escapes if it holds more than plain characters."""
    if all(" " <= char <= "~" and char not in '"\\' for char in name):
        return name
    escaped = "".join(
        _QUOTED.get(char)
        or (char if " " <= char <= "~" else "".join(f"\\{byte:03o}" for byte in os.fsencode(char)))
        for char in name
    )
    return f'"{escaped}"'


def _ended(name: str) -> str:
    return f"{name}\t" if " " in name and not name.startswith('"') else name
