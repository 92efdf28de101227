"""A fork goes on from a turn of another session and leaves that as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.forking import fork
from agent.messages import UserMessage
from agent.overview import overview
from agent.recorded import load
from tests.agent.conversing import Place, say, writes
from tools.undo import Restored

FIRST, SECOND = "turn 1\n", "turn 2\n"


def test_it_begins_with_the_conversation_up_to_a_turn(place: Place) -> None:
    state: Path = place.home / "state"
    with place.opened(writes("a.txt", FIRST) + writes("b.txt", SECOND)) as conversation:
        say(conversation, "one")
        before = list(conversation.agent.history)
        say(conversation, "two")
        info = conversation.session.info
    record = info.record.read_bytes()
    whole, part = fork(info, state), fork(info, state, 1)
    assert info.record.read_bytes() == record
    assert load(whole).messages == load(info).messages
    assert load(whole).stale == ()
    assert load(part).messages == before
    assert overview(part).forked == info.id
    assert overview(part).dollars == 0
    assert overview(part).turns == 1
    with place.opened(writes("new.txt", "x\n"), part) as conversation:
        say(conversation, "other")
        last = conversation.agent.history[len(before)]
        assert isinstance(last, UserMessage)
        assert "`b.txt`" in last.text
        assert [turn.number for turn in conversation.turns()] == [1, 2]
        # What the other session wrote is the other's to take back.
        report = conversation.rewind(1)
        assert report.files == (Restored("new.txt", "removed"),)
        assert conversation.agent.history == []
    assert (place.root / "a.txt").read_text() == FIRST
    assert (place.root / "b.txt").read_text() == SECOND


def test_a_turn_that_is_not_there(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST) + writes("b.txt", SECOND)) as conversation:
        say(conversation, "one")
        say(conversation, "two")
        conversation.rewind(2)
        info = conversation.session.info
        with pytest.raises(InputError, match="its turns are 1"):
            fork(info, place.home / "state", 2)
        made = fork(info, place.home / "state")  # also while it is open
    assert [turn.number for turn in load(made).turns] == [1]
