"""What programs print, told while they run: real ones, with and without a sandbox."""

from __future__ import annotations

import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.base import Cancel, Heard
from tools.errors import ToolError
from tools.live import Piece, aloud
from tools.process import Finished, execute
from tools.sandbox import Tier, detect
from tools.sandboxing.base import UNCONFINED, Sandbox


class Run:
    """A shell line at work, and when each of its pieces came."""

    def __init__(
        self,
        root: Path,
        line: str,
        *,
        timeout: float = 20,
        patience: float = 0.0,
        sandbox: Sandbox = UNCONFINED,
    ) -> None:
        self.cancel = threading.Event()
        self.pieces: list[Piece] = []
        self.done: Finished | None = None

        def work(cancel: Cancel, heard: Heard) -> Finished:
            argv = ["/bin/sh", "-c", line]
            return execute(argv, root, timeout=timeout, cancel=cancel, heard=heard, sandbox=sandbox)

        self.running = aloud(work, self.cancel, patience=patience)

    def __iter__(self) -> Iterator[Piece]:
        while True:
            try:
                piece = next(self.running)
            except StopIteration as end:
                self.done = end.value
                return
            self.pieces.append(piece)
            yield piece

    def end(self) -> Finished:
        for _ in self:
            pass
        assert self.done is not None
        return self.done

    @property
    def lines(self) -> list[str]:
        """The unfinished lines that were told."""
        return [piece.line for piece in self.pieces]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def test_output_is_told_before_the_end(tmp_path: Path) -> None:
    go = tmp_path / "go"
    run = Run(tmp_path, f"echo one; printf tw; while ! [ -e {go} ]; do sleep 0.02; done; echo o")
    seen = iter(run)
    while not run.pieces or run.pieces[-1].line != "tw":
        next(seen)
    assert run.text == "one\n"
    go.touch()
    assert run.end().output == "one\ntwo\n"
    assert run.text == "one\ntwo\n"
    assert run.lines[-1] == ""


def test_what_ends_soon_says_nothing_but_its_result(tmp_path: Path) -> None:
    run = Run(tmp_path, "echo quick", patience=5)
    assert run.end().output == "quick\n"
    assert run.pieces == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("printf 'a\\303'; sleep 0.25; printf '\\251b\\n'", "aéb\n"),
        ("printf 'a\\377\\n'; sleep 0.25; printf '\\303\\n'", "a\ufffd\n\ufffd\n"),
        ("printf 'a\\033[3'; sleep 0.25; printf '1mb\\n'", "ab\n"),
        ("printf 'a\\033]0;ti'; sleep 0.25; printf 'tle\\007b\\n'", "ab\n"),
        ("printf 'a\\r'; sleep 0.25; printf '\\nb\\n'", "a\nb\n"),
        ("printf '10%%\\r20%%'; sleep 0.25; printf '\\r30%%\\n'", "30%\n"),
        ("printf '\\342\\200\\256x\\n'; sleep 0.25", "\\u202ex\n"),
    ],
)
def test_pieces_are_cut_nowhere_that_shows(tmp_path: Path, line: str, told: str) -> None:
    run = Run(tmp_path, line)
    output = run.end().output
    assert run.text == told == output
    assert set(run.lines) <= {"", "a", "20%"}


def test_a_bar_shows_where_it_is(tmp_path: Path) -> None:
    bar = "import time\nfor n in range(4):\n print(end=f'\\r{n * 25:3}%', flush=True)\n"
    (tmp_path / "bar.py").write_text(bar + " time.sleep(0.2)\n")
    run = Run(tmp_path, f"{sys.executable} bar.py")
    run.end()
    assert run.lines[-1] == " 75%"
    assert len(set(run.lines)) > 2
    assert run.text == ""


def test_a_flood_is_bounded(tmp_path: Path) -> None:
    run = Run(tmp_path, "timeout 1 yes")
    tracemalloc.start()
    try:
        done = run.end()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done.truncated_bytes > 1_000_000
    assert 2 <= len(run.pieces) <= 10 * done.seconds + 2
    assert all(len(piece.text) <= 8_000 for piece in run.pieces)
    assert all(set(piece.text.splitlines()) <= {"y"} for piece in run.pieces)
    assert sum(piece.left_out for piece in run.pieces) > 1_000_000
    assert peak < 1_000_000
    # The same head and tail as without anybody who watches.
    assert len(done.output) < 16_100


def test_a_line_without_an_end_is_bounded(tmp_path: Path) -> None:
    run = Run(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; sleep 0.3; echo; echo end")
    run.end()
    assert max(map(len, run.lines)) <= 2_000
    assert set("".join(run.lines)) == {"x"}
    assert run.text == "end\n"


def test_a_line_is_told_as_whole_only_with_its_beginning(tmp_path: Path) -> None:
    flood = "head -c 100000 /dev/zero | tr '\\0' x"
    run = Run(tmp_path, f"{flood}; sleep 0.3; printf 'end\\nnext\\n'")
    run.end()
    assert any(piece.cut for piece in run.pieces)
    assert run.text == "next\n"
    assert sum(piece.left_out for piece in run.pieces) == 100_000 + len("end\n")


def test_the_last_words_of_what_is_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path, "trap 'echo goodbye; exit' TERM; echo hello; while :; do sleep 0.01; done")
    for _ in run:
        run.cancel.set()
    assert run.done is not None
    assert run.done.cancelled
    assert run.text.startswith("hello\n")
    assert run.text.endswith("goodbye\n")
    late = Run(tmp_path, "echo hello; exec sleep 30", timeout=0.5)
    assert late.end().timed_out
    assert late.text == "hello\n"


def test_nobody_watches_any_more_and_nothing_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path, "echo $$; exec sleep 60")
    piece = next(iter(run))
    begun = time.monotonic()
    run.running.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int(piece.text), 0)


def test_an_error_comes_after_the_last_words(tmp_path: Path) -> None:
    def work(cancel: Cancel, heard: Heard) -> None:
        heard(b"a word")
        raise ToolError("It broke.")

    running = aloud(work, threading.Event(), patience=5)
    assert next(running) == Piece("", "a word")
    with pytest.raises(ToolError, match="It broke"):
        next(running)


@pytest.mark.parametrize("tier", [Tier.BUBBLEWRAP, Tier.LANDLOCK])
def test_a_sandbox_lets_it_be_heard(tmp_path: Path, tier: Tier) -> None:
    sandbox = detect(tmp_path, tiers=(tier,))
    if sandbox.tier is not tier:
        pytest.skip(f"{tier} does not work here: {sandbox.weaker}")
    run = Run(tmp_path, "echo early; exec sleep 60", sandbox=sandbox)
    assert next(iter(run)).text == "early\n"
    run.cancel.set()
    assert run.end().cancelled
