"""The gap as one picture: a line for each model, from function-level to repository-level.

Owns where everything is drawn. Must not know how it is coloured, nor the file's format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.replay.report.content import Level
from agent.replay.report.published import Published
from tools.text_filter import clip_line

WIDTH, HEIGHT = 960.0, 560.0
TOP, BOTTOM = 64.0, 520.0
LEFT, RIGHT = 330.0, 630.0
_LINE = 17.0
"""Between two labels."""
_OFFSET = 26.0
"""Of a label from its point."""
_STEP = 7.0
"""Between two intervals."""
_NAME = 34
"""Characters of a model's name."""


@dataclass(frozen=True, slots=True)
class Point:
    """One score of one model."""

    x: float
    y: float
    low: float
    high: float
    """Of the interval, or of the range that was published."""
    beside: float
    """Where that is drawn: a little inwards, so that those of several models can be told apart."""
    style: str
    """A class: `m0` … for measured models, `p` for published ones."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a point is called, beside it."""

    text: str
    figure: str
    x: float
    y: float
    to: float
    """The height of its point, which a thin line leads to."""
    edge: float
    """Where that line ends at the label."""
    anchor: str
    style: str


@dataclass(frozen=True, slots=True)
class Slope:
    """One model at both levels."""

    y1: float
    y2: float
    style: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn."""

    ticks: tuple[tuple[str, float], ...]
    points: tuple[Point, ...]
    slopes: tuple[Slope, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    model: str
    level: str
    value: float
    low: float
    high: float
    """Per cent."""
    figure: str
    style: str


def draw(levels: Sequence[Level], models: Sequence[str], known: Sequence[Published]) -> Picture:
    """The picture of measured and published scores.

    Args:
        models: In the order that gives them their colours.
        known: Those of HumanEval and SWE-bench Verified are drawn.
    """
    marks = [
        _Mark(
            score.model,
            level.kind,
            100 * score.rate.value,
            100 * score.rate.interval.low,
            100 * score.rate.interval.high,
            f"{100 * score.rate.value:.0f} %",
            f"m{models.index(score.model) % 6}",
        )
        for level in levels
        for score in level.scores
        if score.rate.instances
    ]
    marks += [
        _Mark(one.model, one.level, (one.low + one.high) / 2, one.low, one.high,
              f"{one.score} %", "p")
        for one in known
        if one.set in ("HumanEval", "SWE-bench Verified")
    ]  # fmt: skip
    return Picture(
        ticks=tuple((f"{value} %", _y(value)) for value in range(0, 101, 20)),
        points=tuple(
            Point(_x(it.level), _y(it.value), _y(it.low), _y(it.high), _beside(it), it.style)
            for it in marks
        ),
        slopes=tuple(_slopes(marks)),
        labels=(*_labels(marks, "function"), *_labels(marks, "repository")),
    )


def _x(level: str) -> float:
    return LEFT if level == "function" else RIGHT


def _beside(mark: _Mark) -> float:
    if mark.style == "p":
        return _x(mark.level)
    inwards = _STEP * (1 + int(mark.style[1:]))
    return LEFT + inwards if mark.level == "function" else RIGHT - inwards


def _y(value: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * value / 100, 1)


def _slopes(marks: Sequence[_Mark]) -> list[Slope]:
    ends = {(it.model, it.style, it.level): _y(it.value) for it in marks}
    return [
        Slope(y, ends[model, style, "repository"], style)
        for (model, style, level), y in ends.items()
        if level == "function" and (model, style, "repository") in ends
    ]


def _labels(marks: Sequence[_Mark], level: str) -> list[Label]:
    """Beside their points, moved apart where they would cover each other."""
    own = sorted((it for it in marks if it.level == level), key=lambda it: -it.value)
    left = level == "function"
    x = LEFT - _OFFSET if left else RIGHT + _OFFSET
    places = _apart([_y(it.value) for it in own])
    return [
        Label(
            clip_line(it.model, _NAME),
            it.figure,
            x,
            y,
            _y(it.value),
            x + (4 if left else -4),
            "end" if left else "start",
            it.style,
        )
        for it, y in zip(own, places, strict=True)
    ]


def _apart(wanted: Sequence[float]) -> list[float]:
    """Places in the same order, at least a line from each other, as near as can be.

    Neighbours that would touch become one block around the middle of what they want.
    """
    blocks: list[list[float]] = []
    for y in wanted:
        blocks.append([y])
        while len(blocks) > 1 and _start(blocks[-1]) < _end(blocks[-2]) + _LINE:
            last = blocks.pop()
            blocks[-1] += last
    return [_start(block) + index * _LINE for block in blocks for index in range(len(block))]


def _start(block: Sequence[float]) -> float:
    middle = sum(block) / len(block)
    span = _LINE * (len(block) - 1)
    return max(TOP - 8, min(middle - span / 2, HEIGHT - 12 - span))


def _end(block: Sequence[float]) -> float:
    return _start(block) + _LINE * (len(block) - 1)
