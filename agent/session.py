"""The append-only record of a session, in a folder of the user's state directory.

Owns where sessions lie and how a record is written and listed; `recorded` reads a conversation
back. Must not know models or the screen.

    sessions/<id>/record.jsonl   one event a line, the first says what the session is; each with
                                 the time it was written `at`, in seconds since the epoch
    sessions/<id>/journal/       what was written to the tree, see `tools.workspace.Journal`
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import private
from agent.errors import InputError
from agent.events import (
    Event,
    Notice,
    PromptReading,
    ToolPrinted,
    Waiting,
    Wrote,
    WroteCall,
    to_json,
)

VERSION = 1
_PASSING = (Wrote, WroteCall, PromptReading, Waiting, ToolPrinted)


def state_folder() -> Path:
    """Where sessions are kept: `PARITY_STATE`, else the platform's place for state."""
    override = os.environ.get("PARITY_STATE")
    if override:
        return Path(override)
    from platformdirs import user_state_path  # 20 ms; not needed for --help

    return user_state_path("parity", appauthor=False)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The first line of a record."""

    id: str
    folder: Path
    root: Path
    """The tree it worked on."""
    task: str
    started: str
    """ISO 8601, UTC."""

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def record(self) -> Path:
        return self.folder / "record.jsonl"


class Session:
    """An open session: events are appended as they come, each line written at once."""

    def __init__(self, info: SessionInfo) -> None:
        """Open a session, so that nobody else can.

        Raises:
            InputError: Another process has it open.
        """
        self.info = info
        self._broken = False
        self._file = info.record.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise InputError(f"Session {info.id} is at work in another process.") from None

    @classmethod
    def create(cls, root: Path, state: Path, task: str = "") -> Session:
        """A new session.

        Args:
            task: What the user wants; empty while that is not known. Until `begin` tells it there
                is nothing to resume, and nothing is left of a session that ends so.
        """
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S-%f}-{os.urandom(3).hex()}"
        folder = state / "sessions" / name
        private.make_folder(folder)
        session = cls(SessionInfo(name, folder, root, "", now.isoformat(timespec="seconds")))
        session.info.record.chmod(0o600)
        if task:
            session.begin(task)
        return session

    def begin(self, task: str) -> None:
        """Say what the session is about; the first time counts.

        Raises:
            InputError: It cannot be written.
        """
        if self.info.task:
            return
        info = replace(self.info, task=task)
        first = {
            "event": "session",
            "version": VERSION,
            "id": info.id,
            "root": str(info.root),
            "task": task,
            "started": info.started,
        }
        try:
            self.append(first)
        except OSError as error:
            raise InputError(
                f"The session cannot be recorded in {info.folder}: {error.strerror}. Make room "
                "there, or name another folder in PARITY_STATE."
            ) from error
        self.info = info

    @classmethod
    def reopen(cls, info: SessionInfo) -> Session:
        """Open a session to go on with it.

        Raises:
            InputError: Another process has it open.
        """
        session = cls(info)
        size = session._file.seek(0, os.SEEK_END)
        if size and os.pread(session._file.fileno(), 1, size - 1) != b"\n":
            session._file.write(b"\n")  # a crash cut the last line short
        return session

    def record(self, event: Event) -> Notice | None:
        """Append an event, but for those that pass: what follows them holds it all.

        Returns:
            What the user should know when the record ends here, as on a full disk; told once.
            Nothing is appended after that: a conversation with a gap is none.
        """
        if self._broken or isinstance(event, _PASSING):
            return None
        try:
            self.append(to_json(event))
        except OSError as error:
            self._broken = True
            return Notice(
                f"The session is not recorded any more ({error.strerror}): it goes on, but can "
                "only be resumed as it was until now."
            )
        return None

    @property
    def whole(self) -> bool:
        """Whether everything was recorded so far."""
        return not self._broken

    def close(self) -> None:
        """May be called twice."""
        if not self._file.closed and not self.info.task:
            shutil.rmtree(self.info.folder, ignore_errors=True)
        self._file.close()

    def append(self, line: Mapping[str, Any]) -> None:
        """A line that is no event of an agent's: what the session is.

        Raises:
            OSError: It cannot be written.
        """
        # ASCII: nothing that was recorded can steer a terminal that shows the file.
        text = json.dumps({**line, "at": round(time.time(), 4)})
        self.copy([text.encode("ascii")])

    def copy(self, lines: Iterable[bytes]) -> None:
        """Lines of another record, as they are.

        Raises:
            OSError: They cannot be written.
        """
        left = memoryview(b"".join(line + b"\n" for line in lines))
        while left:
            left = left[self._file.write(left) or 0 :]


def rename(info: SessionInfo, title: str) -> None:
    """Give a session a title, also while another process has it open.

    Raises:
        InputError: Its record cannot be written.
    """
    # One write, so that it cannot fall into another's line; a line end first, for a crash may
    # have cut the last one short.
    renamed = {"event": "renamed", "title": title, "at": round(time.time(), 4)}
    line = b"\n" + json.dumps(renamed).encode() + b"\n"
    try:
        with info.record.open("ab", buffering=0) as record:
            record.write(line)
    except OSError as error:
        raise InputError(f"Session {info.id} cannot be renamed: {error.strerror}.") from error


def sessions(state: Path) -> Iterator[SessionInfo]:
    """All sessions, the newest first; folders that hold no readable record are passed over."""
    folder = state / "sessions"
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda path: path.name, reverse=True):
        try:
            yield session_of(entry)
        except InputError:
            continue


def session_of(folder: Path) -> SessionInfo:
    """The session that is kept in a folder.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    try:
        with (folder / "record.jsonl").open(encoding="utf-8") as record:
            first = json.loads(record.readline())
        return SessionInfo(
            first["id"], folder, Path(first["root"]), first["task"], first["started"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"There is no record of a session in {folder}.") from error


def find_session(name: str, state: Path, root: Path | None = None) -> SessionInfo:
    """The session of an id, of the beginning of one, or the `last` one.

    Args:
        root: The repository whose last session is meant; None: of all of them.

    Raises:
        InputError: There is none, or several begin so.
    """
    if name == "last":
        last = last_session(state, root)
        if last is None:
            where = f" of {root}" if root is not None else ""
            raise InputError(f"There is no session{where} yet.")
        return last
    found = [info for info in sessions(state) if name and info.id.startswith(name)]
    found = [info for info in found if info.id == name] or found
    if not found:
        raise InputError(f"There is no session {name}: `agent sessions` lists them.")
    if len(found) > 1:
        raise InputError(f"{len(found)} sessions begin with {name}: give more of the id.")
    return found[0]


def last_session(state: Path, root: Path | None = None) -> SessionInfo | None:
    """The session that was last at work, of a repository or of all; None: there is none."""
    those = (info for info in sessions(state) if root is None or info.root == root)
    return max(those, key=lambda info: info.record.stat().st_mtime, default=None)


def delete(info: SessionInfo) -> None:
    """Take a session's folder away, and with it the means to undo what it wrote.

    Raises:
        InputError: It is at work, or cannot be removed.
    """
    session = Session(info)
    try:
        shutil.rmtree(info.folder)
    except OSError as error:
        raise InputError(f"Session {info.id} cannot be removed: {error.strerror}.") from error
    finally:
        session.close()
