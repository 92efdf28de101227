"""A project's own instructions (`AGENTS.md`) as a model is told them.

Owns their wording, their length and when each is told. Must not know whether they are trusted:
only such files come here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from agent.models.base import ModelSpec, Steering
from agent.prompts import fill
from agent.trust import ProjectFile
from tools.text import SourceText, shown
from tools.text_filter import clip, printable

_CHARACTERS_PER_TOKEN = 3
_SHARE = {Steering.FREE: 0.1, Steering.GUIDED: 0.04}
"""Part of the window that one file's instructions may take."""
_MOST = {Steering.FREE: 30_000, Steering.GUIDED: 1_500}
"""Characters, however large the window: a weak model loses its task among them."""


def room(spec: ModelSpec, steering: Steering) -> int:
    """Characters that one file's instructions may have for a model."""
    share = int(spec.context * _SHARE[steering] * _CHARACTERS_PER_TOKEN)
    return min(share, _MOST[steering])


@dataclass(slots=True)
class Instructions:
    """What a conversation is told: the root's at its opening, a folder's when it is first used."""

    files: Sequence[ProjectFile] = ()
    """Outer folders first."""
    limit: int = 0
    """Characters of one file."""
    _told: set[str] = field(default_factory=set)

    def opening(self, system: str) -> str:
        """The system prompt with the root's instructions, the same for the whole conversation."""
        root = (self._text(file) for file in self.files if _folder(file) == "")
        return "\n\n".join((system, *root))

    def for_paths(self, paths: Iterable[str]) -> str:
        """The instructions of the folders that these paths are in, but for those told before.

        Args:
            paths: Relative to the root, with `/`.
        """
        above = {str(parent) for path in paths for parent in PurePosixPath(path, "x").parents}
        new = [file for file in self.files if _folder(file) in above - self._told - {""}]
        self._told.update(map(_folder, new))
        return "\n\n".join(map(self._text, new))

    def forget(self) -> None:
        """The conversation has lost what it was told after its opening."""
        self._told.clear()

    def notices(self) -> tuple[str, ...]:
        """For each file that is longer than the model is told, a line."""
        sizes = {file.name: len(_read(file)) for file in self.files}
        return tuple(
            f"{shown(name)} has {size:,} characters; the model is told {self.limit:,} of them."
            for name, size in sizes.items()
            if size > self.limit
        )

    def _text(self, file: ProjectFile) -> str:
        where = f"the folder {_folder(file)}" if _folder(file) else "this project"
        text = clip(_read(file), self.limit, head=0.8)
        return fill("instructions", file=file.name, where=where, text=text)


def _read(file: ProjectFile) -> str:
    """A file's text as the user was shown it: nothing in it hides."""
    return printable(SourceText.of(file.data).text).strip()


def _folder(file: ProjectFile) -> str:
    return file.name.rpartition("/")[0]
