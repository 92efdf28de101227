"""Where a tree's own git directory is, and whether it says that the tree is elsewhere.

Owns the reading of `.git` and of the one setting that matters here. No git is run, and nothing
else that the repository configures is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_SECTION = re.compile(r'\s*\[\s*([\w.-]+)\s*("(?:\\.|[^"\\])*")?\s*\]')
_WORK_TREE = re.compile(r"\s*worktree\s*=\s*(.*)", re.IGNORECASE)
_PIECE = re.compile(r'"((?:\\.|[^"\\])*)"|((?:\\.|[^"#;\\])+)')


def git_folder(root: Path) -> Path | None:
    """The git directory of a tree; None if it has none that can be read."""
    place = root / ".git"
    try:
        if place.is_file():  # a linked worktree's or a submodule's
            place = root / os.fsdecode(_line(place).removeprefix(b"gitdir:").strip())
        return place if place.is_dir() else None
    except (OSError, ValueError):
        return None


def common_folder(folder: Path) -> Path:
    """The directory that a git directory shares with those of other work trees; itself if none.

    Raises:
        OSError, ValueError: What it says of it cannot be read.
    """
    place = folder / "commondir"
    return folder / os.fsdecode(_line(place)) if place.is_file() else folder


def local_excludes(root: Path) -> Path | None:
    """The ignores that the repository keeps outside the tree, if there are any."""
    folder = git_folder(root)
    if folder is None:
        return None
    try:
        excludes = common_folder(folder) / "info" / "exclude"
        return excludes if excludes.is_file() else None
    except (OSError, ValueError):
        return None


def other_tree(root: Path) -> str | None:
    """The folder that git would write to instead of `root`, as the repository names it."""
    folder = git_folder(root)
    if folder is None:
        return None
    for name in ("config", "config.worktree"):
        place = folder / name
        if not place.is_file():
            continue
        text = place.read_text("utf-8", "surrogateescape")
        for value in _work_trees(text):
            if (folder / value).resolve() != root:
                return value
    return None


def _work_trees(text: str) -> Iterator[str]:
    """Every value that a git configuration gives core.worktree."""
    core = False
    for line in text.replace("\\\n", "").splitlines():
        if header := _SECTION.match(line):
            core = header[1].casefold() == "core" and header[2] is None
            line = line[header.end() :]
        if core and (setting := _WORK_TREE.match(line)):
            yield _value(setting[1].strip())


def _value(text: str) -> str:
    """What is meant, without quotes and comment."""
    value, end = "", 0
    while piece := _PIECE.match(text, end):
        end = piece.end()
        plain = piece[2] if end == len(text) or text[end] == '"' else (piece[2] or "").rstrip()
        value += plain if piece[1] is None else piece[1]
    return re.sub(r"\\(.)", r"\1", value)


def _line(place: Path) -> bytes:
    with place.open("rb") as file:
        return file.read(4096).strip()
