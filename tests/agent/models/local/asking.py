"""Asking a model to the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.models.base import Answer, ModelEvent, ReasoningDelta, Request, TextDelta
from agent.models.local.model import LocalModel


def ask(
    model: LocalModel, request: Request, watch: Callable[[ModelEvent], object] = bool
) -> Answer:
    """The answer, after `watch` saw every event and the deltas added up to what was said."""
    told = thought = ""
    for event in model.stream(request, threading.Event()):
        watch(event)
        match event:
            case TextDelta():
                told += event.text
            case ReasoningDelta():
                thought += event.text
            case Answer():
                assert told + thought == event.message.raw
                return event
    raise AssertionError("the stream ended without an answer")
