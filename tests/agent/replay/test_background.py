"""A replay in a process of its own: its question, its end, and that it ends with its watcher."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.replay.background import Background
from agent.replay.following import Follower, State
from agent.replay.standing import is_at_work
from tests.e2e.command import ROOT, wait_for
from tests.e2e.test_replay import HANGS, write_tasks

WATCHER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from agent.replay.background import Background
run = Background(sys.argv[3:], Path(sys.argv[2]))
sys.stdin.readline()
run.stop()
run.stop()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PARITY_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_tasks(tmp_path / "tasks.jsonl", 2)
    (tmp_path / "hangs.toml").write_text(HANGS)
    return tmp_path


def words(*more: str) -> list[str]:
    return ["tasks.jsonl", "--model", "gold", "-o", "run", "--no-validate", *more]


def ended(run: Background) -> bool:
    return run.code is not None


def rows(place: Path) -> list[State]:
    try:
        return [row.state for row in Follower(place / "run").look().rows]
    except InputError:  # it has just begun
        return []


def when(condition: Callable[[], object]) -> None:
    wait_for(lambda: bool(condition()), 60)


def test_its_question_is_answered_here(place: Path) -> None:
    run = Background(words(), place)
    when(lambda: run.question)
    assert "2 attempts at 2 instances" in run.question
    run.answer(False)
    when(lambda: ended(run))
    assert not (place / "run").exists()
    run = Background(words(), place)
    when(lambda: run.question)
    run.answer(True)
    when(lambda: ended(run))
    assert run.code == 0, run.said
    assert rows(place) == [State.RESOLVED] * 2


def test_what_is_wrong_is_its_last_line(place: Path) -> None:
    run = Background(["nowhere.jsonl", "--model", "gold", "-o", "run"], place)
    when(lambda: ended(run))
    assert run.code == 2
    assert run.said[-1].startswith("error: ")
    assert "nowhere.jsonl" in run.said[-1]


def test_a_run_that_is_stopped_goes_on(place: Path) -> None:
    hangs = f"scripted:{place / 'hangs.toml'}"
    run = Background(words("--model", hangs, "--yes", "-w", "4"), place)
    when(lambda: is_at_work(place / "run") and rows(place).count(State.RESOLVED) == 2)
    run.stop()
    when(lambda: ended(run))
    assert run.code == 130
    assert rows(place).count(State.WAITING) == 2
    (place / "hangs.toml").write_text('[[step]]\ntext = "Well."\n' * 4)
    run = Background(words("--model", hangs, "--yes", "-w", "4"), place)
    when(lambda: ended(run))
    assert run.code == 0, run.said
    assert State.WAITING not in rows(place)


def killed(watcher: subprocess.Popen[bytes]) -> None:
    watcher.kill()


def stops_twice_and_ends(watcher: subprocess.Popen[bytes]) -> None:
    watcher.communicate(b"\n")


@pytest.mark.parametrize("leave", [killed, stops_twice_and_ends])
def test_it_ends_in_its_own_time_when_its_watcher_leaves(
    place: Path, leave: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    hangs = f"scripted:{place / 'hangs.toml'}"
    argv = [sys.executable, "-c", WATCHER, str(ROOT), str(place), *words("--model", hangs, "--yes")]
    with subprocess.Popen([*argv, "-w", "4"], stdin=subprocess.PIPE) as watcher:
        try:
            when(lambda: is_at_work(place / "run") and rows(place).count(State.RESOLVED) == 2)
            leave(watcher)
        finally:
            watcher.kill()
    when(lambda: not is_at_work(place / "run"))
    assert sorted(rows(place)) == [State.RESOLVED] * 2 + [State.WAITING] * 2
    assert (place / "run" / "gold" / "report.json").is_file()
