"""Lists of sessions: what is told of each, what is found, which are meant."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.costs import Cost
from agent.errors import InputError
from agent.events import (
    Rewound,
    Said,
    Status,
    StepFinished,
    Switched,
    Totals,
    TurnFinished,
    TurnStarted,
)
from agent.messages import AssistantMessage
from agent.models.base import Usage
from agent.overview import at_work, overview, overviews, search
from agent.session import Session, SessionInfo, delete, find_session, last_session, rename

PAID = Cost(api_usd=0.25)


def held(root: Path, task: str, *tasks: str, says: str = "Done.") -> SessionInfo:
    session = Session.create(root, root / "state", task)
    for number, told in enumerate((task, *tasks), start=1):
        session.record(TurnStarted(told, "m", "free", str(root), "", "", turn=number))
        session.record(Said(AssistantMessage(says)))
        session.record(StepFinished(1, Usage(), 1.0, 0, (), PAID))
        session.record(TurnFinished(Status.VERIFIED, "well", Totals(cost=PAID), "patch"))
    session.close()
    return session.info


def test_what_is_told_of_a_session(tmp_path: Path) -> None:
    info = held(tmp_path, "# Mend it\nnow", "More")
    seen = overview(info)
    assert (seen.heading, seen.model, seen.turns, seen.status) == ("Mend it", "m", 2, "verified")
    assert (seen.dollars, seen.tasks) == (0.5, ("# Mend it\nnow", "More"))
    assert seen.last > 1.7e9
    rename(info, "first")
    rename(info, "sécond \x1b[2J")
    assert overview(info).title == "sécond \x1b[2J"
    session = Session.reopen(info)
    session.record(Rewound(0, "back", 2))
    session.record(TurnStarted("Third", "m", "free", "/", "", "", turn=3))
    session.record(Switched("n", 1, None, None))
    session.record(StepFinished(1, Usage(), 1.0, 0, (), PAID))
    assert at_work(info)
    session.close()
    seen = overview(info)
    assert (seen.model, seen.turns, seen.status, seen.dollars) == ("n", 2, "", 0.75)
    assert not at_work(info)


def test_a_title_given_after_a_crash_counts(tmp_path: Path) -> None:
    info = held(tmp_path, "Mend it")
    with info.record.open("ab") as record:
        record.write(b'{"event": "said", "mess')
    rename(info, "named")
    assert overview(info).title == "named"


def test_the_one_last_at_work_comes_first(tmp_path: Path) -> None:
    one, two = held(tmp_path, "one"), held(tmp_path, "two")
    time.sleep(0.001)  # a record's times are that exact
    session = Session.reopen(one)
    session.record(TurnFinished(Status.FAILED, "", Totals(), ""))
    session.close()
    os.utime(two.record, (1.8e9, 1.8e9))
    os.utime(one.record, (1.9e9, 1.9e9))
    assert [item.info for item in overviews(tmp_path / "state")] == [one, two]
    assert last_session(tmp_path / "state", tmp_path) == one
    assert overviews(tmp_path / "state", tmp_path / "other") == []


def test_words_are_found(tmp_path: Path) -> None:
    held(tmp_path, "The tax is wrong", "and the Rabatt, große Summe")
    other = held(tmp_path, "Another", says='The "divisor"\nis off')
    rename(other, "Mean values")
    those = overviews(tmp_path / "state")

    def found(*words: str, text: bool = False) -> list[str]:
        return [hit.overview.heading for hit in search(those, words, text=text)]

    assert found("TAX", "rabatt", "GROSSE") == ["The tax is wrong"]
    assert found("mean") == ["Mean values"]
    assert found("divisor") == []
    (hit,) = search(those, ['"divisor"'], text=True)
    assert hit.excerpt == 'The "divisor" is off'


def test_the_beginning_of_an_id_will_do(tmp_path: Path) -> None:
    one, two = held(tmp_path, "one"), held(tmp_path, "two")
    state = tmp_path / "state"
    assert find_session(one.id[:-1], state) == one
    assert find_session("last", state, tmp_path) in (one, two)
    with pytest.raises(InputError, match="2 sessions begin with 2"):
        find_session("2", state)
    with pytest.raises(InputError, match="agent sessions"):
        find_session("", state)
    with pytest.raises(InputError, match="no session of"):
        find_session("last", state, tmp_path / "other")


def test_one_at_work_is_not_deleted(tmp_path: Path) -> None:
    info = held(tmp_path, "one")
    session = Session.reopen(info)
    with pytest.raises(InputError, match="at work"):
        delete(info)
    session.close()
    delete(info)
    assert not info.folder.exists()
