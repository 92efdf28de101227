"""A session at work over several turns: what each changed, and the way back."""

from __future__ import annotations

import shutil
import threading
from contextlib import closing

import pytest

from agent.approval import AllowAll
from agent.conversation import Conversation
from agent.errors import InputError
from agent.events import Rewound, Switched, ToolFinished, TurnFinished, TurnStarted
from agent.messages import UserMessage
from agent.overview import overview
from agent.recorded import load
from agent.undoing import undo_session
from agent.wanted import Wanted
from tests.agent.conversing import Place, say, writes
from tools.undo import Restored

LINES = "".join(f"line {number}\n" for number in range(9))
FIRST, SECOND, THIRD = (LINES.replace("line 0", f"turn {number}") for number in (1, 2, 3))


def finished(conversation: Conversation, task: str) -> TurnFinished:
    event = say(conversation, task)[-1]
    assert isinstance(event, TurnFinished)
    return event


def told(conversation: Conversation) -> list[str]:
    return [m.text for m in conversation.agent.history if isinstance(m, UserMessage)]


def test_a_turns_patch_is_its_own(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST) + writes("b.txt", "c\n")) as conversation:
        one, two = finished(conversation, "one"), finished(conversation, "two")
        assert (one.changed, two.changed) == (("a.txt",), ("b.txt",))
        assert "+turn 1" in one.patch
        assert two.patch == (
            "diff --git a/b.txt b/b.txt\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-b\n+c\n"
        )
        assert [change.path for change in conversation.workspace.changes()] == ["a.txt", "b.txt"]
        turns = conversation.turns()
        assert [(turn.number, turn.task, turn.changed) for turn in turns] == [
            (1, "one", ("a.txt",)),
            (2, "two", ("b.txt",)),
        ]
        recorded = load(conversation.session.info).turns
        assert [turn.patch for turn in recorded] == [one.patch, two.patch]


def test_a_turn_that_changes_nothing_is_not_verified_by_the_one_before(place: Place) -> None:
    nothing = '[[step]]\ntext = "Nothing to do."\n' * 3
    with place.opened(writes("a.txt", FIRST) + nothing) as conversation:
        assert finished(conversation, "one").status.value == "unverified"
        assert finished(conversation, "two").summary == "Nothing was changed."


def test_back_to_before_a_turn_with_the_users_later_edits(place: Place) -> None:
    script = writes("a.txt", FIRST) + writes("a.txt", SECOND) + writes("new/c.txt", "c\n")
    with place.opened(script + writes("b.txt", "d\n")) as conversation:
        say(conversation, "one")
        before = list(conversation.agent.history)
        say(conversation, "two")
        say(conversation, "three")
        file = place.root / "a.txt"
        file.write_text(file.read_text() + "mine\n")
        report = conversation.rewind(2)
        assert report.turn.task == "two"
        assert set(report.files) == {
            Restored("a.txt", "merged"),
            Restored("new/c.txt", "removed"),
        }
        assert file.read_text() == FIRST + "mine\n"
        assert not (place.root / "new").exists()
        assert conversation.agent.history == before
        assert load(conversation.session.info).messages == before
        say(conversation, "four")
        assert [turn.number for turn in conversation.turns()] == [1, 4]
        assert load(conversation.session.info).turns[-1].task == "four"
        with pytest.raises(InputError, match="no turn 2"):
            conversation.rewind(2)
        conversation.rewind(1)
        assert file.read_text() == LINES + "mine\n"
        assert (place.root / "b.txt").read_text() == "b\n"
        assert conversation.agent.history == []


def test_back_after_a_resume_in_another_process(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST) + writes("a.txt", SECOND)) as conversation:
        say(conversation, "one")
        before = list(conversation.agent.history)
        say(conversation, "two")
        info = conversation.session.info
    with place.opened(writes("a.txt", THIRD), info) as conversation:
        started = say(conversation, "three")[0]
        assert isinstance(started, TurnStarted)
        assert started.turn == 3
        assert (place.root / "a.txt").read_text() == THIRD
        conversation.rewind(2)
        assert (place.root / "a.txt").read_text() == FIRST
        assert conversation.agent.history == before
    with place.opened(writes("a.txt", THIRD), info) as conversation:
        assert conversation.agent.history == before
        assert say(conversation, "five")[0].turn == 4  # type: ignore[union-attr]  # the first
        conversation.rewind(1)
    assert (place.root / "a.txt").read_text() == LINES


def test_a_session_goes_on_with_its_own_model(place: Place) -> None:
    """Unless another is named."""
    own, other = place.script(writes("a.txt", FIRST)), place.script(writes("a.txt", SECOND))
    wanted = Wanted(place.root, {"model": own})
    with closing(Conversation(wanted, AllowAll())) as conversation:
        say(conversation, "one")
        info = conversation.session.info
    for flags, name in (({}, own), ({"model": None}, own), ({"model": other}, other)):
        wanted = Wanted(place.root, flags, resume=info)
        with closing(Conversation(wanted, AllowAll())) as conversation:
            assert conversation.configuration.settings.model == name


