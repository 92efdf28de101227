"""A line that the user has a shell run, in the session's sandbox.

Owns how it is run and what a model is told of it. Must not know who shows what
it prints.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools.base import Cancel, Heard
from tools.errors import Cancelled
from tools.interpreters import project_path
from tools.live import Piece, telling
from tools.process import Finished, execute
from tools.sandboxing.base import Sandbox
from tools.text_filter import clip

KEPT = 64_000
"""Bytes of the output that are kept."""
STOPPED = "stopped"
"""How a line ended that the user stopped."""
_TIMEOUT = 3600.0
"""Seconds."""
_TOLD = 4_000
"""Characters of the output that a model is told."""

Work = Callable[[Cancel, Heard], Finished]


def running(line: str, root: Path, sandbox: Sandbox) -> Work:
    """What runs a line in a folder."""

    def work(cancel: Cancel, heard: Heard) -> Finished:
        return execute(
            ["/bin/sh", "-c", line],
            root,
            timeout=_TIMEOUT,
            cancel=cancel,
            env=project_path(root),
            limit=KEPT,
            sandbox=sandbox,
            heard=heard,
        )

    return work


def told(work: Work, cancel: Cancel, say: Callable[[str], None]) -> tuple[str, str]:
    """Do it, and say line by line what it prints: how it ended, and its output.

    Raises:
        ToolError: There is no shell, or no such folder.
    """
    unended = ""

    def tell(piece: Piece) -> None:
        nonlocal unended
        if piece.left_out:
            say(f"… {piece.left_out} bytes left out …")
        if piece.text:
            say(piece.text.removesuffix("\n"))
        unended = piece.line

    try:
        done = telling(work, cancel, tell)
    except Cancelled:
        return STOPPED, ""
    if unended:
        say(unended)
    return STOPPED if done.cancelled else done.ending, done.output


def note(line: str, ending: str, output: str) -> str:
    """What the model is told of it, with the next message."""
    told = clip(output.strip("\n"), _TOLD) or "(no output)"
    return f"I ran a command myself ({ending}):\n\n$ {line}\n{told}"
