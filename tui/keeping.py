"""What can be done to a session that is kept: the jobs, each with a line that says it is done.

Owns the lines. Must not know who asks, nor how any of it is done.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.errors import InputError
from agent.export import Format, export
from agent.forking import fork
from agent.session import SessionInfo, delete, find_session, rename, state_folder
from agent.wanted import Wanted

FORKED = "This is a copy; the session that it was made of stays as it is."


def resumed(wanted: Wanted, name: str) -> Wanted:
    """What to open to go on with the session of an id, or of the beginning of one.

    Raises:
        InputError: There is none.
    """
    return replace(wanted, resume=find_session(name, state_folder()))


def forked(wanted: Wanted, info: SessionInfo) -> Wanted:
    """What to open to go on in a copy of a session.

    Raises:
        InputError: There is nothing in it to go on with.
    """
    return replace(wanted, resume=fork(info, state_folder()))


def renamed(info: SessionInfo, title: str) -> str:
    """
    Raises:
        InputError: Its record cannot be written.
    """
    rename(info, title)
    return f"Renamed to {title}."


def deleted(info: SessionInfo) -> str:
    """
    Raises:
        InputError: It is at work, or cannot be removed.
    """
    delete(info)
    return "Deleted."


def exported(info: SessionInfo, kind: str = Format.MARKDOWN, place: str = "") -> str:
    """
    Args:
        kind: The name of a format.
        place: A file that is not there yet; empty: one in the current folder.

    Raises:
        InputError: There is no such format, or the file cannot be written.
    """
    if kind not in set(Format):
        raise InputError(f"There is no format {kind}: {', '.join(Format)}.")
    written = Format(kind)
    file = Path(place or f"session-{info.id}{written.suffix}").expanduser().absolute()
    text = export(info, written)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise InputError(f"{file} is there already and stays: name another.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
    return f"Written to {file}."
