"""Protecting what cannot simply be mounted over: paths that do not exist, and links.

A mount needs something to stand on, so an empty folder stands where nothing is while a command
runs. Its sticky bit tells it from a folder that somebody made; a lock on it tells whether it is in
use, and is gone with the process that held it. What a kill leaves is an empty folder, which git
does not see, and the next command takes it away. Must not know what is protected, or from whom.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.errors import ToolError


@contextmanager
def placeholder(path: Path) -> Iterator[None]:
    """Sees to it that something is at `path`; an empty folder of ours goes away afterwards.

    Where even we cannot make one, there may be nothing, as no command can make one either.
    """
    held = _hold(path)
    try:
        yield
    finally:
        if held is not None:
            _release(path, held)


@contextmanager
def guarded_link(path: Path) -> Iterator[None]:
    """Sees to it that the link at `path` is the same link afterwards.

    Raises:
        ToolError: Something else stood there and was moved aside.
    """
    target = os.readlink(path)
    try:
        yield
    finally:
        if not path.is_symlink() or os.readlink(path) != target:
            aside = path.with_name(f"{path.name}.replaced-{os.urandom(3).hex()}")
            with suppress(FileNotFoundError):
                path.rename(aside)
            path.symlink_to(target)
            raise ToolError(
                f"The command replaced the link {path.name}, which it may not change; the link was "
                f"put back. What the command made, if anything, is in {aside.name}."
            )


def _hold(path: Path) -> int | None:
    """The locked descriptor of a placeholder; None if something real is there."""
    while True:
        try:
            path.mkdir(0o1755)
        except FileExistsError:
            if not _is_placeholder(path):
                return None
        except OSError:  # a tree that cannot be written
            return None
        try:
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # removed meanwhile by another command's end
            continue
        fcntl.flock(held, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), path.lstat()):
                return held
        os.close(held)


def _release(path: Path, held: int) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.rmdir()
    except BlockingIOError:  # another command needs it still
        pass
    except FileNotFoundError:
        pass
    except OSError:  # somebody has put something into it: now it is theirs
        path.chmod(0o755)
    finally:
        os.close(held)


def _is_placeholder(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
        return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX) and not any(path.iterdir())
    except OSError:
        return False
