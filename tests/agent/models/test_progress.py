from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count

from agent.models.progress import StreamProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seconds(step: float) -> Iterator[float]:
    return (index * step for index in count(1))


def test_a_file_gets_a_line_every_tenth() -> None:
    out = io.StringIO()
    clock = seconds(1.0)
    progress = StreamProgress(out, lambda: next(clock))
    progress.begin("model", 1_000_000_000)
    for done in range(0, 1_000_000_001, 10_000_000):
        progress.update(done)
    progress.end()
    lines = out.getvalue().splitlines()
    assert lines == [f"model: {tenth} % of 1000 MB" for tenth in range(10, 101, 10)]


def test_a_quick_transfer_is_one_line() -> None:
    out = io.StringIO()
    clock = seconds(0.001)
    progress = StreamProgress(out, lambda: next(clock))
    progress.begin("model", 100)
    for done in range(101):
        progress.update(done)
    progress.end()
    assert out.getvalue() == "model: 100 % of 0 MB\n"


def test_a_terminal_gets_one_line_that_changes() -> None:
    out = Terminal()
    clock = seconds(1.0)
    progress = StreamProgress(out, lambda: next(clock))
    progress.begin("qwen2.5-coder-1.5b", 1_117_320_768, 500_000_000)
    progress.update(600_000_000)
    progress.update(1_117_320_768)
    progress.end()
    drawn = out.getvalue()
    assert drawn.count("\n") == 1
    frames = [frame.removesuffix("\x1b[K") for frame in drawn.strip().split("\r") if frame]
    assert all(len(frame) < 80 for frame in frames)
    assert "50.0 MB/s" in frames[1]
    assert "left" in frames[1]
    assert "100%" in frames[-1]


def test_an_unknown_total_is_no_division_by_zero() -> None:
    for out in (io.StringIO(), Terminal()):
        progress = StreamProgress(out)
        progress.begin("model", 0)
        progress.update(5)
        progress.end()
