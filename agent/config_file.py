"""The user's configuration file: where it is, what it says, one line of it changed.

Owns the file's form. Must not know any setting. Must stay quick to import: the screen's first
frame asks it for the theme.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from agent import private
from agent.errors import InputError


def user_file() -> Path:
    """The user's configuration file, whether it exists or not."""
    override = os.environ.get("PARITY_CONFIG")
    if override:
        return Path(override)
    from platformdirs import user_config_path  # 20 ms; not needed for --help

    return user_config_path("parity", appauthor=False) / "config.toml"


def remember(file: Path, name: str, value: str) -> None:
    """Set one text in the user's file; every other line of it stays as it is.

    Raises:
        InputError: The file cannot be read or changed; it stays as it was.
    """
    data = read(file)
    parsed(data, file)
    line = f"{name} = {json.dumps(value, ensure_ascii=True)}"
    text = data.decode("utf-8")
    head = re.search(r"(?m)^[ \t]*\[", text)  # what follows belongs to a table
    top = text[: head.start()] if head else text
    changed, found = re.subn(rf"(?m)^[ \t]*{name}[ \t]*=[^\r\n]*", lambda _: line, top, count=1)
    if not found:
        changed = f"{top}{'' if not top or top.endswith(chr(10)) else chr(10)}{line}\n"
    text = changed + text[len(top) :]
    if parsed(text.encode("utf-8"), file).get(name) != value:
        raise InputError(f"The configuration {file} is written in a way that is not changed here.")
    try:
        private.write(file.resolve(), text.encode("utf-8"))  # a link stays one
    except OSError as error:
        raise InputError(f"The configuration {file} cannot be kept: {error.strerror}.") from error


def read(file: Path) -> bytes:
    """What the file holds; nothing where it does not exist.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"The configuration {file} cannot be read: {error.strerror}.") from error


def parsed(data: bytes, file: Path) -> dict[str, Any]:
    """The values that it sets, not checked yet.

    Raises:
        InputError: It is not TOML.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"The configuration {file} cannot be read: {error}.") from error
