"""Errors that are the program's own fault: written down for a report, told in one line.

Owns the file and the line. Must not know where an error was caught.
"""

from __future__ import annotations

import os
import time
import traceback
from collections import deque
from pathlib import Path

from agent import private
from agent.errors import AgentError
from agent.redaction import Redactor, known_values
from agent.secrets import user_keys
from tools.text import shown
from tools.text_filter import clip_line

_LONGEST = 1 << 20
"""Bytes of the file, after which it is begun anew."""
_TOLD = 200
"""Characters of an error that are shown."""
_STORM, _WITHIN = 20, 10.0
"""So many errors in so many seconds: what is wrong does not pass."""


class Failures:
    """What went wrong in this process."""

    def __init__(self, state: Path) -> None:
        """
        Args:
            state: The folder that the file `errors.log` is kept in.
        """
        self.file = state / "errors.log"
        self._times: deque[float] = deque(maxlen=_STORM)
        self._last = ""

    @property
    def storm(self) -> bool:
        """Whether errors come faster than a session could live with."""
        times = self._times
        return len(times) == _STORM and times[-1] - times[0] < _WITHIN

    def note(self, error: BaseException, root: Path) -> str:
        """Write an error down; a line for the user, empty where the one before said the same.

        Args:
            root: The repository, whose secrets are not written either.
        """
        self._times.append(time.monotonic())
        try:
            redactor = Redactor(known_values(os.environ, user_keys(), root))
        except (AgentError, OSError):  # what must not be told is not known: tell the kind alone
            return self._once(f"Something went wrong here: {type(error).__name__}.")
        written = self._append(redactor.text("".join(traceback.format_exception(error))))
        what = shown(clip_line(redactor.text(f"{type(error).__name__}: {error}"), _TOLD))
        line = f"Something went wrong here ({what}). The session goes on"
        line += f"; more in {shown(str(self.file))}." if written else "."
        return self._once(line)

    def _once(self, line: str) -> str:
        told, self._last = line == self._last, line
        return "" if told else line

    def _append(self, text: str) -> bool:
        try:
            private.make_folder(self.file.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            place = os.open(self.file, flags, private.FILE_MODE)
            with open(place, "a", encoding="utf-8", errors="backslashreplace") as out:
                if out.tell() > _LONGEST:
                    out.truncate(0)
                out.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n{text}\n")
        except OSError:  # a full disk: the error is still told
            return False
        return True
