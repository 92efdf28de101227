"""How a screen is put together of what its widgets draw: only of what is seen in the rows at hand.

The library has every widget on the screen draw its lines for each frame, those hidden or unchanged
too, which is a tenth of a frame's price while an answer streams. Owns the order of painting: from
the front to the back, until a row is full. Must not know any widget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class _Rows(ChopsUpdate):
    """Writes pieces that stand side by side as one: the library moves the cursor before each."""

    def render_segments(self, console: Console) -> str:
        written: list[str] = []
        for y, left, right in self.spans:
            at = -1
            for (x, strip), end in zip(self.chops[y].items(), self.chop_ends[y], strict=True):
                if strip is None or x >= right or end <= left:
                    continue
                if x < left or end > right:
                    begin = max(x, left)
                    strip, x = strip.crop(begin - x, min(end, right) - x), begin
                if x != at:
                    written.append(f"\x1b[{y + 1};{x + 1}H")
                written.append(strip.render(console))
                at = x + strip.cell_length
        return "".join(written)


class Painter(Compositor):
    """Paints what the library's compositor paints."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return update and _Rows(update.chops, update.spans, update.chop_ends)

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        cuts = self.cuts
        rows: list[dict[int, Strip | None]] = [dict.fromkeys(cut[:-1]) for cut in cuts]
        empty = [len(row) for row in rows]
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            touched = seen.intersection(crop)
            wanted = [y for y in touched.line_range if empty[y] and is_rendered_line(y)]
            if not wanted or not touched.width:
                continue
            first, (left, right) = wanted[0], seen.column_span
            height = wanted[-1] + 1 - first
            strips = widget.render_lines(
                Region(left - region.x, first - region.y, seen.width, height)
            )
            known: list[int] = []
            places: list[int] = []
            ends: list[int] = []
            for y in wanted:
                if cuts[y] != known:
                    known = cuts[y]
                    places = [cut for cut in known if left <= cut <= right]
                    ends = [cut - left for cut in places[1:]]
                row = rows[y]
                for place, piece in zip(places, strips[y - first].divide(ends), strict=False):
                    if row[place] is None:
                        row[place] = piece
                        empty[y] -= 1
        return cast("Sequence[Mapping[int, Strip]]", rows)
