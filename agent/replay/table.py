"""How a run stands, in a terminal: a table that is drawn anew, or plain lines elsewhere.

Owns the look. Must not know how jobs are carried out. Implements `agent.replay.engine.Watcher`.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from agent.durations import duration
from agent.replay.jobs import Job, Phase, Progress
from agent.replay.results import Attempt, Cause
from agent.replay.store import Fitness
from tools.text import shown
from tools.text_filter import clip_line

if TYPE_CHECKING:
    from agent.replay.schedule import Schedule

_EVERY = 0.25
"""Seconds between two drawings."""
_RECENT = 6
"""Jobs that ended last, as the table shows them."""
_BAR = 24
_FEWEST = 3
"""Attempts that tell how long one takes."""
_WAITS = {Phase.ENVIRONMENT: "environment", Phase.TESTS: "tests"}


@dataclass(slots=True)
class _Row:
    job: Job
    since: float
    progress: Progress | None = None


class PlainLines:
    """A line for each job that ends."""

    def __init__(self, schedule: Schedule, stream: TextIO) -> None:
        self._schedule = schedule
        self._stream = stream

    def began(self, job: Job) -> None:
        pass

    def progressed(self, job: Job, progress: Progress) -> None:
        pass

    def ended(self, job: Job, result: Attempt | Fitness | None) -> None:
        done = len(self._schedule.ended)
        line = told(job, result)
        if line:
            print(f"{done}/{done + self._schedule.left}  {line}", file=self._stream, flush=True)

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


class LiveTable:
    """Drawn in place; what has ended stays above only as sums."""

    def __init__(self, schedule: Schedule, stream: TextIO) -> None:
        self._schedule = schedule
        self._stream = stream
        self._started = self._drawn = time.monotonic()
        self._rows: dict[int, _Row] = {}
        self._recent: list[str] = []
        self._lines = 0

    def began(self, job: Job) -> None:
        self._rows[id(job)] = _Row(job, time.monotonic())

    def progressed(self, job: Job, progress: Progress) -> None:
        self._rows[id(job)].progress = progress

    def ended(self, job: Job, result: Attempt | Fitness | None) -> None:
        row = self._rows.pop(id(job))
        line = told(job, result)
        if line:
            took = duration(time.monotonic() - row.since, whole=True)
            self._recent = [*self._recent, f"{line} · {took}"][-_RECENT:]

    def tick(self) -> None:
        if time.monotonic() - self._drawn >= _EVERY:
            self._draw()

    def close(self) -> None:
        """Leave the last state standing."""
        self._rows.clear()
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        width, height = shutil.get_terminal_size()
        lines = [line[: width - 1] for line in self._table()][1 - height :]
        up = f"\x1b[{self._lines}A\r" if self._lines else ""
        body = "".join(f"\x1b[2K{line}\n" for line in lines)
        # What the last drawing had more than this one.
        self._stream.write(f"{up}\x1b[?25l{body}\x1b[J\x1b[?25h")
        self._stream.flush()
        self._lines = len(lines)

    def _table(self) -> list[str]:
        lines = [f"  {line}" for line in self._recent]
        if self._rows:
            lines.append(
                f"{'instance':<30} {'model':<20} {'step':>4} {'tokens':>9} {'$':>8} {'time':>11}"
            )
        now = time.monotonic()
        for row in self._rows.values():
            job, at = row.job, row.progress or Progress(Phase.ENVIRONMENT)
            doing = _WAITS.get(at.phase, at.doing) if job.model else "is it fit?"
            tokens = f"{at.tokens:,}" if at.tokens else "–"
            lines.append(
                f"{clip_line(job.instance.id, 30):<30} {clip_line(short(job.model), 20):<20} "
                f"{at.steps:>4} {tokens:>9} {at.dollars:>8.4f} "
                f"{duration(now - row.since, whole=True):>11}  {shown(doing)}"
            )
        return [*lines, self._bar(now)]

    def _bar(self, now: float) -> str:
        schedule = self._schedule
        done, left = len(schedule.ended), schedule.left
        share = done / (done + left) if done + left else 1.0
        filled = round(share * _BAR)
        bar = "█" * filled + "░" * (_BAR - filled)
        resolved = sum(attempt.cause is Cause.NONE for attempt in schedule.ended)
        parts = [f"{bar} {done}/{done + left}", f"{resolved} resolved"]
        parts += [f"{len(schedule.unfit)} unfit"] if schedule.unfit else []
        parts += [f"{schedule.spent.tokens:,} tokens", f"${schedule.spent.dollars:.2f}"]
        fresh = done - schedule.before
        if (seconds := time_left(now - self._started, fresh, left)) is not None:
            parts.append(f"{duration(seconds, whole=True)} left")
        return " · ".join(parts)


def time_left(elapsed: float, fresh: int, left: int) -> float | None:
    """Seconds that what is left will take; None: too few attempts tell.

    Args:
        elapsed: Seconds in which the `fresh` attempts have ended.
    """
    return elapsed / fresh * left if left and fresh >= _FEWEST else None


def told(job: Job, result: Attempt | Fitness | None) -> str:
    """What a job came to, in a line; empty for what is not worth one."""
    match result:
        case Attempt():
            mark = "✓" if result.cause is Cause.NONE else "✗"
            why = f": {result.trouble}" if result.trouble else ""
            return f"{mark} {job.name}  {result.cause}{shown(why)}"
        case Fitness():
            return f"– {job.instance.id}  unfit: {shown(result.trouble)}" if result.trouble else ""
        case None:
            return f"… {job.name}  stopped"


def short(model: str) -> str:
    """A model's name without the way to it."""
    return shown(model.removesuffix("/").rpartition("/")[2])


def summary(attempts: list[Attempt], models: tuple[str, ...]) -> list[str]:
    """A line for each model: resolved of counted, and the causes of what was not."""
    lines = []
    for model in models:
        own = [attempt for attempt in attempts if attempt.model == model]
        causes = Counter(attempt.cause for attempt in own)
        apart = causes.pop(Cause.INFRASTRUCTURE, 0)
        resolved = causes.pop(Cause.NONE, 0)
        why = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
        line = f"{shown(model)}: {resolved} of {len(own) - apart} resolved"
        line += f" ({why})" if why else ""
        lines.append(line + (f"; {apart} infrastructure, not counted" if apart else ""))
    return lines
