"""Which instances of a set are worked on, and in which order.

Owns the choice. Must not know where instances come from.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import InputError
from agent.replay.instance import Instance

_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asks for; as it is, everything."""

    filter: str = ""
    """A regular expression that is found somewhere in the id."""
    difficulty: tuple[str, ...] = ()
    """As the set says it, in any case."""
    shuffle: bool = False
    seed: int = 0
    """The same seed always makes the same order, whatever order the set came in."""
    slice: str = ""
    """`a:b`, as Python has it; of what is left by the rest."""


def select(instances: Sequence[Instance], selection: Selection) -> list[Instance]:
    """Shuffled, then filtered, then sliced: a filter takes from the same order.

    Raises:
        InputError: The expression, the slice or the difficulty cannot be used.
    """
    chosen = list(instances)
    if selection.shuffle:
        chosen.sort(key=lambda instance: instance.id)
        random.Random(selection.seed).shuffle(chosen)
    if selection.filter:
        try:
            wanted = re.compile(selection.filter)
        except re.error as error:
            raise InputError(f"The filter {selection.filter!r} cannot be read: {error}.") from None
        chosen = [instance for instance in chosen if wanted.search(instance.id)]
    if selection.difficulty:
        chosen = _of_difficulty(chosen, instances, selection.difficulty)
    if selection.slice:
        found = _SLICE.fullmatch(selection.slice)
        if found is None:
            raise InputError(f"The slice {selection.slice!r} is not a:b.")
        start, end = (int(text) if text else None for text in found.groups())
        chosen = chosen[start:end]
    return chosen


def _of_difficulty(
    chosen: Sequence[Instance], instances: Sequence[Instance], names: Sequence[str]
) -> list[Instance]:
    known = sorted({instance.difficulty for instance in instances if instance.difficulty})
    folded = {name.casefold() for name in known}
    for name in names:
        if name.casefold() not in folded:
            there = "; ".join(known) or "none is stated"
            raise InputError(f"No task has the difficulty {name!r}. There are: {there}.")
    wanted = {name.casefold() for name in names}
    return [instance for instance in chosen if instance.difficulty.casefold() in wanted]
