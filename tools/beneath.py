"""Files beneath a root, opened so that no link, `..` or swap leads out of it.

Owns containment and atomic replacement. Must not know what was read before, what is secret or
why a file is written.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError

NO_LIMIT = 1 << 40
"""A size in bytes that no file here has: for what this program wrote itself."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISLNK, "a link that changed while it was opened"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A regular file's bytes with the state it had when they were read; or a link's target."""

    data: bytes
    status: os.stat_result

    @property
    def link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)

    @property
    def mode(self) -> int:
        """Permission bits; with `S_IFLNK` for a link."""
        return stat.S_IMODE(self.status.st_mode) | (stat.S_IFLNK if self.link else 0)

    @property
    def owner(self) -> tuple[int, int]:
        return self.status.st_uid, self.status.st_gid


class Tree:
    """A root folder. Names are relative to it, real (no link in them) and written with `/`."""

    def __init__(self, root: Path) -> None:
        try:
            self.root = root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ToolError(f"{str(root)!r} cannot be opened as a workspace.") from error
        if not self.root.is_dir():
            raise ToolError(f"{str(root)!r} is not a folder.")

    def name(self, path: str) -> str:
        """The real name of a path, which need not exist; `.` for the root itself.

        Raises:
            ToolError: It leads outside the root or into `.git`, or is no path at all.
        """
        try:
            usable = b"\0" not in path.encode()
        except UnicodeEncodeError:
            usable = False
        if not usable:
            raise ToolError(f"{path!r} cannot be a path.")
        try:
            place = (self.root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise ToolError(f"{path!r} is a link that leads nowhere.") from error
        if not place.is_relative_to(self.root):
            raise ToolError(f"{path!r} is outside the workspace; give a path relative to its root.")
        real = place.relative_to(self.root)
        asked = Path(path).parts[len(self.root.parts) if Path(path).is_absolute() else 0 :]
        if ".git" in {part.casefold() for part in (*asked, *real.parts)}:
            raise ToolError(f"{path!r} is git's own; it is neither read nor written here.")
        return real.as_posix()

    def status(self, name: str) -> os.stat_result | None:
        """What is there; None for nothing. A link is not followed."""
        try:
            with self._parent(name) as (folder, leaf):
                return os.stat(leaf, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(name, "read", error) from error

    def load(self, name: str, limit: int, *, links: bool = False) -> Loaded | None:
        """A regular file's bytes; None if nothing is there. Never blocks.

        Args:
            limit: The most bytes a file may have.
            links: Whether a symbolic link is taken as one, its target as its bytes.

        Raises:
            ToolError: It is no regular file, too large, or may not be read.
        """
        try:
            with self._parent(name) as (folder, leaf):
                status = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
                if links and stat.S_ISLNK(status.st_mode):
                    return Loaded(os.fsencode(os.readlink(leaf, dir_fd=folder)), status)
                # Opening a device can act on it, so its kind is looked at before and after.
                _check(name, status, limit)
                with open(os.open(leaf, _FILE, dir_fd=folder), "rb") as file:
                    status = os.fstat(file.fileno())
                    _check(name, status, limit)
                    data = file.read(status.st_size + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(name, "read", error) from error
        if len(data) > status.st_size:
            raise ToolError(f"{name!r} grew while it was read; try again.")
        return Loaded(data, status)

    def replace(
        self,
        name: str,
        data: bytes,
        mode: int | None,
        owner: tuple[int, int] | None,
        before_rename: Callable[[tuple[str, ...]], None],
    ) -> None:
        """Put `data` in the place of a file, or of nothing, whole or not at all.

        Args:
            mode: Permission bits to give it; None for those that a new file gets. With `S_IFLNK`
                it becomes a symbolic link to `data`.
            owner: User and group to give it, where that is permitted.
            before_rename: Called with the folders that were made, when everything is on disk
                except the name; raising stops the replacement.
        """
        made: list[str] = []
        try:
            with self._parent(name, made) as (folder, leaf):
                temporary = f".{os.urandom(8).hex()}.tmp"
                try:
                    if mode is not None and stat.S_ISLNK(mode):
                        os.symlink(os.fsdecode(data), temporary, dir_fd=folder)
                    else:
                        _create(temporary, folder, data, mode, owner)
                    before_rename(tuple(made))
                    os.replace(temporary, leaf, src_dir_fd=folder, dst_dir_fd=folder)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(temporary, dir_fd=folder)
                    raise
                os.fsync(folder)
        except BaseException as error:
            self.prune(made)
            if isinstance(error, OSError):
                raise _refusal(name, "written", error) from error
            raise

    def remove(self, name: str) -> None:
        """Take a file away; nothing there is no error."""
        try:
            with self._parent(name) as (folder, leaf):
                os.unlink(leaf, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refusal(name, "removed", error) from error

    def prune(self, folders: Iterable[str]) -> None:
        """Remove those of the folders that are empty, deepest first."""
        for name in sorted(set(folders), key=len, reverse=True):
            with suppress(OSError, ToolError), self._parent(name) as (folder, leaf):
                os.rmdir(leaf, dir_fd=folder)

    @contextmanager
    def _parent(self, name: str, made: list[str] | None = None) -> Iterator[tuple[int, str]]:
        """An open handle on a name's folder, and the name's last part.

        Args:
            made: Where given, missing folders are created and named here.
        """
        *parts, leaf = Path(name).parts or (".",)
        handle = os.open(self.root, _FOLDER)
        try:
            for depth, part in enumerate(parts, 1):
                try:
                    inner = os.open(part, _FOLDER, dir_fd=handle)
                except FileNotFoundError:
                    if made is None:
                        raise
                    os.mkdir(part, dir_fd=handle)
                    made.append("/".join(parts[:depth]))
                    inner = os.open(part, _FOLDER, dir_fd=handle)
                except NotADirectoryError as error:
                    place = "/".join(parts[:depth])
                    raise ToolError(f"{place!r} is not a folder, so {name!r} cannot be.") from error
                os.close(handle)
                handle = inner
            yield handle, leaf
        finally:
            os.close(handle)


def _create(
    name: str, folder: int, data: bytes, mode: int | None, owner: tuple[int, int] | None
) -> None:
    """Write a new file and wait until it is on disk."""
    file = os.open(name, _NEW, 0o666 if mode is None else 0o600, dir_fd=folder)
    with open(file, "wb") as out:
        out.write(data)
        out.flush()
        if owner is not None:
            with suppress(PermissionError):
                os.fchown(file, *owner)
        if mode is not None:
            os.fchmod(file, mode)
        os.fsync(file)


def _check(name: str, status: os.stat_result, limit: int) -> None:
    """Refuse what is no regular file or too large."""
    for matches, kind in _KINDS:
        if matches(status.st_mode):
            raise ToolError(f"{name!r} is {kind}, not a file.")
    if status.st_size > limit:
        raise ToolError(f"{name!r} has {status.st_size:,} bytes; the most is {limit:,}.")


def _refusal(name: str, action: str, error: OSError) -> ToolError:
    reason = (
        "it was swapped for a link meanwhile"
        if error.errno == errno.ELOOP
        else (error.strerror or str(error)).lower()
    )
    return ToolError(f"{name!r} was not {action}: {reason}.")
