"""The append-only record."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from agent import events
from agent.errors import InputError
from agent.messages import AssistantMessage, ToolCall, UserMessage
from agent.session import Session, sessions
from tools.base import ToolResult


def lines(session: Session) -> list[dict[str, object]]:
    text = (session.info.folder / "record.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_lines_and_those_that_pass_are_not(tmp_path: Path) -> None:
    session = Session.create(tmp_path, tmp_path / "state", "Mend it.")
    call = ToolCall("c1", "read_file", {"path": "a.py"})
    session.record(events.Said(UserMessage("héllo")))
    session.record(events.Wrote("pie"))
    session.record(events.PromptReading(1, 2))
    session.record(events.ToolPrinted("c1", "te", "xt"))
    session.record(events.Said(AssistantMessage("ok", calls=(call,), tokens=(1, 2))))
    result = ToolResult("text", "line", details=object())
    session.record(events.ToolFinished(call, events.Origin.MODEL, result, 0.5))
    session.close()
    record = lines(session)
    assert [line["event"] for line in record] == ["session", "said", "said", "tool_finished"]
    assert record[1]["message"] == {"text": "héllo", "role": "user"}
    assert record[2]["message"]["tokens"] == [1, 2]  # type: ignore[index]  # JSON of unknown shape
    times = [line["at"] for line in record]
    assert all(isinstance(at, float) and at > 1.7e9 for at in times)
    assert record[3]["result"] == {"ok": True, "display": "line", "output": "text"}


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    session = Session.create(tmp_path, tmp_path / "state", "Mend it.")
    session.close()
    assert stat.S_IMODE((session.info.folder / "record.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(session.info.folder.stat().st_mode) == 0o700


def test_sessions_are_listed_and_broken_ones_passed_over(tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = Session.create(tmp_path, state, "one")
    one.close()
    broken = state / "sessions" / "99999999-broken"
    broken.mkdir()
    (broken / "record.jsonl").write_text('{"event": "sess')
    (state / "sessions" / "99999998-empty").mkdir()
    assert [info.task for info in sessions(state)] == ["one"]
    assert next(sessions(state)).root == tmp_path


def test_no_state_folder_is_no_session(tmp_path: Path) -> None:
    assert list(sessions(tmp_path / "none")) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_session_that_cannot_be_recorded_does_not_begin(tmp_path: Path) -> None:
    session = Session.create(tmp_path, tmp_path / "state")
    session.close()
    session.info.folder.mkdir()
    session.info.record.symlink_to("/dev/full")
    session = Session(session.info)
    told = r"cannot be recorded in .*: No space left on device\. Make room"
    with pytest.raises(InputError, match=told):
        session.begin("mend it")
    assert session.info.task == ""
    session.close()
