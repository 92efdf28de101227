"""What a folder may tell the agent: its settings and instructions, once the user has seen them.

Owns which files need trust, the record of what was trusted, and its verification. Must not know
what a file says, nor whom to ask.

The record is `trust.json` in the state folder: for each folder, by its real path, the SHA-256 of
every file that was trusted. A file counts when both agree with what is there now, so an edit, a
move and a link to elsewhere all end it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from agent import private
from agent.errors import InputError
from tools.errors import ToolError
from tools.workspace import Workspace

SETTINGS = ".agent/config.toml"
INSTRUCTIONS = ("agents.md", "claude.md")
"""Names, whatever their case; of those in one folder the first of this order counts."""
LARGEST = 64 << 10
"""Bytes; a longer file is no settings and no instructions."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file of a folder that would change what the agent does."""

    name: str
    """Relative to the folder, with `/`."""
    data: bytes
    problem: str = ""
    """Why it cannot be used; then it is not loaded, trusted or not."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Standing(StrEnum):
    """How a file stands to what was trusted."""

    TRUSTED = "trusted"
    CHANGED = "changed since it was trusted"
    NEW = "not trusted"
    UNUSABLE = "cannot be used"


@dataclass(frozen=True, slots=True)
class Trust:
    """What of one folder may be loaded."""

    digests: Mapping[str, str]
    """Name to SHA-256 of what was trusted."""
    everything: bool = False
    """Trusted as it is, for one run."""

    def standing(self, file: ProjectFile) -> Standing:
        if file.problem:
            return Standing.UNUSABLE
        known = self.digests.get(file.name)
        if self.everything or known == file.digest:
            return Standing.TRUSTED
        return Standing.NEW if known is None else Standing.CHANGED


class TrustStore:
    """The record of what was trusted."""

    def __init__(self, state: Path) -> None:
        self.place = state / "trust.json"

    def of(self, root: Path) -> Trust:
        """What is trusted of a folder; nothing, for one that is not known.

        Raises:
            InputError: The record cannot be read, or others may have written it.
        """
        return Trust(self._read().get(str(root.resolve()), {}))

    def folders(self) -> Mapping[str, Mapping[str, str]]:
        """All that is trusted: real path to name to SHA-256.

        Raises:
            InputError: As `of`.
        """
        return self._read()

    def trust(self, root: Path, files: Iterable[ProjectFile]) -> None:
        """Trust these files of a folder, as they were read, and no others of it.

        Raises:
            InputError: As `of`.
        """
        digests = {file.name: file.digest for file in files if not file.problem}
        with self._alone():
            self._write({**self._read(), str(root.resolve()): digests})

    def remove(self, root: Path) -> bool:
        """Trust nothing of a folder; whether anything was trusted.

        Raises:
            InputError: As `of`.
        """
        with self._alone():
            known = self._read()
            found = known.pop(str(root.resolve()), None)
            if found is not None:
                self._write(known)
        return found is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other instance writes the record meanwhile."""
        # 20 ms; only needed to write
        from filelock import FileLock

        private.make_folder(self.place.parent)
        with FileLock(self.place.with_suffix(".lock"), mode=private.FILE_MODE):
            yield

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            with self.place.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise InputError(f"{self.place} cannot be read: {error.strerror}.") from error
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise InputError(
                f"Others may write {self.place}, so it proves nothing; look at it, then "
                f"`chmod 600 {self.place}`."
            )
        try:
            record = json.loads(data)
            return {
                str(root): {str(name): str(digest) for name, digest in digests.items()}
                for root, digests in record["folders"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self.place} is damaged; remove it to begin anew.") from error

    def _write(self, folders: Mapping[str, Mapping[str, str]]) -> None:
        record = {"version": _VERSION, "folders": folders}
        private.write(self.place, json.dumps(record, indent=1, sort_keys=True).encode())


def settings_file(workspace: Workspace) -> ProjectFile | None:
    """The folder's settings; None where it has none."""
    return _load(workspace, SETTINGS)


def instruction_files(workspace: Workspace, listed: Iterable[str]) -> tuple[ProjectFile, ...]:
    """The instructions of the root and of the folders below it: one a folder, outer ones first.

    In the root a link may stand for them, when it stays in the folder; elsewhere links do not
    count.

    Args:
        listed: The folder's files that are not ignored, as `Workspace.files` names them.
    """
    candidates: dict[str, list[str]] = {}
    for path in (*_root_names(workspace.root), *listed):
        folder, _, leaf = path.rpartition("/")
        if leaf.casefold() in INSTRUCTIONS:
            candidates.setdefault(folder, []).append(path)
    chosen = [min(paths, key=_preference) for paths in candidates.values()]
    loaded = (_load(workspace, path) for path in sorted(chosen, key=_depth))
    return tuple(file for file in loaded if file is not None)


def project_files(workspace: Workspace) -> tuple[ProjectFile, ...]:
    """Everything in a folder that needs trust."""
    settings = settings_file(workspace)
    return (*((settings,) if settings else ()), *instruction_files(workspace, workspace.files()))


def _root_names(root: Path) -> list[str]:
    try:
        return [entry.name for entry in root.iterdir()]
    except OSError:
        return []


def _preference(path: str) -> tuple[int, bool, str]:
    """The order among one folder's candidates: by name, `AGENTS.md` before `agents.md`."""
    leaf = PurePosixPath(path).name
    stem = leaf.partition(".")[0]
    return INSTRUCTIONS.index(leaf.casefold()), not stem.isupper(), leaf


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _load(workspace: Workspace, name: str) -> ProjectFile | None:
    """A file by a safe way: beneath the root, regular, no secret, of a size to be read."""
    try:
        if not workspace.exists(name):
            return None
        data = workspace.peek(name)
    except ToolError as error:
        return ProjectFile(name, b"", str(error))
    if len(data) > LARGEST:
        problem = f"It has {len(data):,} bytes; the most is {LARGEST:,}."
        return ProjectFile(name, b"", problem)
    return ProjectFile(name, data)
