"""A replay's folder as rows, ended, at work and to come."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.replay.following import Follower, State, View
from agent.replay.instance import FunctionTask, Instance
from agent.replay.jobs import Job, Phase, Progress, Where
from agent.replay.known import at_hand, recall, remember
from agent.replay.results import Cause
from agent.replay.schedule import End, Schedule
from agent.replay.standing import FILE, Noting, alone, is_at_work
from agent.replay.store import Store
from agent.replay.table import PlainLines
from tests.agent.replay.attempts import attempt
from tests.agent.replay.replays import listed, replayed


def states(view: View) -> dict[tuple[str, str], tuple[State, str]]:
    return {(row.instance, row.model): (row.state, row.verdict) for row in view.rows}


def test_each_attempt_is_a_row(tmp_path: Path) -> None:
    failed = attempt("two", cause=Cause.INFRASTRUCTURE, trouble="No space left.")
    replayed(
        tmp_path,
        ["gold", "other"],
        [listed("one"), listed("two"), listed("three"), listed("../../etc")],
        [attempt("one"), attempt("one", "other", cause=Cause.WRONG_FIX), failed],
        unfit={"three": "its tests pass"},
    )
    view = Follower(tmp_path).look()
    assert states(view) == {
        ("one", "gold"): (State.RESOLVED, "resolved"),
        ("one", "other"): (State.UNRESOLVED, "wrong fix"),
        ("two", "gold"): (State.APART, "infrastructure"),
        ("two", "other"): (State.WAITING, ""),
        ("three", "gold"): (State.APART, "unfit"),
        ("three", "other"): (State.APART, "unfit"),
    }
    assert [row.instance for row in view.rows][::2] == ["one", "two", "three"]
    assert view.rows[2].why == "No space left."
    assert not view.at_work


def test_what_changes_is_seen_at_the_next_look(tmp_path: Path) -> None:
    replayed(tmp_path, ["gold"], [listed("one")], [])
    follower, store = Follower(tmp_path), Store(tmp_path)
    assert follower.look().rows[0].state is State.WAITING
    for cause, state in ((Cause.INFRASTRUCTURE, State.APART), (Cause.NONE, State.RESOLVED)):
        store.keep(attempt("one", cause=cause), store.draft("gold", "one", 1))
        assert follower.look().rows[0].state is state
    plan = store.plan()
    store.begin(plan, [listed("one"), listed("two")])
    assert [row.instance for row in follower.look().rows] == ["one", "two"]


def test_what_is_no_replay_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no replay"):
        Follower(tmp_path).look()
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Follower(tmp_path).look()


def test_a_run_tells_what_it_does(tmp_path: Path) -> None:
    names = ("one", "two", "three", "four")
    replayed(tmp_path, ["gold"], map(listed, names), [])
    tasks = [Instance(name, "", FunctionTask("a.py", "", "", "")) for name in names]
    store = Store(tmp_path)
    schedule = Schedule(store, [Job(task, tmp_path, Where(), "gold") for task in tasks])
    noting = Noting(PlainLines(schedule, io.StringIO()), schedule, tmp_path)
    follower = Follower(tmp_path)
    with alone(tmp_path):
        assert is_at_work(tmp_path)
        for _ in range(3):
            job = schedule.take()
            assert job is not None
            noting.began(job)
            store.keep(attempt(job.instance.id), store.draft("gold", job.instance.id, 1))
            noting.ended(job, schedule.finish(job, End(0)))
        job = schedule.take()
        assert job is not None
        noting.began(job)
        noting.progressed(job, Progress(Phase.WORK, 3, 1_200, 0.5, "edit a.py"))
        noting.tick()
        view = follower.look()
        row = view.rows[-1]
        assert (row.state, row.verdict) == (State.RUNNING, "edit a.py")
        assert (row.steps, row.tokens, row.dollars) == (3, 1_200, 0.5)
        assert view.at_work
        assert view.seconds_left is not None
        with pytest.raises(InputError, match="Another run"), alone(tmp_path):
            pass
    # Whoever was killed leaves the file, and not the lock.
    assert (tmp_path / FILE).exists()
    view = follower.look()
    assert (view.at_work, view.rows[-1].state) == (False, State.WAITING)
    left = (tmp_path / FILE).read_bytes()
    noting.close()
    assert not (tmp_path / FILE).exists()
    (tmp_path / FILE).write_bytes(left)
    with alone(tmp_path):  # nor is it believed of the next run
        view = follower.look()
        assert (view.at_work, view.rows[-1].state) == (True, State.WAITING)


def test_replays_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_STATE", str(tmp_path / "state"))
    here, mine, gone = tmp_path / "here", tmp_path / "mine", tmp_path / "gone"
    for folder in (here / "theirs", mine, gone):
        replayed(folder, ["gold"], [listed("one")], [])
    remember(mine, ["tasks.jsonl", "--model", "gold"])
    remember(gone, ["tasks.jsonl"])
    (gone / "run.json").rename(tmp_path / "away")
    remember(tmp_path / ("x" * 300), ["tasks.jsonl"])  # no folder can have that name
    assert [known.folder for known in at_hand(here)] == [mine, here / "theirs"]
    (tmp_path / "away").rename(gone / "run.json")  # its disk is there again
    assert gone in [known.folder for known in at_hand(here)]
    found = recall(mine)
    assert found is not None
    assert found.words == ("tasks.jsonl", "--model", "gold")
    assert found.cwd == Path.cwd()
    assert recall(here / "theirs") is None
