"""A replay's folder: what is kept, what a crash leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.replay.results import Cause
from agent.replay.store import Fitness, Listed, Plan, Store, slug
from tests.agent.replay.attempts import attempt

PLAN = Plan("tasks.jsonl", ("gold",), 2, "local", {"max_steps": 3})
ONE, TWO = (Listed(name, "function", "Mend it.", "", 1, 2) for name in ("one", "two"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "run")
    store.begin(PLAN, [ONE, TWO])
    return store


def test_what_was_kept_is_read_back(store: Store) -> None:
    made = attempt(patch="--- a\n+++ b\n+caf\udce9\n", session="20260101-x")
    store.keep(made, store.draft("gold", "one", 1))
    replay = store.read()
    (read,) = replay.attempts
    assert made.grade is not None
    assert read == replace(made, grade=replace(made.grade, log=""))
    assert replay.log(read) == "1 passed\n"
    assert (replay.place(read) / "patch.diff").read_bytes().endswith(b"+caf\xe9\n")


def test_a_draft_that_was_never_kept_is_swept_away(store: Store) -> None:
    draft = store.draft("gold", "one", 1)
    (draft / "result.json").write_text("{")
    assert store.read().attempts == ()
    store.begin(PLAN, [])
    assert not draft.exists()


def test_an_attempt_is_replaced_whole(store: Store) -> None:
    store.keep(attempt(cause=Cause.INFRASTRUCTURE), store.draft("gold", "one", 1))
    store.keep(attempt(), store.draft("gold", "one", 1))
    (read,) = store.read().attempts
    assert read.cause is Cause.NONE
    assert [item.name for item in store.place("gold", "one", 1).parent.iterdir()] == ["one"]


def test_an_attempt_comes_back_that_a_kill_left_half_replaced(store: Store) -> None:
    store.keep(attempt(), store.draft("gold", "one", 1))
    place = store.place("gold", "one", 1)
    place.rename(place.with_name(".one.0a1b2c3d.old"))
    store.draft("gold", "one", 1)
    store.begin(PLAN, [])
    assert [item.name for item in place.parent.iterdir()] == ["one"]
    assert len(store.read().attempts) == 1


def test_a_damaged_attempt_counts_as_none(store: Store) -> None:
    store.keep(attempt(), store.draft("gold", "one", 1))
    (store.place("gold", "one", 1) / "result.json").write_bytes(b"\x00\x00")
    assert store.attempt("gold", "one", 1) is None


def test_a_run_may_grow_and_keeps_its_start(store: Store) -> None:
    first = replace(PLAN, started="2026-01-01T00:00:00+00:00")
    again = replace(PLAN, models=("empty",), attempts=1, started="2026-02-02T00:00:00+00:00")
    other = Store(store.folder.with_name("other"))
    other.begin(first, [ONE])
    other.begin(again, [TWO])
    replay = other.read()
    assert replay.plan.models == ("gold", "empty")
    assert replay.plan.attempts == 2
    assert replay.plan.started == first.started
    assert [item.id for item in replay.instances] == ["one", "two"]


def test_other_conditions_are_another_run(store: Store) -> None:
    with pytest.raises(InputError, match=r"other limits: .*3.* not .*5"):
        store.begin(replace(PLAN, limits={"max_steps": 5}), [])


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds something else"):
        Store(tmp_path).begin(PLAN, [])
    with pytest.raises(InputError, match="There is no replay in"):
        Store(tmp_path).read()


def test_a_newer_run_is_refused(store: Store) -> None:
    file = store.folder / "run.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="newer version"):
        store.read()


def test_fitness_is_kept(store: Store) -> None:
    store.judge(Fitness("one"))
    store.judge(Fitness("two", "the gold patch does not pass"))
    assert store.read().unfit == {"two": "the gold patch does not pass"}


def test_models_have_names_that_are_files_and_differ() -> None:
    assert slug("claude-sonnet-5-5") == "claude-sonnet-5-5"
    names = [slug(name) for name in ("a/m.gguf", "b/m.gguf", "http://host:1/", "scripted:../x")]
    assert len(set(names)) == 4
    assert all("/" not in name and not name.startswith(".") for name in names)
