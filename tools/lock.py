"""Who is at work on a tree: locks that end with their process, however it ends.

Owns the lock. Must not know what is done while it is held.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """An advisory lock on a file, exclusive or shared, for as long as this process wants it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._handle: int | None = None

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Whether it is held now; the file's time tells when it last was.

        Raises:
            OSError: The file cannot be made.
        """
        if self._handle is None:
            self._handle = os.open(self._place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._handle, how if wait else how | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        os.utime(self._handle)
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
