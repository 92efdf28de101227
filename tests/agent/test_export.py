"""A session in each format: valid there, whole, and unable to escape from it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import atif
import pytest
from markdown_it import MarkdownIt

from agent import events
from agent.costs import Cost
from agent.events import Origin, Status, to_json
from agent.export import Format, export
from agent.export.markdown import to_markdown
from agent.export.trajectory import read
from agent.messages import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)
from agent.models.base import Usage
from agent.overview import overview
from agent.playback import played
from agent.session import Session, SessionInfo, rename
from tests.agent.conversing import Place, say, writes
from tools.base import ToolResult

HOSTILE = (
    "</pre></summary></script><script>alert(1)</script><img src=http://x.test/y onerror=z>\n\n"
    "# heading\n"
    "{{ 7*7 }}{% raw %} ![p](http://x.test/q.png)\n````\n```\n![p](http://x.test/p.png)\n"
    "- a\n\n  ```\n<b>bold</b>\n\x1b[2J\u202e\x9b31m\udcff &amp; <!--"
)


@pytest.fixture
def info(place: Place) -> SessionInfo:
    """A real session of two turns, the first of which was taken back."""
    with place.opened(writes("a.txt", "x\n") + writes("b.txt", "y\n")) as conversation:
        say(conversation, "Change a.")
        conversation.rewind(1)
        say(conversation, "Change b.")
        return conversation.session.info


@pytest.fixture
def hostile(tmp_path: Path) -> SessionInfo:
    """A session in which every text is hostile."""
    text = HOSTILE
    call = ToolCall(text, text, {text: text, "n": 1})
    session = Session.create(tmp_path, tmp_path / "state", text)
    totals = events.Totals(1, Usage(), 1.0, Cost())
    for event in (
        events.TurnStarted(text, text, text, text, text, text),
        events.Said(SystemMessage(text)),
        events.Said(UserMessage(text)),
        events.Said(UserMessage(f"more {text}")),
        events.StepStarted(1),
        events.Said(AssistantMessage(text, text, (call,), (text,), text, (), text, text)),
        events.StepFinished(1, Usage(5, 2, 3, 3, 4), 1.0, 1, (text,)),
        events.ToolFinished(call, Origin.MODEL, ToolResult(text, text, ok=False), 0.1),
        events.ToolFinished(call, Origin.HARNESS, ToolResult(text, text), 0.1),
        events.Said(ToolMessage((ToolOutput(call.id, call.name, text),))),
        events.Notice(text),
        events.TurnFinished(Status.FAILED, text, totals, text, (text,), text),
    ):
        session.record(event)
    session.close()
    rename(session.info, text)
    return session.info


class Tags(HTMLParser):
    """Which elements and attributes there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(f"@{name}" for name, _ in attrs)}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", Format)
def test_it_is_text_for_a_file(kind: Format, info: SessionInfo, hostile: SessionInfo) -> None:
    for session in (info, hostile):
        text = export(session, kind)
        assert text.encode("utf-8")
        assert text.endswith("\n")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert export(session.record, kind) == text


def test_html_is_whole_and_holds_no_element_of_theirs(
    info: SessionInfo, hostile: SessionInfo
) -> None:
    tags = Tags(export(hostile, Format.HTML))
    assert tags.open == []
    assert not tags.seen & {"script", "img", "a", "link", "@src", "@href", "@onerror", "@style"}
    told = {"h1", "p", "pre", "code", "ul", "li"}
    assert tags.seen - Tags(export(info, Format.HTML)).seen <= told
    text = export(hostile, Format.HTML)
    assert "{{ 7*7 }}" in text
    assert "49" not in re.sub(r"\d{3,}|\d+\.\d+|#\w+", "", text.partition("<main>")[2])
    assert "http" not in re.sub(r"http://x\.test|http-equiv", "", text)


def test_markdown_holds_no_markup_of_theirs(info: SessionInfo, hostile: SessionInfo) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(export(hostile, Format.MARKDOWN))
    tags = Tags(html)
    assert tags.open == []
    assert not tags.seen & {"script", "img", "b", "@onerror", "@src"}
    ours = re.sub(r"<blockquote>.*?</blockquote>", "", html, flags=re.DOTALL)
    assert "<h1>heading</h1>" in html
    assert ours.count("<h1>") == 1


def test_markdown_tells_the_session(info: SessionInfo) -> None:
    text = to_markdown(read(info))
    assert "> Change a." in text
    assert "_Back to before turn 1._" in text
    assert "\n+y\n" in text


@pytest.mark.parametrize("which", ["info", "hostile"])
def test_atif_is_valid(which: str, request: pytest.FixtureRequest) -> None:
    told = json.loads(export(request.getfixturevalue(which), Format.ATIF))
    trajectory = atif.Trajectory.model_validate(told)
    assert trajectory.schema_version == "ATIF-v1.7"
    calls = [call for step in trajectory.steps for call in step.tool_calls or ()]
    assert calls
    assert trajectory.final_metrics is not None
    if which == "info":
        assert [call.function_name for call in calls][:2] == ["read_file", "write_file"]
        assert trajectory.steps[1].message == "Change a."


def test_the_neighbours_formats(info: SessionInfo) -> None:
    mini = json.loads(export(info, Format.MINI_SWE_AGENT, "a__b-1"))
    assert mini["trajectory_format"] == "mini-swe-agent-1.1"
    assert mini["instance_id"] == "a__b-1"
    assert mini["info"]["exit_status"] == "Submitted"
    assert mini["info"]["model_stats"]["api_calls"] == 4
    assert {message["role"] for message in mini["messages"]} == {
        "system",
        "user",
        "assistant",
        "tool",
    }
    swe = json.loads(export(info, Format.SWE_AGENT))
    assert set(swe) == {"trajectory", "history", "info", "replay_config", "environment"}
    step = swe["trajectory"][0]
    assert step["action"].startswith('read_file {"path": "a.txt"}\nwrite_file ')
    assert "line 0" in step["observation"]
    assert "+y" in swe["info"]["submission"]


def test_json_holds_all_that_was_recorded(info: SessionInfo) -> None:
    told = json.loads(export(info, Format.JSON))
    lines = [json.loads(line) for line in info.record.read_bytes().split(b"\n") if line]
    assert told["events"] == lines[1:]
    assert told["session"]["id"] == info.id


def test_it_is_played_as_it_happened(info: SessionInfo) -> None:
    lines = [json.loads(line) for line in info.record.read_bytes().split(b"\n") if line]
    shown = list(played(info.record))
    plain = [to_json(event) for _, event in shown if not isinstance(event, events.Wrote)]
    assert plain == [{k: v for k, v in line.items() if k != "at"} for line in lines[1:]]
    assert sum(seconds for seconds, _ in shown) == pytest.approx(
        lines[-1]["at"] - lines[1]["at"], abs=0.01
    )
    wrote = "".join(event.text for _, event in shown if isinstance(event, events.Wrote))
    assert wrote == "I write a.txt.Done." + "I write b.txt.Done."
    fast = sum(seconds for seconds, _ in played(info.record, 4.0))
    assert fast == pytest.approx(sum(seconds for seconds, _ in shown) / 4)
    assert {seconds for seconds, _ in played(info.record, float("inf"))} == {0.0}
    assert overview(info).turns == 1
