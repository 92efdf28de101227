"""The last gate before the terminal: no text, wherever it came from, steers it.

Owns what of a drawn line is replaced. Widgets clean what they show; this holds where one forgets.
"""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters of both sets, and marks that reorder what is read."""


class Harmless(LineFilter):
    """Replaces what could steer the terminal by a mark of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments; a new list only where something was replaced."""
        if not any(map(_steers, segments)):
            return segments
        return [
            Segment(_STEERING.sub(_mark, segment.text), segment.style)
            if _steers(segment)
            else segment
            for segment in segments
        ]


def _steers(segment: Segment) -> bool:
    return segment.control is None and _STEERING.search(segment.text) is not None


def _mark(found: re.Match[str]) -> str:
    """Control characters are drawn one cell wide here, the marks of direction none."""
    return "\ufffd" if found.group() < "\xa0" else ""
