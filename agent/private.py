"""Folders and files that only their owner can read, written whole or not at all.

Owns modes and atomic writing outside the user's tree. Must not know what is kept.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, all of them for the owner alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # another instance was quicker
        folder.mkdir(mode=FOLDER_MODE)


def write(place: Path, data: bytes, *, lasting: bool = True) -> None:
    """Replace a file atomically; its folder is made. Readable by the owner alone.

    Args:
        lasting: Whether it is to survive a loss of power; that takes the disk's time.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    make_folder(place.parent)
    temporary = place.with_name(f".{place.name}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, FILE_MODE), "wb") as out:
            out.write(data)
            if lasting:
                out.flush()
                os.fsync(out.fileno())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def too_open(place: Path, wanted: int) -> str:
    """What is wrong with a mode; empty where nothing is.

    Args:
        wanted: The permission bits it may have at most.
    """
    mode = stat.S_IMODE(place.stat().st_mode)
    if not mode & ~wanted & 0o077:
        return ""
    return f"has mode {mode:04o}, and others may see into it"
