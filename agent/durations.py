"""Spans of time, in words.

Owns their one spelling. Must not know what lasted, nor the clock.
"""

from __future__ import annotations

_MINUTE = 60
_HOUR = 60 * _MINUTE
_UNITS = ((24 * _HOUR, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))


def duration(seconds: float, *, whole: bool = False) -> str:
    """`3.4 s`, `48 s`, `3 min 20 s`, `2 h 5 min`.

    Args:
        whole: Without tenths, as suits what is still counted or only expected.
    """
    if seconds < 9.95 and not whole:
        return f"{seconds:.1f} s"
    count = round(seconds)
    if count < _MINUTE:
        return f"{count} s"
    if count < _HOUR:
        return f"{count // _MINUTE} min {count % _MINUTE} s"
    return f"{count // _HOUR} h {count % _HOUR // _MINUTE} min"


def ago(seconds: float) -> str:
    """`3 hours ago`: in the largest unit that makes a whole number, of minutes at least."""
    for length, unit in _UNITS:
        if count := int(seconds / length):
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