def test_a_session_goes_on_with_the_model_that_took_over(place: Place) -> None:
    """It is the one to escalate to, and nobody is left to take over from it."""
    weak, strong = place.script(""), place.script(writes("a.txt", FIRST) * 2)
    flags = {"model": weak, "escalate": strong}
    with closing(Conversation(Wanted(place.root, flags), AllowAll())) as conversation:
        (switched,) = [e for e in say(conversation, "one") if isinstance(e, Switched)]
        assert switched.asked == strong
        info = conversation.session.info
    wanted = Wanted(place.root, {"escalate": strong}, resume=info)
    with closing(Conversation(wanted, AllowAll())) as conversation:
        assert conversation.configuration.settings.model == strong
        assert conversation.agent.successors == []
    with pytest.raises(InputError, match="escalate to is the one"):
        Conversation(Wanted(place.root, {**flags, "model": strong}, resume=info), AllowAll())


def test_only_the_conversation_goes_back(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST)) as conversation:
        say(conversation, "one")
        report = conversation.rewind(1, files=False)
        assert report.files == ()
        assert isinstance(report.event, Rewound)
        assert (place.root / "a.txt").read_text() == FIRST


def test_conflicting_edits_of_the_user_win(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST)) as conversation:
        say(conversation, "one")
        (place.root / "a.txt").write_text(LINES.replace("line 0", "mine"))
        assert conversation.rewind(1).files == (Restored("a.txt", "kept"),)
        assert "mine" in (place.root / "a.txt").read_text()


def test_a_copy_goes_back_too(place: Place) -> None:
    script = writes("a.txt", FIRST) + writes("a.txt", SECOND)
    with place.opened(script, on_copy=True) as conversation:
        say(conversation, "one")
        say(conversation, "two")
        assert conversation.rewind(2).files == (Restored("a.txt", "restored"),)
        assert (conversation.workspace.root / "a.txt").read_text() == FIRST
    assert (place.root / "a.txt").read_text() == LINES


def test_the_next_request_after_a_return_begins_with_an_earlier_one(place: Place) -> None:
    script = writes("a.txt", FIRST) + writes("b.txt", "c\n") + writes("b.txt", "d\n")
    with place.opened(script) as conversation:
        say(conversation, "one")
        held = len(conversation.agent.history)
        say(conversation, "two")
        conversation.rewind(2)
        say(conversation, "three")
        assert told(conversation) == ["one", "three"]
        assert conversation.agent.history[held] == UserMessage("three")


def test_a_model_is_told_that_its_edits_are_gone(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST) + writes("b.txt", "c\n")) as conversation:
        say(conversation, "one")
        info = conversation.session.info
    assert undo_session(info.id, place.root, lambda question: True) == 0
    with place.opened(writes("b.txt", "c\n") + writes("a.txt", FIRST), info) as conversation:
        say(conversation, "two")
        news, task = told(conversation)[-1].split("\n\n")
        assert "`a.txt`" in news
        assert task == "two"
        assert conversation.turns()[-1].task == "two"
        say(conversation, "three")
        assert told(conversation)[-1] == "three"
        assert len(conversation.agent.history) > 4
    with place.opened(writes("a.txt", SECOND), info) as conversation:
        say(conversation, "four")
        assert told(conversation)[-1] == "four"


def test_a_model_is_told_that_it_worked_on_a_copy(place: Place) -> None:
    script = writes("a.txt", FIRST) + writes("a.txt", SECOND)
    with place.opened(script, on_copy=True) as conversation:
        say(conversation, "one")
        say(conversation, "two")
        assert told(conversation)[-1] == "two"
        info = conversation.session.info
    with place.opened(writes("b.txt", "c\n"), info) as conversation:
        say(conversation, "three")
        assert "`a.txt`" in told(conversation)[-1]


def test_it_goes_on_after_switches_of_models(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST)) as conversation:
        say(conversation, "one")
        conversation.switch(place.script(writes("a.txt", SECOND) + writes("b.txt", "c\n")))
        say(conversation, "two")
        say(conversation, "three")
        before = list(conversation.agent.history)
        conversation.rewind(3)
        held = list(conversation.agent.history)
        info = conversation.session.info
        models = [turn.model for turn in conversation.turns()]
    assert before[: len(held)] == held
    with place.opened(writes("b.txt", "d\n"), info) as conversation:
        assert conversation.agent.history == held
        assert [turn.model for turn in conversation.turns()] == models
        say(conversation, "four")
        assert conversation.rewind(2).turn.task == "two"
    assert (place.root / "a.txt").read_text() == FIRST
    assert (place.root / "b.txt").read_text() == "b\n"


def test_a_turn_that_was_cut_is_told_by_the_journal_and_goes_back(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST) + writes("a.txt", SECOND)) as conversation:
        say(conversation, "one")
        info = conversation.session.info
        events = conversation.run("two", threading.Event())
        for event in events:  # as a process that is killed in the turn
            if isinstance(event, ToolFinished) and event.call.name == "write_file":
                break
        shutil.copytree(info.folder, place.home / "copy")
        assert (place.root / "a.txt").read_text() == SECOND
        del events
    shutil.rmtree(info.folder)
    shutil.copytree(place.home / "copy", info.folder)
    with place.opened(writes("b.txt", "c\n"), info) as conversation:
        assert "+turn 2" in conversation.turns()[1].patch
        assert conversation.rewind(2).files == (Restored("a.txt", "restored"),)
        assert (place.root / "a.txt").read_text() == FIRST
        say(conversation, "three")
        assert told(conversation) == ["one", "three"]


def test_a_session_has_the_title_that_it_was_given(place: Place) -> None:
    with place.opened(writes("a.txt", FIRST)) as conversation:
        with pytest.raises(InputError, match="not begun"):
            conversation.rename("early")
        say(conversation, "one")
        conversation.rename("Tax")
        assert overview(conversation.session.info).heading == "Tax"
