"""A report as text for a terminal, as Markdown and as JSON.

Owns these three formats. Must not know what is counted where.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from textwrap import wrap
from typing import Any

from agent.replay.report import tables
from agent.replay.report.content import Content, Level
from agent.replay.report.economics import break_even
from agent.replay.report.tables import Table
from agent.replay.report.wording import headline
from tools.text_filter import printable

VERSION = 1
_WIDTH = 100
"""Of notes on a terminal."""
_ROWS = 15
"""Of a table on a terminal."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def render_text(content: Content) -> str:
    """What `agent report` prints: the scores, the comparisons, the costs, when a card pays, what
    does not count."""
    chosen = [table for level in content.levels for table in _short(level)]
    chosen += [tables.economics(content), *tables.left_out(content)]
    return "\n\n".join([_one_line(headline(content)), *map(_aligned, chosen)]) + "\n"


def _short(level: Level) -> list[Table]:
    compared = [tables.pairs(level)] if level.comparisons else []
    return [tables.scores(level), *compared, tables.causes(level), tables.costs(level)]


def _aligned(table: Table) -> str:
    rows = [list(map(_one_line, row)) for row in (table.columns, *table.rows[:_ROWS])]
    widths = [max(len(row[index]) for row in rows) for index in range(len(table.columns))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if index == 0 or not table.figures else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    more = [f"  and {len(table.rows) - _ROWS} more"] if len(table.rows) > _ROWS else []
    note = wrap(_one_line(table.note), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([_one_line(table.title), *(f"  {line(row)}" for row in rows), *more, *note])


def render_markdown(content: Content) -> str:
    """All tables; what comes from outside is plain text in it."""
    parts = ["# Replay report", _escaped(headline(content))]
    parts += map(_piped, [*tables.tables(content), tables.runs(content)])
    return "\n\n".join(parts) + "\n"


def _piped(table: Table) -> str:
    side = "--:" if table.figures else "---"
    lines = [
        f"## {_escaped(table.title)}\n",
        _row(table.columns),
        _row(["---", *[side] * (len(table.columns) - 1)], escape=False),
        *map(_row, table.rows),
    ]
    return "\n".join(lines) + (f"\n\n{_escaped(table.note)}" if table.note else "")


def _row(cells: Sequence[str], escape: bool = True) -> str:
    return f"| {' | '.join(_escaped(cell) if escape else cell for cell in cells)} |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())


def render_json(content: Content) -> str:
    """All figures; without trajectories, which the run's folder has."""
    value = {
        "version": VERSION,
        "headline": headline(content),
        "runs": [{"folder": name, **_plain(plan)} for name, plan in content.runs],
        "levels": [
            {
                "kind": level.kind,
                "sets": list(level.sets),
                "scores": [
                    {
                        **_plain(score),
                        "dollars_per_resolved": score.spending.dollars_per_resolved,
                        "watt_hours_per_resolved": score.spending.watt_hours_per_resolved,
                    }
                    for score in level.scores
                ],
                "comparisons": _plain(level.comparisons),
                "groups": _plain(level.groups),
            }
            for level in content.levels
        ],
        "gaps": [{**_plain(gap), "points": gap.points} for gap in content.gaps],
        "attempts": [
            {**_plain(told.attempt), "verdict": told.verdict, "counts": told.counts}
            for entry in content.entries
            for told in entry.attempts
        ],
        "unfit": {entry.listed.id: entry.unfit for entry in content.unfit},
        "skipped": dict(content.skipped),
        "published": _plain(content.published),
        "break_even": {**_plain(content.month), **_plain(break_even(content.month))},
    }
    return json.dumps(value, indent=1) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
