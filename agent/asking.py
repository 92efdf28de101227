"""One request, made until it is answered: its pieces are told as they come, and so is each pause.

Owns the course of asking again. Must not know why a request is made, nor what its answer means.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import assert_never

from agent import events
from agent.errors import ModelError
from agent.events import Event
from agent.models.base import (
    Answer,
    CallDelta,
    Model,
    Reading,
    ReasoningDelta,
    Request,
    TextDelta,
    Usage,
)
from agent.retrying import Patience
from tools.deadline import Deadline
from tools.errors import Cancelled

_TICK = 0.05
"""Seconds between two looks at the deadline."""


def answer_to(
    model: Model, request: Request, deadline: Deadline, failed: list[Usage]
) -> Generator[Event, None, Answer]:
    """Ask, and ask again as long as that may help.

    Args:
        failed: What tries took that failed is added to it.

    Raises:
        ModelError: The model failed for good.
        Cancelled: The deadline came during a pause.
    """
    patience = Patience()
    while True:
        try:
            for event in model.stream(request, deadline):
                match event:
                    case Reading(done, total):
                        yield events.PromptReading(done, total)
                    case TextDelta(text):
                        yield events.Wrote(text)
                    case ReasoningDelta(text):
                        yield events.Wrote(text, reasoning=True)
                    case CallDelta(tool, text):
                        yield events.WroteCall(tool, text)
                    case Answer():
                        return event
                    case _:
                        assert_never(event)
        except ModelError as error:
            if error.usage is not None:
                failed.append(error.usage)
            pause = patience.pause(error)
            if deadline.is_set():
                raise Cancelled from error
            if pause is None:
                raise
            yield from _paused(f"{str(error).rstrip('.')}. Asking again", pause, deadline)
        else:
            raise ModelError("The model ended its answer without saying so.")


def _paused(text: str, seconds: float, deadline: Deadline) -> Iterator[Event]:
    yield events.Notice(f"{text} in {seconds:.1f} s." if seconds else f"{text}.")
    until = time.monotonic() + seconds
    told = float("inf")
    while (left := until - time.monotonic()) > 0:
        if deadline.is_set():
            raise Cancelled
        if left <= told - 1:
            told = left
            yield events.Waiting(left)
        time.sleep(min(_TICK, left))
