"""The memories that models are planned for: cards of the usual sizes, and this machine.

Must not know models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.errors import InputError
from agent.hardware import GIB, detect, memory_bandwidth
from agent.models.cards import Cards
from agent.models.plan import CPU_OVERHEAD, GPU_OVERHEAD

_PLANNED = (24, 12)
"""GiB of the cards that a plan shows beside this machine."""


@dataclass(frozen=True, slots=True)
class Place:
    """A memory that models are planned for."""

    title: str
    memory: int
    """Bytes."""
    overhead: int
    bandwidth: float | None
    """Bytes a second."""


def places(memory: str | None) -> list[Place]:
    """The memory that was asked for, or the usual cards and this machine.

    Raises:
        InputError: As `parse_memory`.
    """
    cards = Cards.load()
    if memory is not None:
        return [_card_place(parse_memory(memory), cards)]
    found = [_card_place(size * GIB, cards) for size in _PLANNED]
    hardware = detect()
    for gpu in hardware.usable_gpus:
        rate = cards.bandwidth(gpu.name)
        found.append(Place(f"This machine, {gpu.name}", gpu.free, GPU_OVERHEAD, rate))
    if not any(gpu.unified for gpu in hardware.usable_gpus):
        rate = memory_bandwidth()
        found.append(Place("This machine, RAM", hardware.available, CPU_OVERHEAD, rate))
    return found


def _card_place(memory: int, cards: Cards) -> Place:
    card = cards.typical.get(memory // GIB, "") if memory % GIB == 0 else ""
    title = f"{memory / GIB:g} GB" + (f", as {card}" if card else "")
    return Place(title, memory, GPU_OVERHEAD, cards.bandwidth(card) if card else None)


def parse_memory(text: str) -> int:
    """Bytes of `24GB`, `24GiB`, `24` or `8000MB`; units are powers of 1024, as cards are sold.

    Raises:
        InputError: It is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(g|m|t)?(?:i?b)?\s*", text, re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"{text!r} is no amount of memory; write it as 24GB")
    unit = {"m": 1 << 20, "g": GIB, "t": 1 << 40}[(match[2] or "g").casefold()]
    return int(float(match[1]) * unit)
