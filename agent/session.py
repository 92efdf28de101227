"""The append-only record of a session, in a folder of the user's state directory.

Owns where sessions lie and how a record is written and read. Must not know models or the screen.

    sessions/<id>/record.jsonl   one event a line, the first says what the session is; each with
                                 the time it was written `at`, in seconds since the epoch
    sessions/<id>/journal/       what was written to the tree, see `tools.workspace.Journal`
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import private
from agent.events import Event, PromptReading, Waiting, Wrote, WroteCall, to_json

VERSION = 1


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


class Session:
    """An open session: events are appended as they come, each line flushed."""

    def __init__(self, info: SessionInfo) -> None:
        self.info = info
        self._file = (info.folder / "record.jsonl").open("a", encoding="ascii", newline="\n")

    @classmethod
    def create(cls, root: Path, task: str, state: Path) -> Session:
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S-%f}-{os.urandom(3).hex()}"
        folder = state / "sessions" / name
        private.make_folder(folder)
        info = SessionInfo(name, folder, root, task, now.isoformat(timespec="seconds"))
        session = cls(info)
        (folder / "record.jsonl").chmod(0o600)
        session._append(
            {
                "event": "session",
                "version": VERSION,
                "id": name,
                "root": str(root),
                "task": task,
                "started": info.started,
            }
        )
        return session

    def record(self, event: Event) -> None:
        """Append an event; pieces of an answer are left out, for its message holds them all."""
        if not isinstance(event, Wrote | WroteCall | PromptReading | Waiting):
            self._append(to_json(event))

    def close(self) -> None:
        self._file.close()

    def _append(self, line: dict[str, Any]) -> None:
        stamped = {**line, "at": round(time.time(), 4)}
        # ASCII: nothing that was recorded can steer a terminal that shows the file.
        self._file.write(json.dumps(stamped) + "\n")
        self._file.flush()


def sessions(state: Path) -> Iterator[SessionInfo]:
    """All sessions, the newest first; folders that hold no readable record are passed over."""
    folder = state / "sessions"
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda path: path.name, reverse=True):
        try:
            with (entry / "record.jsonl").open(encoding="utf-8") as record:
                first = json.loads(record.readline())
            yield SessionInfo(
                first["id"], entry, Path(first["root"]), first["task"], first["started"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
