"""The replays that were begun from this screen, and what `/replay` asks for.

Owns their processes until the application ends: they go on while something else is shown, and stop
in their own time when it is left. Must not know how a replay looks.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from agent.errors import InputError
from agent.replay.background import Background
from agent.replay.commands import run
from agent.replay.known import recall
from agent.replay.standing import is_at_work


@dataclass(frozen=True, slots=True)
class Wish:
    """What a line asks for."""

    folder: Path
    """Of the replay; absolute."""
    words: tuple[str, ...] = ()
    """What `agent replay` is to be given; empty: it is only looked at."""


def asks_help(line: str) -> bool:
    """Whether a line asks what may be said."""
    try:
        return "--help" in shlex.split(line)
    except ValueError:  # whoever takes it for a wish complains
        return False


def wish(line: str, here: Path) -> Wish | None:
    """What `/replay` and a line ask for; None: nothing in particular.

    Args:
        line: It does not ask for help.
        here: Where paths are relative to.

    Raises:
        InputError: It cannot be read, or something is missing.
    """
    try:
        words = [os.path.expanduser(word) for word in shlex.split(line)]
    except ValueError as error:
        raise InputError(f"The line cannot be read: {str(error).lower()}.") from error
    if not words:
        return None
    if len(words) == 1 and (here / words[0] / "run.json").is_file():
        return Wish(Path(os.path.abspath(here / words[0])))
    if len(words) == 1 and not words[0].startswith("-"):
        raise InputError(
            f"There is no replay in {words[0]}: /replay TASKS --model MODEL -o DIR begins one."
        )
    try:
        given = run.make_context("agent replay", list(words))
    except click.UsageError as error:
        raise InputError(f"{error.format_message()} See /replay --help.") from error
    return Wish(Path(os.path.abspath(here / given.params["output"])), tuple(words))


def usage(width: int) -> str:
    """The options of a replay, as the command line's help has them."""
    return run.get_help(click.Context(run, info_name="/replay", terminal_width=width))


class Replays:
    """The runs of this application."""

    def __init__(self) -> None:
        self._runs: dict[Path, Background] = {}

    def begin(self, wish: Wish, cwd: Path) -> Background:
        """Begin a run, or go on with one.

        Args:
            cwd: The folder that its words were said in.

        Raises:
            InputError: One is at work in the folder, or it cannot be started.
        """
        before = self.of(wish.folder)
        if (before is not None and before.at_work) or is_at_work(wish.folder):
            raise InputError(f"A run is at work in {wish.folder}: /replay {wish.folder} shows it.")
        try:
            made = self._runs[wish.folder] = Background(wish.words, cwd)
        except OSError as error:
            raise InputError(f"It cannot be started: {error.strerror}.") from error
        return made

    def go_on(self, folder: Path) -> Background:
        """Go on with a run as it was begun.

        Raises:
            InputError: It is at work, or how it was begun is not known here.
        """
        known = recall(folder)
        if known is None or not known.words:
            raise InputError("It was not begun here: the command that it was begun with goes on.")
        if not known.cwd.is_dir():
            raise InputError(f"It was begun in {known.cwd}, which is not there any more.")
        return self.begin(Wish(folder, known.words), known.cwd)

    def of(self, folder: Path) -> Background | None:
        """The run that was begun from here in a folder, at work or ended."""
        return self._runs.get(folder)

    def close(self) -> None:
        """Have all of them stop in their own time."""
        for each in self._runs.values():
            each.stop()

    def stopped(self) -> Iterator[str]:
        """The commands that go on with what was stopped."""
        for each in self._runs.values():
            if each.stopping:
                yield shlex.join(["agent", "replay", *each.words])
