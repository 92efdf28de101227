"""A session with Claude: when its requests are counted beforehand, and what failed tries cost."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from agent.events import Event, Status, StepFinished, TurnFinished
from agent.limits import Limits
from agent.loop import Agent
from agent.messages import UserMessage
from agent.models.base import Request
from agent.models.claude.access import Access
from agent.models.claude.known import Card, Known
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from agent.steering.free import Free
from tests.agent.models.claude.messages_server import KEY, MessagesServer, Reply, call, text
from tools.base import Toolbox
from tools.files import ReadFile
from tools.workspace import Workspace

SONNET = "claude-sonnet-5-5"
LOOK = Reply([text("I look."), call("read_file", path="long.txt")], "tool_use")
COUNT, MESSAGE = "/v1/messages/count_tokens", "/v1/messages"


def conduct(
    server: MessagesServer, root: Path, task: str, limits: Limits, window: int = 1_000_000
) -> list[Event]:
    """A turn, after which the server's paths tell what was asked."""
    card = Card(SONNET, window, 4096, ("adaptive",), ())
    wire = Wire(Access(KEY), server.address)
    model = ClaudeModel(SONNET, wire, known=replace(Known.load(), cards={SONNET: card}))
    (root / "long.txt").write_text("one more line\n" * 400)
    workspace = Workspace(root)
    toolbox = Toolbox.of([ReadFile(workspace)])
    agent = Agent(
        model, toolbox, workspace, Free(workspace, toolbox.specs, None, False, talk=True), limits
    )
    seen = list(agent.run(task, threading.Event()))
    model.close()
    return seen


def ended(seen: list[Event]) -> TurnFinished:
    last = seen[-1]
    assert isinstance(last, TurnFinished)
    return last


@pytest.mark.parametrize("limits", [Limits(), Limits(dollars=1.0, tokens=100_000)])
def test_nothing_is_counted_where_nothing_hangs_on_it(
    server: MessagesServer, tmp_path: Path, limits: Limits
) -> None:
    server.replies = [LOOK] * 3
    assert ended(conduct(server, tmp_path, "Look.", limits)).status is Status.ANSWERED
    assert server.paths == [MESSAGE] * 4


def test_near_the_window_it_is_counted_once(server: MessagesServer, tmp_path: Path) -> None:
    """By the estimate the window would be overrun, and the conversation shortened."""
    server.replies = [LOOK]
    task = ("word " * 6000).strip()
    seen = conduct(server, tmp_path, task, Limits(), window=14_600)
    assert ended(seen).status is Status.ANSWERED
    assert server.paths == [COUNT, MESSAGE, MESSAGE]
    assert server.bodies[0]["messages"][0]["content"][0]["text"] == task


@pytest.mark.parametrize("counts", [True, False])
def test_near_a_limit_the_count_decides(
    server: MessagesServer, tmp_path: Path, counts: bool
) -> None:
    """7,800 tokens, 11,400 by the estimate, of which 9,000 may be read beside an answer."""
    server.counts = counts
    seen = conduct(server, tmp_path, "words " * 5000, Limits(tokens=9300))
    assert ended(seen).status is (Status.ANSWERED if counts else Status.TOKEN_LIMIT)
    assert server.paths == [COUNT, *[MESSAGE] * counts]
    assert ended(seen).totals.usage.evaluated <= 9300


def test_what_a_broken_try_took_is_paid_for(server: MessagesServer, tmp_path: Path) -> None:
    server.replies = [Reply(LOOK.blocks, "tool_use", events=5), Reply([text("Done.")])]
    seen = conduct(server, tmp_path, "Look.", Limits(dollars=1.0))
    (step,) = [event for event in seen if isinstance(event, StepFinished)]
    totals = ended(seen).totals
    assert totals.usage.prompt == 2 * step.usage.prompt
    assert totals.usage.output == step.usage.output + 1  # as the stream's beginning had it
    assert totals.cost == step.cost
    written, read = step.usage.prompt * 2.5, step.usage.prompt * 0.1
    assert totals.cost.api_usd == pytest.approx((written + read + totals.usage.output * 10) / 1e6)


def test_what_was_paid_for_in_vain_counts_too(server: MessagesServer, tmp_path: Path) -> None:
    server.replies = [Reply(LOOK.blocks, "refusal", {"type": "refusal", "category": "bio"})]
    end = ended(conduct(server, tmp_path, "Look.", Limits()))
    assert end.status is Status.MODEL_FAILED
    assert end.totals.usage.prompt > 200
    assert end.totals.cost.api_usd
    server.replies = [Reply(events=0)] * 9
    nothing = ended(conduct(server, tmp_path, "Look.", Limits())).totals
    assert (nothing.usage.prompt, nothing.cost.api_usd) == (0, 0)


def test_only_a_server_that_cannot_count_is_not_asked_again(
    claude: ClaudeModel, server: MessagesServer
) -> None:
    request = Request((UserMessage("word " * 400),))
    server.crowded = True
    assert claude.count_request(request) is None
    server.crowded = False
    assert claude.count_request(request)
    server.counts = False
    assert claude.count_request(request) is None
    server.counts = True
    assert claude.count_request(request) is None
    assert server.paths == [COUNT] * 3
