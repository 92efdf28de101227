"""What a run loads of the folder it works in, and what it leaves out for want of trust.

Owns the choice. Must not know what settings or instructions are used for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent import config, config_file
from agent.config import Configuration, ProjectSettings
from agent.errors import InputError, ModelMissing
from agent.trust import (
    ProjectFile,
    Standing,
    Trust,
    TrustStore,
    instruction_files,
    settings_file,
)
from tools.text import shown
from tools.workspace import Workspace

_NAMED = 3
"""Files that a notice names."""


class Project:
    """One folder for one run."""

    def __init__(self, root: Path, state: Path, everything: bool = False) -> None:
        """
        Args:
            everything: Trust it for this run, whatever it holds; nothing of that is kept.

        Raises:
            InputError: The record of what is trusted cannot be used.
        """
        self._workspace = Workspace(root)
        self._trust = Trust({}, everything=True) if everything else TrustStore(state).of(root)
        self._loaded: list[ProjectFile] = []
        self._left: list[tuple[ProjectFile, Standing]] = []

    @property
    def root(self) -> Path:
        """The folder's real path."""
        return self._workspace.root

    def settings(self) -> ProjectSettings | None:
        """The folder's settings, if they are trusted."""
        file = settings_file(self._workspace)
        for trusted in self._trusted((file,) if file else ()):
            return ProjectSettings(self.root / trusted.name, trusted.data)
        return None

    def instructions(self, listed: Iterable[str]) -> tuple[ProjectFile, ...]:
        """The folder's instructions that are trusted, outer folders first.

        Args:
            listed: The files that are not ignored, relative.
        """
        return self._trusted(instruction_files(self._workspace, listed))

    def notices(self, asked: Path) -> tuple[str, ...]:
        """What was loaded and what was not, a line each; nothing for a folder without such files.

        Args:
            asked: The folder as the user named it.
        """
        lines = []
        if self._loaded:
            lines.append(f"Trusted and loaded: {_list(shown(it.name) for it in self._loaded)}.")
        if self._left:
            where = "" if asked == Path() else f" {shlex.quote(str(asked))}"
            left = _list(f"{shown(file.name)} ({standing})" for file, standing in self._left)
            lines.append(f"Not loaded: {left}. To see and trust: agent trust{where}")
        return tuple(lines)

    def _trusted(self, files: Iterable[ProjectFile]) -> tuple[ProjectFile, ...]:
        chosen = []
        for file in files:
            standing = self._trust.standing(file)
            if standing is Standing.TRUSTED:
                chosen.append(file)
            else:
                self._left.append((file, standing))
        self._loaded += chosen
        return tuple(chosen)


def _list(names: Iterable[str]) -> str:
    first = list(names)
    more = len(first) - _NAMED
    return ", ".join(first[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def configure(
    flags: Mapping[str, Any], environment: Mapping[str, str], project: ProjectSettings | None
) -> Configuration:
    """The settings in force, those of a trusted project among them.

    Raises:
        InputError: A value cannot be used, or the project names a model that the catalogue lacks;
            names its origin.
    """
    made = config.load(flags, environment, config_file.user_file(), project)
    if project is not None and made.origins["model"] == str(project.file) and made.settings.model:
        # 60 ms; only needed where a project chooses the model
        from agent.models.catalogue import Catalogue

        try:
            Catalogue.load().find(made.settings.model)
        except ModelMissing as error:
            # A file or a script could run its code; a server could be sent the user's, and be paid.
            raise InputError(
                f"A project may only choose a model of the catalogue ({project.file}): {error}."
            ) from error
    return made
