"""One line that always says where things stand.

Owns its look, and what is left out where there is no room: the least important first. Must not
know how the figures are measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import Static

from agent.conversation import Conversation
from agent.durations import duration
from agent.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Compacted,
    Event,
    PromptReading,
    StepStarted,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    Waiting,
    Wrote,
)
from agent.mode import Mode
from agent.printer import costs
from tools.git_folder import git_folder
from tools.sandbox import Tier
from tools.text import shown
from tui.measures import Measures
from tui.themes import MUTED

_TICK = 0.1
"""Seconds between two pictures of the spinner."""
_SLOW = 0.2
"""The same while an answer grows, which moves enough itself."""
_SAID = 6.0
"""Seconds that a line of ours stays."""
_GAP = Content.styled("  ", MUTED)
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 8
"""Cells of the bar that shows how full the context is."""
_FULL = 0.8
"""The part of the window from which on it is shown as nearly full."""
_LONGEST = 28
"""Characters of a name of a model or a branch."""
_COLOURS = {
    Mode.PLAN: "$text-accent",
    Mode.ASK: "$text-primary",
    Mode.EDIT: "$text-success",
    Mode.AUTO: "$text-warning",
}


class StatusLine(Static):
    """Model, branch, mode, sandbox, context, speed, cost."""

    ORDER: ClassVar[tuple[str, ...]] = (
        "work", "mode", "model", "context", "cost", "rate", "branch", "sandbox", "cached",
    )  # fmt: skip
    """The most important first."""
    mode: reactive[Mode | None] = reactive[Mode | None](None)

    def __init__(self, measures: Measures) -> None:
        super().__init__(markup=False, id="status")
        self._measures = measures
        self._root: Path | None = None
        self._branch = ""
        self._tier: Tier | None = None
        self._doing = ""
        self._step = 0
        self._began = 0.0
        self._turned = 0.0
        """When the spinner was turned last."""
        self._said = ""
        self._timer: Timer | None = None
        self._silence: Timer | None = None

    def opened(self, conversation: Conversation) -> None:
        """A session is ready: what it works with."""
        self._root = conversation.project.root
        self._tier = conversation.sandbox.tier
        self.mode = conversation.mode
        self._branch = branch(self._root)
        self.refresh()

    def tell(self, text: str) -> None:
        """Say something for a while; empty: no more."""
        self._said = text
        if self._silence is not None:
            self._silence.stop()
        self._silence = self.set_timer(_SAID, self._forget) if text else None
        self.refresh()

    def interrupting(self) -> None:
        """The user wants the turn to stop."""
        self._doing = "stopping"
        self.refresh()

    def show(self, event: Event) -> None:
        """Take what an event tells, once the measures have."""
        match event:
            case TurnStarted():
                self._began, self._step, self._doing = time.monotonic(), 0, "starting"
                self._said = ""
                self._spin()
            case TurnFinished():
                self._doing = ""
                self._spin()
                if self._root is not None:
                    self._branch = branch(self._root)
            case _ if self._doing == "stopping":
                return
            case StepStarted(number):
                self._step, self._doing = number, "thinking"
            case PromptReading(done, total) if total:
                self._doing = f"reading {100 * done // total} %"
            case Wrote():
                self._doing = "writing"
                self._turn(_SLOW)  # in the frame that shows what was written
                return
            case ToolStarted(call):
                self._doing = shown(call.name).replace("_", " ")
            case ApprovalAsked():
                self._doing = "waiting for you"
            case ApprovalAnswered(call):
                self._doing = shown(call.name).replace("_", " ")
            case ToolFinished():
                self._doing = "thinking"
            case Compacted():
                pass
            case Waiting(seconds):
                self._doing = f"asking again in {seconds:.0f} s"
            case _:
                return
        self.refresh()

    def _spin(self) -> None:
        """Turn while there is work, and only then: an idle screen draws nothing."""
        if self._doing and self._timer is None:
            self._timer = self.set_interval(_TICK, self._tick)
        elif not self._doing and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _tick(self) -> None:
        self._turn(2 * _SLOW if self._doing == "writing" else _TICK / 2)

    def _turn(self, after: float) -> None:
        """Show the spinner's next picture, if the last is so many seconds old."""
        now = time.monotonic()
        if now - self._turned >= after:
            self._turned = now
            self.refresh()

    def _forget(self) -> None:
        self._said = ""
        self.refresh()

    def render(self) -> Content:
        room = self.size.width - 2
        if self._said:
            return Content.styled(f" {self._said}", "$text-accent").truncate(
                room + 1, ellipsis=True
            )
        parts = dict(self._parts())
        chosen = self._fitting(parts, room)
        if self._doing and "context" in parts and "context" not in chosen:
            parts["work"] = self._work(short=True)  # the prompt's frame tells of Esc too
            chosen = self._fitting(parts, room)
        line = _GAP.join([parts[name] for name in parts if name in chosen])
        return Content.assemble(" ", line).truncate(room + 2, ellipsis=True)

    def _fitting(self, parts: Mapping[str, Content], room: int) -> list[str]:
        """The parts for which there is room."""
        chosen: list[str] = []
        for name in self.ORDER:
            if name in parts:
                width = sum(parts[part].cell_length for part in (*chosen, name))
                if width + len(_GAP) * len(chosen) > room and chosen:
                    break
                chosen.append(name)
        return chosen

    def _parts(self) -> Iterator[tuple[str, Content]]:
        """What there is to say, from left to right."""
        measures = self._measures
        if self._doing:
            yield "work", self._work()
        if self.mode is not None:
            yield "mode", Content.styled(self.mode.value, f"bold {_COLOURS[self.mode]}")
        if measures.model:
            yield "model", Content.styled(_short(measures.model), "$foreground")
        if self._branch:
            yield "branch", Content.assemble(("⎇ ", MUTED), (_short(self._branch), MUTED))
        if self._tier is Tier.NONE:
            yield "sandbox", Content.styled("no sandbox", "$text-error")
        elif self._tier is not None:
            yield "sandbox", Content.styled(self._tier.value, MUTED)
        if measures.context.window:
            yield "context", self._fullness()
        if measures.context.reused:
            yield "cached", Content.styled(f"{measures.context.reused:.0%} cached", MUTED)
        if measures.rate is not None:
            yield "rate", Content.styled(f"{measures.rate:.1f} tok/s", MUTED)
        if measures.steps and (told := costs(measures.cost)):
            yield "cost", Content.styled(" ".join(told), MUTED)

    def _work(self, *, short: bool = False) -> Content:
        elapsed = time.monotonic() - self._began
        frame = _SPINNER[int(elapsed / _TICK) % len(_SPINNER)]
        step = f"step {self._step} " if self._step else ""
        esc = "" if short else "  Esc interrupts "
        return Content.assemble(
            (f"{frame} ", "$text-primary"), (self._doing, "bold"),
            (f"  {step}{duration(elapsed, whole=True)}{esc}", MUTED),
        )  # fmt: skip

    def _fullness(self) -> Content:
        meter = self._measures.context
        share = min(1.0, meter.used / meter.window)
        cells = round(share * _BAR) or (1 if meter.used else 0)
        colour = "$text-warning" if share >= _FULL else "$text-primary"
        return Content.assemble(
            ("━" * cells, colour), ("─" * (_BAR - cells), "$surface-lighten-2"),
            (f" {thousands(meter.used)}/{thousands(meter.window)}", MUTED),
        )  # fmt: skip


def thousands(tokens: int) -> str:
    """A number of tokens in few letters: `870`, `12.3k`, `1M`."""
    if tokens < 1000:
        return str(tokens)
    if tokens < 1_000_000:
        return f"{tokens / 1000:.{0 if tokens >= 100_000 else 1}f}k".replace(".0k", "k")
    return f"{tokens / 1e6:.1f}M".replace(".0M", "M")


def branch(root: Path) -> str:
    """The branch that is checked out, or the beginning of the commit; empty where there is none."""
    folder = git_folder(root)
    if folder is None:
        return ""
    try:
        with (folder / "HEAD").open("rb") as file:
            head = file.read(1024).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    name = head.removeprefix("ref: refs/heads/")
    return shown(name if name != head else head[:10])


def _short(name: str) -> str:
    name = shown(name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
