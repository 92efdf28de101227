"""What a conversation believes of the files and is not so: edits taken back, or made elsewhere.

Owns the comparison of its turns with the session's journal, and what a model is told of it. Must
not know how files are taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.events import Rewound
from agent.prompts import fill
from agent.recorded import TurnInfo
from tools.journal import Journal
from tools.patch import file_patch
from tools.text import shown
from tools.undo import Restored, by_path

NAMED = 20
"""Files that a model is told by their names."""


@dataclass(frozen=True, slots=True)
class RewindReport:
    """What a return to before a turn came to."""

    turn: TurnInfo
    """The first of those that were taken back."""
    files: tuple[Restored, ...]
    """What became of the files that were changed since; those `kept` hold the user's own edits."""
    event: Rewound


def gone(turns: Iterable[TurnInfo], journal: Path) -> tuple[str, ...]:
    """Files that turns changed and whose changes are not in the tree: `agent undo` took them
    back, or they were made on a copy.

    Args:
        turns: Of the conversation, as far as they are the session's own.
        journal: The session's; there may be none.
    """
    empty: frozenset[tuple[int, str]] = frozenset()
    ever, standing = Journal(journal).paths() if journal.is_dir() else (empty, empty)
    last: dict[str, int] = {}
    """The last turn that changed a file."""
    for turn in turns:
        written = {path for number, path in ever if number == turn.number}
        last.update(dict.fromkeys((*turn.changed, *written), turn.number))
    return tuple(sorted(path for path, turn in last.items() if (turn, path) not in standing))


def told(lost: Sequence[str], stale: Sequence[str]) -> str:
    """What a model is told before the task; empty where there is nothing to tell.

    Args:
        lost: Files whose changes are gone.
        stale: Files that were changed after the point that the conversation was taken up at.
    """
    parts = []
    if lost:
        parts.append(fill("edits_gone", files=_names(lost)))
    if stale:
        parts.append(fill("files_moved_on", files=_names(stale)))
    return "\n\n".join(parts)


def patch_of(turn: int, journal: Path) -> tuple[tuple[str, ...], str]:
    """The files that a turn changed and its patch, by the journal: for one that did not end."""
    if not journal.is_dir():
        return (), ""
    writes = [write for write in Journal(journal).writes() if write.turn == turn]
    patches = {}
    for path, own in sorted(by_path(writes).items()):
        first, last = own[0], own[-1]
        mode = first.mode if last.new_mode is None else last.new_mode
        patch = file_patch(path, first.before, last.after, first.mode, mode)
        if patch:
            patches[path] = patch
    return tuple(patches), "".join(patches.values())


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(f"`{shown(path)}`" for path in paths[:NAMED]) + more
