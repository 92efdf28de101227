"""Which instances are chosen."""

from __future__ import annotations

import pytest

from agent.errors import InputError
from agent.replay.instance import FunctionTask, Instance
from agent.replay.selection import Selection, select

TASK = FunctionTask("a.py", "", "", "")
SET = [
    Instance(f"set-{number}", "", TASK, difficulty="Easy" if number % 2 else ">4 hours")
    for number in range(10)
]


def ids(selection: Selection, instances: list[Instance] = SET) -> list[str]:
    return [instance.id for instance in select(instances, selection)]


def test_everything_in_its_order_unless_asked_otherwise() -> None:
    assert select(SET, Selection()) == SET


def test_a_shuffle_depends_on_the_seed_alone() -> None:
    shuffled = ids(Selection(shuffle=True, seed=3))
    assert sorted(shuffled) == ids(Selection())
    assert shuffled == ids(Selection(shuffle=True, seed=3), SET[::-1])
    assert shuffled != ids(Selection(shuffle=True, seed=4))


def test_the_slice_is_taken_last() -> None:
    assert ids(Selection(filter="[5-9]$", slice="1:3")) == ["set-6", "set-7"]
    assert ids(Selection(slice="-2:")) == ["set-8", "set-9"]
    assert ids(Selection(difficulty=("easy",), slice=":2")) == ["set-1", "set-3"]


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        (Selection(filter="("), "cannot be read"),
        (Selection(slice="3"), "not a:b"),
        (Selection(slice="1:2:3"), "not a:b"),
        (Selection(difficulty=("hard",)), "There are: >4 hours; Easy"),
    ],
)
def test_what_cannot_be_used_is_named(selection: Selection, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        select(SET, selection)
