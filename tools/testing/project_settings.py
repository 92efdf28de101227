"""What a repository's own configuration says of its tests.

Reads files; must not know commands or interpreters.
"""

from __future__ import annotations

import configparser
import tomllib
from dataclasses import dataclass
from pathlib import Path

_CONFIG = 1_000_000
"""Bytes a configuration file may have."""


@dataclass(frozen=True, slots=True)
class PytestSettings:
    """What a repository tells pytest, as far as it matters to us."""

    file: str
    addopts: str
    pythonpath: str


def pytest_settings(root: Path) -> PytestSettings | None:
    """The pytest configuration at the root, from the first file that pytest would take."""
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest")):
        if (root / name).is_file():
            return _from_ini(root, name, section) or PytestSettings(name, "", "")
    with_toml = _from_pyproject(root)
    return (
        with_toml
        or _from_ini(root, "tox.ini", "pytest")
        or _from_ini(root, "setup.cfg", "tool:pytest")
    )


def _from_pyproject(root: Path) -> PytestSettings | None:
    try:
        tool = tomllib.loads(small_text(root / "pyproject.toml")).get("tool", {})
        table = tool["pytest"]
        options = table.get("ini_options", table)
        values = {name: options.get(name, "") for name in ("addopts", "pythonpath")}
    except (tomllib.TOMLDecodeError, KeyError, AttributeError):
        return None
    joined = {
        name: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }
    return PytestSettings("pyproject.toml", joined["addopts"], joined["pythonpath"])


def _from_ini(root: Path, name: str, section: str) -> PytestSettings | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(small_text(root / name))
    except configparser.Error:
        return None
    if not parser.has_section(section):
        return None
    values = parser[section]
    return PytestSettings(name, values.get("addopts", ""), values.get("pythonpath", ""))


def small_text(path: Path) -> str:
    """A small regular file's text; empty for anything else."""
    try:
        if not path.is_file() or path.stat().st_size > _CONFIG:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
