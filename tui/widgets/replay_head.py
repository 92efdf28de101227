"""What stands above the table of a replay: what is replayed, how far it is, how each model does.

Owns the look. Must not know where the figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widgets import Static

from agent.durations import duration
from agent.replay.following import View
from agent.replay.table import short
from tools.text import shown
from tools.text_filter import clip_line
from tui.replay_view import Tally, tally
from tui.themes import MUTED
from tui.widgets.status_line import thousands

_MOST = 4
"""Models that have a line."""
_LINE = "━"
_TO_COME = "─"
_NAME = 24
"""Cells of a model's name at most."""


class ReplayHead(Static):
    """A few lines, as many as there are models."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, view: View, folder: Path, state: str) -> None:
        """
        Args:
            state: Whether it is at work, in a few words.
        """
        width = self.content_size.width or self.app.size.width
        whole = tally(view.rows)
        lines = [
            self._title(view, folder, state, width),
            _progress(whole, view.seconds_left, width),
            *_models(view, width),
        ]
        self.update(Content("\n").join(lines))

    def prepare(self, folder: Path, state: str) -> None:
        """Nothing is known yet but where it will lie."""
        self.update(Content.assemble(("Replay", "bold $primary"), "  ", placed(folder), "  ",
                                     (state, MUTED)))  # fmt: skip

    def _title(self, view: View, folder: Path, state: str, width: int) -> Content:
        color = "$success" if view.at_work else MUTED
        room = max(10, width - cell_len(state) - 12)
        name = clip_line(shown(Path(view.plan.tasks).name or view.plan.tasks), room)
        place = clip_line(placed(folder), max(0, room - cell_len(name) - 4))
        told = Content.assemble(
            ("Replay", "bold $primary"), "  ", (name, "bold"), "  ",
            (f"in {place}" if place else "", MUTED),
        )  # fmt: skip
        gap = " " * max(2, width - told.cell_length - cell_len(state))
        return Content.assemble(told, gap, (state, color))


def placed(folder: Path) -> str:
    """Where a folder is, as seen from where the program was started."""
    here = Path.cwd()
    return shown(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))


def _progress(whole: Tally, seconds_left: float | None, width: int) -> Content:
    """The bar of the whole run, and the sums behind it."""
    parts = [f"{whole.ended}/{whole.all}"]
    parts += [f"{whole.running} at work"] if whole.running else []
    parts += [f"{thousands(whole.tokens)} tokens", f"${whole.dollars:.2f}"]
    parts += [f"{duration(seconds_left, whole=True)} left"] if seconds_left is not None else []
    told = " · ".join(parts)
    room = max(8, width - cell_len(told) - 2)
    filled = room * whole.ended // whole.all if whole.all else 0
    return Content.assemble(
        (_LINE * filled, "$primary"), (_TO_COME * (room - filled), "$foreground 30%"), f"  {told}"
    )


def _models(view: View, width: int) -> Sequence[Content]:
    models = view.plan.models
    names = {model: clip_line(short(model), _NAME) for model in models}
    widest = max(map(cell_len, names.values()), default=0)
    sums = {model: tally(row for row in view.rows if row.model == model) for model in models}
    told = {model: _told(sums[model]) for model in models[:_MOST]}
    longest = max(map(cell_len, told.values()), default=0)
    bar = max(8, width - widest - longest - 4)
    lines = [
        Content.assemble(
            f"{set_cell_size(names[model], widest)}  ",
            *_bar(sums[model], bar),
            f"  {told[model].rjust(longest)}",
        )
        for model in models[:_MOST]
    ]
    if (more := len(models) - _MOST) > 0:
        lines.append(Content.styled(f"{more} more models", MUTED))
    return lines


def _told(sums: Tally) -> str:
    share = f" · {100 * sums.resolved / sums.counted:.0f} %" if sums.counted else ""
    apart = f" · {sums.apart} not counted" if sums.apart else ""
    return f"{sums.resolved} of {sums.counted} resolved{share}{apart}"


def _bar(sums: Tally, width: int) -> Sequence[tuple[str, str]]:
    """Resolved, unresolved, not counted, at work, to come: each its share of a line."""
    # Told apart without colours too.
    counts = ((sums.resolved, _LINE, "$success"), (sums.unresolved, "╍", "$error"),
              (sums.apart, "┅", "$warning"), (sums.running, _TO_COME, "$primary"),
              (sums.waiting, _TO_COME, "$foreground 30%"))  # fmt: skip
    parts, before, seen = [], 0, 0
    for count, line, color in counts:
        seen += count
        end = width * seen // (sums.all or 1)
        parts.append((line * (end - before), color))
        before = end
    return parts
