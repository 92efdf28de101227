"""When a request is made again, and after how long."""

from __future__ import annotations

import itertools

import pytest

from agent.errors import (
    ConnectionLost,
    CreditSpent,
    ModelError,
    RateLimited,
    ServerFailed,
    ServerSilent,
    WorkerDied,
)
from agent.retrying import LONGEST, Patience


def pauses(error: ModelError) -> list[float]:
    patience = Patience()
    made = (patience.pause(error) for _ in itertools.count())
    return list(itertools.takewhile(lambda pause: pause is not None, made))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (WorkerDied("Died."), 3),
        (ConnectionLost("Cut."), 4),
        (ServerFailed("Down."), 4),
        (ServerSilent("Silent."), 2),
        (CreditSpent("Empty."), 1),
        (ModelError("Broken."), 1),
        (RateLimited("Slow.", retry_after=LONGEST + 1), 1),
    ],
)
def test_how_often_each_error_is_tried(error: ModelError, tries: int) -> None:
    assert 1 + len(pauses(error)) == tries


def test_pauses_grow_and_differ() -> None:
    runs = [pauses(ServerFailed("Down.")) for _ in range(20)]
    assert all(first < second < third for first, second, third in runs)
    assert all(sum(run) <= 3.5 for run in runs)
    assert len({run[0] for run in runs}) > 10


def test_a_server_is_left_alone_as_long_as_it_wants() -> None:
    assert pauses(RateLimited("Slow.", retry_after=7)) == [7, 7, 7]


def test_a_process_of_our_own_is_started_at_once() -> None:
    assert pauses(WorkerDied("Died.")) == [0, 0]
