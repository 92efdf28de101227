"""Getting a model's patch into a tree, by the ladder that swebench climbs.

Owns the rungs and their order. Must not know where the tree is, nor how a command is run there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.replay.grading.verdict import APPLIED, UNAPPLIED

RUNGS = (
    ("git", "apply", "--verbose"),
    ("git", "apply", "--verbose", "--3way"),
    ("git", "apply", "--verbose", "--reject"),
    ("patch", "--batch", "--forward", "--fuzz=5", "-p1", "-i"),
)
"""Commands that take the patch's file as their last word; the first that succeeds counts."""
CLEAN = (("git", "checkout", "--", "."), ("git", "clean", "-fd"))
"""Between two rungs: each leaves what it got done."""
ALREADY = ("git", "apply", "--check", "--reverse")
"""Succeeds where the patch is in the tree though every rung complained."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that was run in the tree."""

    code: int | None
    """None: killed."""
    output: str


Run = Callable[[Sequence[str]], Ran]


@dataclass(frozen=True, slots=True)
class Application:
    """How applying a patch ended."""

    applied: bool
    log: str
    """Begins with the mark that the official harness's log has."""


def apply_patch(run: Run, file: str) -> Application:
    """Apply a patch to a clean tree.

    Args:
        run: Runs a command in the tree.
        file: The patch's path, as `run` sees it.
    """
    last = Ran(None, "")
    for number, rung in enumerate(RUNGS):
        if number:
            for command in CLEAN:
                run(command)
        last = run((*rung, file))
        if last.code == 0:
            return Application(True, f"{APPLIED} ({' '.join(rung)}):\n{last.output}\n")
    if run((*ALREADY, file)).code == 0:
        return Application(True, f"{APPLIED}: verified already applied\n")
    return Application(False, f"{UNAPPLIED}:\n{last.output}\n")


def touched(patch: str) -> list[tuple[str, str]]:
    """The files of a patch, before and after; an empty name: it does not exist there.

    Raises:
        ValueError: It is no patch that can be read, though `patch` may take it.
    """
    # 15 ms; only needed to grade
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        files = [(file.source_file, file.target_file) for file in PatchSet(patch)]
    except UnidiffParseError as error:
        raise ValueError(str(error)) from error
    return [(_plain(before), _plain(after)) for before, after in files]


def _plain(name: str) -> str:
    return "" if name == "/dev/null" else name.partition("/")[2]
