"""A table of Markdown in the room that there is.

Owns how wide its columns are. Must not know how it was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

FAINT = "$foreground 40%"
"""The colour of lines."""
_NARROW = 4
"""Columns that a cell has at least."""
_EMPTY = Content("")


@dataclass(slots=True)
class Table:
    """Rows of cells, the first of them the heads."""

    rows: list[list[Content]]
    before: Content = _EMPTY
    right: frozenset[int] = frozenset()
    """Columns whose cells stand at the right."""

    def lines(self, width: int) -> list[Content]:
        count = max(map(len, self.rows), default=0)
        if not count:
            return []
        rows = [[*row, *[_EMPTY] * (count - len(row))] for row in self.rows]
        wanted = [max(row[at].cell_length for row in rows) for at in range(count)]
        widths = _shares(wanted, width - self.before.cell_length - 3 * (count - 1))
        bar = Content.styled(" │ ", FAINT)
        found = []
        for number, row in enumerate(rows):
            cells = [cell.wrap(room) or [_EMPTY] for cell, room in zip(row, widths, strict=True)]
            for line in range(max(map(len, cells))):
                parts = [cell[line] if line < len(cell) else _EMPTY for cell in cells]
                padded = [
                    (part.pad_left if at in self.right else part.pad_right)(
                        max(0, room - part.cell_length)
                    )
                    for at, (part, room) in enumerate(zip(parts, widths, strict=True))
                ]
                found.append(self.before + bar.join(padded))
            if number == 0:
                rule = "─┼─".join("─" * room for room in widths)
                found.append(self.before + Content.styled(rule, FAINT))
        return found


def _shares(wanted: list[int], room: int) -> list[int]:
    """What each column gets of the room, the narrow ones all that they want."""
    widths = [max(1, width) for width in wanted]
    while sum(widths) > room and max(widths) > _NARROW:
        widest = max(range(len(widths)), key=widths.__getitem__)
        over = sum(widths) - room
        second = sorted(widths)[-2] if len(widths) > 1 else _NARROW
        floor = max(_NARROW, min(second - 1, widths[widest] - 1))
        widths[widest] = max(floor, widths[widest] - over)
    return widths
