"""The user's own editor, for a text.

Owns the choice of the program and the file it is given. Must not know the screen, which gives the
terminal away meanwhile.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.errors import InputError

_USUAL = ("editor", "nano", "vi")


def editor_of(environ: Mapping[str, str]) -> list[str]:
    """The command of the editor: `VISUAL`, `EDITOR`, else a usual one.

    Raises:
        InputError: There is none.
    """
    for name in ("VISUAL", "EDITOR"):
        try:
            command = shlex.split(environ.get(name, ""))
        except ValueError as error:
            raise InputError(f"{name} cannot be read as a command: {error}.") from error
        if command:
            return command
    if found := next(filter(None, map(shutil.which, _USUAL)), None):
        return [found]
    raise InputError("There is no editor: set EDITOR to the one you use.")


def edited(text: str, command: list[str]) -> str:
    """The text as the user leaves it.

    Raises:
        InputError: The editor cannot be started, failed, or left no text.
    """
    name = shlex.join(command)
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:  # for the owner alone
        place = Path(folder) / "prompt.md"
        place.write_text(text, encoding="utf-8", errors="replace")
        try:
            done = subprocess.run([*command, os.fspath(place)], check=False)
            if done.returncode:
                raise InputError(f"{name} ended with exit code {done.returncode}: nothing changed.")
            return place.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        except OSError as error:
            raise InputError(f"{name} cannot be used: {error.strerror}.") from error
