"""The table of a replay: a row for each attempt, drawn where it is in sight alone.

Owns the columns and the row that keys act on. Must not know where rows come from, nor why they are
in this order. It is no `DataTable`, for that jumps to its beginning whenever rows change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agent.durations import duration
from agent.replay.following import Row, State
from agent.replay.table import short
from tools.text import shown
from tui.blocks import heads
from tui.replay_view import Sort
from tui.widgets.status_line import thousands

_ROOM = 92
"""Cells from which on the time is shown too."""
_LITTLE = 68
"""Cells below which tokens and dollars are not."""
_VERDICT = 19
"""Cells of the verdict at least."""
_LOOKED = 400
"""Rows whose names tell how wide a column is."""
_LONGEST = 400
"""Characters of a verdict that are looked at."""
_MARKS = {State.RESOLVED: "✓", State.UNRESOLVED: "✗", State.APART: "!", State.WAITING: "·"}


@dataclass(frozen=True, slots=True)
class _Column:
    """One column, as wide as it is drawn, the gap behind it included."""

    name: str
    width: int
    right: bool = False

    def cell(self, text: str) -> str:
        room = max(1, self.width - 2)
        text = _fitted(text, room)
        gap = " " * (room - cell_len(text))
        return f"{gap}{text}  " if self.right else f"{text}{gap}  "


class ReplayRows(ScrollView, can_focus=True):
    """Rows beneath a head that stays."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--head", "rows--cursor", "rows--dim", "rows--resolved", "rows--unresolved",
        "rows--apart", "rows--running", "rows--model",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Open"),
        Binding("up,k", "move(-1)", "Row before", show=False),
        Binding("down,j", "move(1)", "Row after", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First row", show=False),
        Binding("end", "move(1000000)", "Last row", show=False),
    ]

    @dataclass
    class Opened(Message):
        """A row is to be seen from near."""

        row: Row

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Row] = ()
        self.at = 0
        """The row that keys act on."""
        self.sort = Sort.RUN
        self.nothing = ""
        """What is said where there are no rows."""
        self._columns: Sequence[_Column] = ()

    @property
    def current(self) -> Row | None:
        return self.rows[self.at] if self.at < len(self.rows) else None

    def show(self, rows: Sequence[Row], sort: Sort, nothing: str = "") -> None:
        """Show rows; the one that keys act on stays the same, where it is still there."""
        before = self.current
        self.rows, self.sort, self.nothing = rows, sort, nothing
        if before is not None and (self.at >= len(rows) or rows[self.at].key != before.key):
            keys = [row.key for row in rows]
            stays = before.key in keys
            self.at = keys.index(before.key) if stays else min(self.at, max(0, len(rows) - 1))
            self._reveal()
        self._measure()
        self.refresh()

    def tick(self) -> None:
        """Time has passed."""
        if any(row.state is State.RUNNING for row in self._in_sight()):
            self.refresh()

    def _in_sight(self) -> Sequence[Row]:
        top = self.scroll_offset.y
        return self.rows[top : top + self.size.height]

    def _measure(self) -> None:
        self._columns = _columns(self.rows, self.size.width)
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)

    def on_resize(self) -> None:
        self._measure()

    # What is drawn

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        columns = self._columns
        if y == 0:
            head = self._style("head")
            cells = [Segment("  ", head)]
            for column in columns:
                sorted_by = self.sort is not Sort.RUN and column.name == self.sort
                name = f"{column.name} ▾" if sorted_by else column.name
                cells.append(Segment(column.cell(name), head))
            return Strip(cells).adjust_cell_length(width, base)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.rows):
            told = f"  {self.nothing}" if not self.rows and y == 2 else ""
            return Strip([Segment(told, self._style("dim"))]).adjust_cell_length(width, base)
        # What is the same as in the row before stands back.
        again = index > 0 and self.rows[index - 1].instance == self.rows[index].instance
        line = self._line(self.rows[index], again=again).adjust_cell_length(width, base)
        if index != self.at:
            return line
        cursor = self._style("cursor")
        over = Style(bgcolor=cursor.bgcolor, bold=cursor.bold, underline=cursor.underline)
        return Strip([Segment(part.text, (part.style or base) + over) for part in line], width)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"rows--{name}")

    def _line(self, row: Row, *, again: bool) -> Strip:
        base, dim = self.rich_style, self._style("dim")
        waits = row.state is State.WAITING
        own = dim if waits else self._style(row.state.name.lower())
        styles = {"instance": dim if again else base, "model": self._style("model"), "verdict": own}
        mark = heads.spinner() if row.state is State.RUNNING else _MARKS[row.state]
        cells = [Segment(f"{mark} ", own)]
        for column in self._columns:
            style = dim if waits else styles.get(column.name, base)
            cells.append(Segment(column.cell(_text(row, column.name)), style))
        return Strip(cells)

    # What keys and the mouse do

    def action_move(self, by: int) -> None:
        """Go to another row."""
        if self.rows:
            self.at = min(max(0, self.at + by), len(self.rows) - 1)
            self._reveal()
            self.refresh()

    def action_page(self, by: int) -> None:
        """Go on by what is in sight."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_open(self) -> None:
        """See the row from near."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - 1
        if event.y < 1 or index >= len(self.rows):
            return
        again, self.at = index == self.at, index
        self.refresh()
        if again:
            self.action_open()

    def _reveal(self) -> None:
        top, page = self.scroll_offset.y, max(1, self.size.height - 1)
        if self.at < top:
            self.scroll_to(y=self.at, animate=False)
        elif self.at >= top + page:
            self._measure()
            self.scroll_to(y=self.at - page + 1, animate=False)


def _columns(rows: Sequence[Row], width: int) -> list[_Column]:
    """The columns, as wide as what they hold, as far as there is room."""
    fixed = [_Column("step", 6, right=True), _Column("tokens", 8, right=True),
             _Column("$", 9, right=True)]  # fmt: skip
    if width >= _ROOM:
        fixed.append(_Column("time", 12, right=True))
    if width < _LITTLE:
        fixed = fixed[:1]
    room = max(_VERDICT + 12, width - 2 - sum(column.width for column in fixed))
    rows = rows[:_LOOKED]
    longest = max((len(_text(row, "instance")) for row in rows), default=8) + 2
    widest = max((len(short(row.model)) for row in rows), default=5) + 2
    instance = min(max(10, longest), room - _VERDICT - min(widest, room * 3 // 10))
    model = min(max(7, widest), room - _VERDICT - instance)
    rest = room - instance - model
    return [
        _Column("instance", instance),
        _Column("model", model),
        *fixed,
        _Column("verdict", rest),
    ]


def _fitted(text: str, room: int) -> str:
    """A text in so many cells at most; its beginning and its end, for both may tell it apart."""
    if cell_len(text) <= room:
        return text
    tail = room // 3
    head = max(0, room - tail - 1)
    return set_cell_size(f"{set_cell_size(text, head)}…{text[len(text) - tail :]}", room)


def _text(row: Row, column: str) -> str:
    """What stands in a cell, safe to show."""
    match column:
        case "instance":
            return shown(row.instance) + (f" ({row.number})" if row.number > 1 else "")
        case "model":
            return short(row.model)
        case "step":
            return str(row.steps) if row.steps else ""
        case "tokens":
            return thousands(row.tokens) if row.tokens else ""
        case "$":
            return f"{row.dollars:.4f}" if row.dollars else ""
        case "time":
            return duration(row.seconds, whole=True) if row.seconds else ""
        case _:
            told = row.verdict or row.state.value
            return shown(f"{told}: {row.why}" if row.why else told)[:_LONGEST]
