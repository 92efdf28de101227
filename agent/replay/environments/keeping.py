"""What is made once and kept: folders that are there whole or not at all, whoever is killed.

Owns locks, marks and the folders of work. Must not know what is in them.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent import private
from agent.replay.environments.base import Unavailable
from tools.base import Cancel
from tools.errors import Cancelled
from tools.lock import FileLock

_TICK = 0.05
"""Seconds between two tries for a lock that another worker holds."""
_YOUNG = 60.0
"""Seconds."""
_COMPLETE = ".complete"
_ROOM = 16 << 20
"""Bytes."""


@contextmanager
def made_once(place: Path, cancel: Cancel) -> Iterator[Path | None]:
    """Make a folder if it is not there; the first to come does, the others wait.

    Yields:
        The place itself, empty, for the block to fill; None: it is there already. What a killed
        process left there is taken away first; what the block leaves by an error, too.

    Raises:
        Cancelled: `cancel` was set while another worker made it.
    """
    mark = place.with_name(f"{place.name}{_COMPLETE}")
    if mark.exists() and place.is_dir():
        yield None
        return
    private.make_folder(place.parent)
    lock = FileLock(place.with_name(f".{place.name}.lock"))
    while not lock.take():
        if cancel.is_set():
            raise Cancelled
        time.sleep(_TICK)
    try:
        if mark.exists() and place.is_dir():
            yield None
            return
        mark.unlink(missing_ok=True)
        remove(place)
        private.make_folder(place)
        try:
            yield place
        except BaseException:
            remove(place)
            raise
        private.write(mark, b"")
    finally:
        lock.release()


@contextmanager
def work_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder for one piece of work, gone afterwards; those of dead processes are removed too."""
    private.make_folder(parent)
    _sweep(parent)
    stem = re.sub(r"[^\w.-]+", "-", name)[:80]
    folder = Path(tempfile.mkdtemp(prefix=f"{stem}-", dir=parent.resolve()))
    lock = FileLock(folder / ".lock")
    lock.take()
    try:
        yield folder
    finally:
        lock.release()
        remove(folder)


def _sweep(parent: Path) -> None:
    for folder in parent.iterdir():
        mark = folder / ".lock"
        with suppress(OSError):
            # A younger one may be just being locked.
            if time.time() - mark.stat().st_mtime > _YOUNG and (lock := FileLock(mark)).take():
                remove(folder)
                lock.release()


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, also where its makers forbade that."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for path, _, _ in os.walk(folder):
            with suppress(OSError):
                os.chmod(path, stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)


def full(folder: Path) -> bool:
    """Whether there is so little room that what fails there may well fail for that."""
    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return False


@contextmanager
def disk_told() -> Iterator[None]:
    """What the system refuses, as the one line that an instance gets.

    Raises:
        Unavailable: A file could not be made, read or written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = f": {error.filename}" if error.filename else ""
        raise Unavailable(f"{reason}{where}.") from error
