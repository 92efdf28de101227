"""Snapshot stores kept small: old snapshots expire, what nobody names is deleted.

Owns the limits and when they are looked at. Must not know how a snapshot is made.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.snapshot_store import SNAPSHOTS, TURN_LOCK, Store, StoreError, remove


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    days: float = 14
    """Of a snapshot; of a store that is not used."""
    snapshots: int = 200
    store: int = 1 << 30
    """Bytes of one store."""
    stores: int = 4 << 30
    """Bytes of all stores together."""
    loose: int = 256 << 20
    """Bytes of a store that may lie unpacked until it is pruned the next time."""
    every: float = 1.0
    """Days between two looks that find less than that."""


LIMITS = Limits()
_DAY = 86_400.0
_STAMP = "pruned"
_PATIENCE = 60.0
"""Seconds that git has to pack; a store that takes longer is deleted, if it is too large."""


def prune(store: Store, limits: Limits = LIMITS) -> None:
    """Bring this store, and those of other trees, within the limits; nothing if none is due.

    Raises:
        StoreError: git cannot do it.
        OSError: Files cannot be removed.
    """
    stamp = store.folder / _STAMP
    if not stamp.exists():
        stamp.touch()
    due = _age(stamp) > limits.every * _DAY
    if not due and _size(store.folder / "objects") < limits.loose + _packed(store.folder):
        return
    with store.alone() as alone:
        if not alone:
            return
        _expire(store.folder, limits)
        with suppress(StoreError):  # of the size below there is no doubt
            store.git("gc", "--quiet", "--prune=now", seconds=_PATIENCE)
        if _size(store.folder) > limits.store:
            shutil.rmtree(store.folder / SNAPSHOTS, ignore_errors=True)
            with suppress(StoreError):
                store.git("gc", "--quiet", "--prune=now", seconds=_PATIENCE)
        stamp.touch()
        too_large = _size(store.folder) > limits.store
    if too_large:
        store.discard()
    _prune_others(store.folder, limits)


def _expire(folder: Path, limits: Limits) -> None:
    """Delete the names of snapshots that are too old or too many."""
    places = [path for path in (folder / SNAPSHOTS).glob("*/*") if path.is_file()]
    places.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for number, place in enumerate(places):
        if number >= limits.snapshots or _age(place) > limits.days * _DAY:
            place.unlink()
            with suppress(OSError):
                place.parent.rmdir()
    for index in folder.glob("index-*"):  # of sessions that were killed: nobody else is here
        index.unlink()


def _prune_others(own: Path, limits: Limits) -> None:
    """Delete the stores of trees that nobody works on any more."""
    others = [path for path in own.parent.iterdir() if (path / TURN_LOCK).exists()]
    others = [path for path in others if path != own]
    others.sort(key=_last_used)
    sizes = {path: _size(path) for path in others}
    total = sum(sizes.values()) + _size(own)
    for path in others:
        unused = time.time() - _last_used(path) > limits.days * _DAY
        if (unused or total > limits.stores) and remove(path):
            total -= sizes[path]


def _last_used(store: Path) -> float:
    return (store / TURN_LOCK).stat().st_mtime


def _age(place: Path) -> float:
    return time.time() - place.stat().st_mtime


def _packed(folder: Path) -> int:
    return _size(folder / "objects" / "pack")


def _size(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_size
