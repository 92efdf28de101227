"""What a session is opened with.

Must stay quick to import: the screen shows a prompt before anything of a session is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.mode import Mode

if TYPE_CHECKING:
    from agent.models.base import Steering
    from agent.session import SessionInfo


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session is opened with."""

    folder: Path
    """The repository, or a folder in it."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings given as options; None for those that were not."""
    steering: Steering | None = None
    """Who takes the steps; None: as suits the model."""
    mode: Mode = Mode.AUTO
    """Where the settings name none."""
    resume: SessionInfo | None = None
    """The session to go on with."""
    on_copy: bool = False
    """Whether the work is done on a copy of the tree, which is gone afterwards."""
    trust: bool = False
    """Whether the folder's settings and instructions are trusted, this time."""
    talk: bool = False
    """Whether a turn may end with an answer alone; else it is there to change something."""
    secrets: tuple[Path, ...] = ()
    """Files that may be read although they may hold secrets."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of the commands that are run."""
