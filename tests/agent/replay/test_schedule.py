"""What is done next, and what a run may cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.costs import Cost
from agent.models.base import Usage
from agent.replay.instance import FunctionTask, Instance
from agent.replay.jobs import STOPPED, Job, Phase, Progress, Where
from agent.replay.results import Attempt, Cause
from agent.replay.schedule import Budget, End, Schedule
from agent.replay.store import Fitness, Listed, Plan, Store
from tests.agent.replay.attempts import attempt

TASK = FunctionTask("solution.py", "a\n", "b\n", "")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "run")
    listed = (Listed(name, "function", "", "", 1, 1) for name in ("one", "two"))
    store.begin(Plan("tasks", ("gold", "m.gguf"), 1, "local"), listed)
    return store


def jobs(store: Store, *models: str, **values: Any) -> Iterator[Job]:  # noqa: ANN401  of jobs
    for name in ("one", "two"):
        for model in models:
            yield Job(Instance(name, "", TASK), store.folder, Where(), model, **values)


def do(store: Store, schedule: Schedule, job: Job, **values: object) -> Attempt:
    """Have a job end well."""
    made = attempt(job.instance.id, job.model, job.number, **values)  # type: ignore[arg-type]
    store.keep(made, store.draft(job.model, job.instance.id, job.number))
    kept = schedule.finish(job, End(0))
    assert isinstance(kept, Attempt)
    return kept


def taken(schedule: Schedule) -> Job:
    job = schedule.take()
    assert job is not None
    return job


def test_what_ended_is_not_done_again(store: Store) -> None:
    schedule = Schedule(store, jobs(store, "gold"))
    do(store, schedule, taken(schedule))
    again = Schedule(store, jobs(store, "gold"))
    assert (len(again.ended), again.left) == (1, 1)
    assert taken(again).instance.id == "two"
    assert again.take() is None


def test_what_the_infrastructure_failed_may_be_done_again(store: Store) -> None:
    schedule = Schedule(store, jobs(store, "gold"))
    found = schedule.finish(taken(schedule), End(-9))
    assert isinstance(found, Attempt)
    assert (found.cause, found.trouble) == (
        *(Cause.INFRASTRUCTURE, "Its process ended with signal 9; errors.log may say why."),
    )
    assert Schedule(store, jobs(store, "gold")).left == 1
    retried = Schedule(
        store, jobs(store, "gold"), again=lambda it: it.cause is Cause.INFRASTRUCTURE
    )
    assert retried.left == 2


@pytest.mark.parametrize(
    ("phase", "cause"),
    [
        (Phase.ENVIRONMENT, Cause.INFRASTRUCTURE),
        (Phase.WORK, Cause.OUT_OF_STEPS),
        (Phase.TESTS, Cause.TIMED_OUT),
    ],
)
def test_what_hangs_counts_by_what_it_was_at(store: Store, phase: Phase, cause: Cause) -> None:
    schedule = Schedule(store, jobs(store, "gold"))
    job = taken(schedule)
    schedule.progressed(job, Progress(phase))
    found = schedule.finish(job, End(-9, overdue=True))
    assert isinstance(found, Attempt)
    assert found.cause is cause


def test_a_local_model_works_alone_while_others_go_on(store: Store) -> None:
    schedule = Schedule(
        store,
        (replace(job, local=job.model == "m.gguf") for job in jobs(store, "m.gguf", "gold")),
    )
    begun = [taken(schedule) for _ in range(3)]
    assert [job.model for job in begun] == ["m.gguf", "gold", "gold"]
    assert schedule.take() is None
    do(store, schedule, begun[0])
    assert taken(schedule).model == "m.gguf"


def test_an_instance_is_tried_before_it_is_attempted(store: Store) -> None:
    schedule = Schedule(store, jobs(store, "gold", "m.gguf"), validate=lambda job: True)
    first, second = taken(schedule), taken(schedule)
    assert (first.model, second.model) == ("", "")
    assert schedule.take() is None
    store.judge(Fitness("one", "its tests pass as it is"))
    schedule.finish(first, End(0))
    assert schedule.take() is None
    store.judge(Fitness("two"))
    schedule.finish(second, End(0))
    assert {taken(schedule).instance.id for _ in range(2)} == {"two"}
    assert schedule.take() is None
    assert schedule.unfit == {"one": "its tests pass as it is"}
    assert schedule.left == 2


def test_a_budget_is_shared_out(store: Store) -> None:
    schedule = Schedule(
        store, jobs(store, "gold", flags={"max_usd": 0.9}), budget=Budget(dollars=1.0)
    )
    job = taken(schedule)
    assert (job.flags["max_usd"], job.rationed) == (0.9, False)
    do(store, schedule, job, cost=Cost(api_usd=0.4), usage=Usage(evaluated=5))
    job = taken(schedule)
    assert job.flags["max_usd"] == pytest.approx(0.6)
    assert job.rationed
    schedule.progressed(job, Progress(Phase.WORK, 3, 100, 0.2))
    assert schedule.exhausted == ""
    schedule.progressed(job, Progress(Phase.WORK, 3, 100, 0.6))
    assert schedule.exhausted == "$1 for the whole run"
    assert schedule.finish(job, End(STOPPED)) is None
    assert schedule.take() is None
    later = Schedule(store, jobs(store, "gold"), budget=Budget(dollars=1.2))
    assert later.spent.dollars == pytest.approx(1.0)
    assert taken(later).flags["max_usd"] == pytest.approx(0.2)


def test_a_job_that_is_given_back_comes_first(store: Store) -> None:
    schedule = Schedule(store, jobs(store, "gold"), budget=Budget(tokens=100))
    job = taken(schedule)
    schedule.progressed(job, Progress(Phase.WORK, tokens=30))
    schedule.give_back(job)
    again = taken(schedule)
    assert again.instance.id == "one"
    assert again.flags["max_tokens"] == 70
    assert schedule.left == 2
