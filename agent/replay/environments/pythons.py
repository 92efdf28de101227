"""The Pythons of this machine: our own, those on the path, pyenv's and uv's.

Owns where they are looked for. Must not know what they are needed for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.replay.environments.base import Unavailable
from tools.process import clean_environment

_PROBE = "import json, sys; print(json.dumps([list(sys.version_info[:3]), sys.base_prefix]))"
_PATIENCE = 30.0
"""Seconds for a Python to say what it is."""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that is not in a virtual environment."""

    program: Path
    prefix: Path
    """What it is made of."""
    version: str
    """`3.11.7`."""


def find_python(version: str) -> Python:
    """An interpreter of a version.

    Args:
        version: `3.11`, or `3.11.7`.

    Raises:
        Unavailable: There is none here.
    """
    if re.fullmatch(r"\d+\.\d+(\.\d+)?", version) is None:
        raise Unavailable(f"{version!r} is no version of Python.")
    for program in _candidates(version):
        found = _probe(program)
        if found and f"{found.version}.".startswith(f"{version}."):
            return found
    raise Unavailable(
        f"There is no Python {version} here: uv python install {version}, "
        f"or pyenv install {version}."
    )


def find_uv() -> list[str]:
    """The command that starts uv; empty: there is none."""
    for place in (os.environ.get("UV", ""), str(Path(sys.prefix) / "bin" / "uv")):
        if os.path.isabs(place) and os.access(place, os.X_OK):
            return [place]
    if program := shutil.which("uv", path=clean_environment()["PATH"]):
        return [program]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else []


def _candidates(version: str) -> Iterator[str]:
    minor = ".".join(version.split(".")[:2])
    yield sys.executable
    for folder in clean_environment()["PATH"].split(os.pathsep):
        for name in (f"python{version}", f"python{minor}", "python3"):
            # pyenv's shims ask for versions that may be switched off; it is looked at below.
            if Path(folder).name != "shims" and os.access(f"{folder}/{name}", os.X_OK):
                yield f"{folder}/{name}"
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [*root.glob(f"versions/{version}"), *root.glob(f"versions/{version}.*")]
    yield from (str(each / "bin" / "python") for each in sorted(found, key=_number, reverse=True))
    if uv := find_uv():
        argv = [*uv, "python", "find", "--no-project", "--no-python-downloads", version]
        if told := _output(argv):
            yield told


def _number(folder: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", folder.name)]


def _probe(program: str) -> Python | None:
    told = _output([program, "-I", "-S", "-c", _PROBE])
    try:
        version, prefix = json.loads(told)
    except ValueError:
        return None
    base = Path(prefix)
    minor = ".".join(map(str, version[:2]))
    # A virtual environment's Python leads to the one it was made from.
    own = (base / "bin" / f"python{minor}", Path(program).resolve())
    real = next((each for each in own if each.exists()), Path(program))
    return Python(real, base.resolve(), ".".join(map(str, version)))


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()
