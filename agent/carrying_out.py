"""A call carried out: what a program prints is told while it runs.

Owns when that begins to matter, and that no key is told in parts. Must not know what is run, nor
what its result means.
"""

from __future__ import annotations

import time
from collections.abc import Generator

from agent.events import Event, ToolPrinted
from agent.messages import ToolCall
from agent.redaction import Redactor
from tools.base import Cancel, Effect, Prepared, ToolResult
from tools.live import aloud

_PATIENCE = 0.3
"""Seconds after which a person wonders what is going on."""


def carried_out(
    prepared: Prepared, call: ToolCall, cancel: Cancel, redactor: Redactor
) -> Generator[Event, None, tuple[ToolResult, float]]:
    """Do what was prepared; its result, and the seconds that it took.

    Raises:
        Cancelled: `cancel` was set while the tool ran.
    """
    started = time.monotonic()
    if prepared.effect is not Effect.RUN:
        return prepared.carry_out(cancel), time.monotonic() - started
    pieces = aloud(prepared.carry_out, cancel, patience=_PATIENCE)
    try:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return end.value, time.monotonic() - started
            line = redactor.within(piece.line, cut=piece.cut)
            yield ToolPrinted(call.id, piece.text, line, piece.left_out)
    finally:
        pieces.close()  # where nobody looks any more, nothing goes on
