"""A panel of measured figures: speed, prompt read and reused, cost here and on the other model.

Owns their look. Must not know how they are measured, nor how the other model's cost is reckoned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from agent.config import Settings
from agent.conversation import Conversation
from agent.events import Event, StepFinished, TurnFinished
from tools.text import shown
from tui.measures import Measures, Step
from tui.themes import MUTED
from tui.widgets.status_line import thousands

if TYPE_CHECKING:
    from tui.comparison import Comparison, Line

MOST = 60
"""Steps that the curves show."""


class _Curve(Vertical):
    """A title, the newest figure, and how it went."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name, classes="curve")

    def compose(self) -> ComposeResult:
        from textual.widgets import Sparkline  # 3 ms; only when it is shown

        yield Static(markup=False)
        yield Sparkline([], summary_function=max)

    def show(self, title: Content, values: list[float]) -> None:
        self.query_one(Static).update(title)
        from textual.widgets import Sparkline  # as above

        curve = self.query_one(Sparkline)
        curve.visible = any(values)
        curve.data = values[-MOST:] or [0.0]


class Figures(Horizontal):
    """Sparklines and sums of this session."""

    @dataclass
    class Reckoned(Message):
        """What the steps cost, and would have cost."""

        comparison: Comparison

    def __init__(self, measures: Measures) -> None:
        super().__init__(id="figures")
        self._measures = measures
        self._settings: Settings | None = None
        self._reckoned = -1

    def opened(self, conversation: Conversation) -> None:
        """A session is ready: with whose models it may be compared."""
        self._settings = conversation.configuration.settings
        self._reckoned = -1
        self._draw()

    def switched(self) -> None:
        """Another model takes the next step."""
        self._draw()

    def show(self, event: Event) -> None:
        """Take what an event tells, once the measures have."""
        if isinstance(event, StepFinished | TurnFinished):
            self._draw()

    async def toggle(self) -> None:
        """Show it, or hide it; its parts are made when it is first shown."""
        if not self.children:
            curves = Vertical(*map(_Curve, ("rate", "read", "reused")), id="curves")
            await self.mount(curves, Static(markup=False, id="money"))
        self.display = not self.display
        self._draw()

    def _draw(self) -> None:
        if not self.display:
            return
        steps = self._measures.steps
        rates = [step.rate for step in steps if step.rate is not None]
        now = f"{rates[-1]:.1f}" if rates else "–"
        self.query_one("#rate", _Curve).show(_title("output", f"{now} tok/s"), rates)
        for name in ("read", "reused"):
            values = [
                float(step.usage.evaluated if name == "read" else step.usage.reused)
                for step in steps
            ]
            last = thousands(int(values[-1])) if values else "–"
            total = thousands(int(sum(values)))
            self.query_one(f"#{name}", _Curve).show(
                _title(f"prompt {name}", f"{last}, {total} in all"), values
            )
        if self._settings is not None and len(steps) != self._reckoned:
            self._reckoned = len(steps)
            # In a thread: the table of prices takes half a second, a look at the memory too.
            others = list(self._measures.names)
            reckon = partial(self._reckon, list(steps), others, self._settings)
            self.run_worker(reckon, thread=True, exclusive=True, group="figures")

    def _reckon(self, steps: list[Step], names: list[str], settings: Settings) -> None:
        from tui.comparison import Others, compare  # 10 ms; only when it is shown

        comparison = compare(steps, Others.of(names), settings)
        self.post_message(self.Reckoned(comparison))

    @on(Reckoned)
    def _tell(self, message: Reckoned) -> None:
        message.stop()
        made = message.comparison
        lines = [Content.assemble(("This session", "bold"), ("  as measured", MUTED))]
        lines += map(_row, made.here)
        if not made.here:
            lines.append(Content.styled("  nothing yet", MUTED))
        lines.append(Content())
        lines.append(Content.assemble(("The other way", "bold"), ("  an estimate", MUTED)))
        lines += map(_row, made.there)
        lines += [Content.styled(f"  {shown(text)}", MUTED) for text in made.assumptions]
        self.query_one("#money", Static).update(Content("\n").join(lines))


def _title(name: str, figure: str) -> Content:
    return Content.assemble((name, "bold"), (f"  {figure}", MUTED))


def _row(line: Line) -> Content:
    first, *rest = line.parts
    return Content.assemble(
        (f"  {shown(line.model)}  ", ""), (first, "bold $text-primary"),
        ("".join(f" · {part}" for part in rest), MUTED),
    )  # fmt: skip
