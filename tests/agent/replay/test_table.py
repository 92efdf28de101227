"""How a run stands, as a terminal shows it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from agent.replay.instance import FunctionTask, Instance
from agent.replay.jobs import Job, Phase, Progress, Where
from agent.replay.results import Cause
from agent.replay.schedule import Schedule
from agent.replay.store import Fitness, Store
from agent.replay.table import LiveTable, PlainLines, summary
from tests.agent.replay.attempts import attempt

LONG = "a-repository-with-a-long-name__and-an-issue-12345"


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    made = [Instance(name, "", FunctionTask("a.py", "", "", "")) for name in (LONG, "two")]
    folder = tmp_path / "run"
    return Schedule(Store(folder), [Job(it, folder, Where(), "dir/m.gguf") for it in made])


def screen(stream: io.StringIO) -> list[str]:
    """The lines of the last drawing."""
    drawn = stream.getvalue().rpartition("\x1b[?25l")[2]
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", drawn).splitlines()


def test_a_job_at_work_is_a_row(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("LINES", "24")
    stream = io.StringIO()
    table = LiveTable(schedule, stream)
    job = schedule.take()
    assert job is not None
    table.began(job)
    progress = Progress(Phase.WORK, 12, 34_567, 0.25, "run: pytest \x1b[31m" + "x" * 90)
    schedule.progressed(job, progress)
    table.progressed(job, progress)
    table._draw()
    head, row, bar = screen(stream)
    assert head.split() == ["instance", "model", "step", "tokens", "$", "time"]
    assert re.search(r" m\.gguf +12 +34,567 +0\.2500 ", row)
    assert "run: pytest" in row
    assert len(row) < 110
    assert " 0/2 · 0 resolved" in bar


def test_a_table_that_is_too_high_keeps_its_end(
    schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("LINES", "3")
    stream = io.StringIO()
    table = LiveTable(schedule, stream)
    for job in (schedule.take(), schedule.take()):
        assert job is not None
        table.began(job)
    table._draw()
    assert len(screen(stream)) == 2
    assert "0/2" in screen(stream)[-1]


def test_without_a_terminal_each_end_is_a_line(schedule: Schedule) -> None:
    stream = io.StringIO()
    lines = PlainLines(schedule, stream)
    job = schedule.take()
    assert job is not None
    lines.ended(job, attempt(LONG, cause=Cause.INFRASTRUCTURE, trouble="No \x1b[2Jspace."))
    lines.ended(job, Fitness(LONG))
    lines.ended(job, Fitness(LONG, "its tests pass"))
    assert stream.getvalue().splitlines() == [
        f"0/2  ✗ {LONG}: dir/m.gguf  infrastructure: No space.",
        f"0/2  – {LONG}  unfit: its tests pass",
    ]


def test_sums_leave_out_what_says_nothing_of_the_model() -> None:
    attempts = [
        attempt("a"),
        attempt("b", cause=Cause.WRONG_FIX),
        attempt("c", cause=Cause.INFRASTRUCTURE),
    ]
    assert summary(attempts, ("gold",)) == [
        "gold: 1 of 2 resolved (1 wrong fix); 1 infrastructure, not counted"
    ]
