"""Changed files as a patch that `git apply` takes.

Owns the format. Must not know where the bytes come from.
"""

from __future__ import annotations

import re
from difflib import unified_diff

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_QUOTED = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def file_patch(path: str, before: bytes | None, after: bytes | None, mode: int) -> str:
    """One file's part of a patch; empty if nothing changed.

    Args:
        before: None for a file that is new.
        after: None for one that is gone.
        mode: The file's permission bits; only whether it is executable is told.

    Returns:
        Text whose `encode("utf-8", "surrogateescape")` is the patch to the byte: content that
        is not UTF-8 is kept as surrogates.
    """
    if before == after:
        return ""
    git_mode = "100755" if mode & 0o111 else "100644"
    old, new = _quote(f"a/{path}"), _quote(f"b/{path}")
    header = [f"diff --git {old} {new}\n"]
    if before is None:
        header.append(f"new file mode {git_mode}\n")
    if after is None:
        header.append(f"deleted file mode {git_mode}\n")
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


def _lines(data: bytes | None) -> list[str]:
    return _LINE.findall((data or b"").decode("utf-8", "surrogateescape"))


def _quote(name: str) -> str:
    """A name as git writes it: in quotes with escapes if it holds more than plain characters."""
    if all(" " <= char <= "~" and char not in '"\\' for char in name):
        return name
    escaped = "".join(
        _QUOTED.get(char)
        or (char if " " <= char <= "~" else "".join(f"\\{byte:03o}" for byte in char.encode()))
        for char in name
    )
    return f'"{escaped}"'


def _ended(name: str) -> str:
    return f"{name}\t" if " " in name and not name.startswith('"') else name
