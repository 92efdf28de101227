"""What the install of a tree left behind, kept: the next tree of that commit gets it unasked.

An install writes down in many places where its tree lies. The folders that trees are made in have
names of one length, so that the place can be renamed in whatever was written, programs included.
Owns what is kept and how it is put back. Must not know how a tree is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from agent import private
from agent.replay.environments.programs import Git
from agent.replay.environments.recipes import Installed
from agent.replay.instance import Recipe
from tools.base import Cancel

FORMAT = 1
"""Of what is kept; what has another one is made anew."""
_ORIGIN = "origin"
"""Where the install was made; missing: it cannot be moved, and nothing is kept."""


def name_of(commit: Path, built: Installed, recipe: Recipe, folder: Path) -> str:
    """An install's name: all that decides what it leaves, and how long its folder's name is."""
    stuff = [
        FORMAT, str(commit), str(built.folder), recipe.install, sorted(recipe.variables.items()),
        len(os.fsencode(folder)),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(stuff).encode()).hexdigest()[:16]


def files(tree: Path) -> frozenset[Path]:
    """The files, links and empty folders in a tree, relative to it, but for those of git and
    compiled modules: they would be older than what the next tree has them of."""
    return frozenset(_files(tree))


def keep(git: Git, place: Path, folder: Path, before: frozenset[Path], cancel: Cancel) -> None:
    """Keep what an install left in a folder with `tree`, its commit made, and `environment`.

    Args:
        before: The tree's files as they were before the install.

    Raises:
        Unavailable, Cancelled: git failed, or was cancelled.
        OSError: It cannot be written.
    """
    tree, own = folder / "tree", os.fsencode(folder)
    if git.run(("grep", "-qaF", os.fsdecode(own), "HEAD"), tree, cancel).code == 0:
        return  # renamed, the place would be a change to the commit
    shutil.copytree(tree / ".git", place / "git", ignore=shutil.ignore_patterns("index"))
    shutil.copytree(folder / "environment", place / "environment", symlinks=True)
    for name in files(tree) - before:
        _copy(tree / name, place / "beside" / name, own, own)
    private.write(place / _ORIGIN, own)


def put_back(git: Git, place: Path, folder: Path, cancel: Cancel) -> bool:
    """Make `tree` and `environment` in a folder; False: this install is not kept.

    Raises:
        Unavailable, Cancelled: git failed, or was cancelled.
        OSError: It cannot be written.
    """
    try:
        before = (place / _ORIGIN).read_bytes()
    except FileNotFoundError:
        return False
    tree, now = folder / "tree", os.fsencode(folder)
    shutil.copytree(place / "git", tree / ".git")
    git.must(("read-tree", "HEAD"), tree, cancel)
    git.must(("checkout-index", "-a", "-f", "-q", "-u"), tree, cancel)
    for kept, target in ((place / "environment", folder / "environment"), (place / "beside", tree)):
        for name in _files(kept, left_out=()):
            _copy(kept / name, target / name, before, now)
    return True


def _files(folder: Path, left_out: Collection[str] = (".git", "__pycache__")) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if Path(where, name).is_symlink()]
        yield from (Path(where, name).relative_to(folder) for name in (*names, *links))
        folders[:] = [name for name in folders if name not in left_out]
        if not folders and not names:
            yield Path(where).relative_to(folder)


def _copy(source: Path, target: Path, before: bytes, now: bytes) -> None:
    """What `_files` names, the place in it renamed. Its time stays: compiled modules name it."""
    if os.path.lexists(target):
        return  # the commit holds it
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(os.fsdecode(os.fsencode(os.readlink(source)).replace(before, now)))
        return
    if source.is_dir():
        target.mkdir()
        return
    if not source.is_file():
        return  # a pipe, or a socket
    target.write_bytes(source.read_bytes().replace(before, now))
    shutil.copystat(source, target)
