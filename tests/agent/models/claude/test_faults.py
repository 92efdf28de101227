"""What goes wrong on the way to Claude, each with one line that says what to do."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

import pytest

from agent import events
from agent.errors import (
    AccessRefused,
    ConnectionLost,
    ContextOverflow,
    CreditSpent,
    ModelError,
    ModelMissing,
    NoSuchModel,
    RateLimited,
    RequestRefused,
    ServerFailed,
    ServerSilent,
    Unreachable,
)
from agent.events import Event, Status, TurnFinished
from agent.loop import Agent
from agent.models.claude.access import Access, find_access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from agent.steering.free import Free
from tests.agent.models.claude.asking import OPENING, ask
from tests.agent.models.claude.messages_server import KEY, MessagesServer, Reply, call, text
from tools.base import Toolbox
from tools.files import WriteFile
from tools.workspace import Workspace

SONNET = "claude-sonnet-5-5"
WRITE = Reply([text("I write."), call("write_file", path="new.txt", content="x\n")], "tool_use")


def failing(status: int, kind: str, said: str = "Said.", code: str | None = None) -> Reply:
    return Reply(status=status, error=(kind, said, code))


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (failing(400, "invalid_request_error"), RequestRefused, "does not take the request: Said."),
        (
            failing(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            ContextOverflow,
            "longer than the window",
        ),
        (failing(401, "authentication_error"), AccessRefused, "agent keys set ANTHROPIC_API_KEY"),
        (failing(402, "billing_error"), CreditSpent, "Add credit"),
        (
            failing(400, "invalid_request_error", "Over.", "enforced_spend_limit_reached"),
            CreditSpent,
            "raise the limit",
        ),
        (failing(403, "permission_error"), AccessRefused, f"may not use {SONNET}"),
        (failing(404, "not_found_error"), NoSuchModel, "take --model"),
        (failing(413, "request_too_large"), RequestRefused, "begin a new conversation"),
        (failing(429, "rate_limit_error"), RateLimited, "rate limit"),
        (failing(500, "api_error"), ServerFailed, "out of order"),
        (failing(504, "timeout_error"), ServerFailed, "in time"),
        (failing(529, "overloaded_error"), ServerFailed, "overloaded"),
        (failing(502, "gateway", "<html>"), ServerFailed, "out of order"),
    ],
)
def test_every_status_has_its_error(
    claude: ClaudeModel, server: MessagesServer, reply: Reply, kind: type[ModelError], says: str
) -> None:
    server.replies = [reply]
    with pytest.raises(kind, match=re.escape(says)) as caught:
        ask(claude)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert caught.value.transient == (kind in (RateLimited, ServerFailed))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (("overloaded_error", "Overloaded", None), ServerFailed),
        (("rate_limit_error", "Slow down", None), RateLimited),
        (("billing_error", "Out of credit", None), CreditSpent),
    ],
)
def test_an_error_in_the_middle_of_a_stream(
    claude: ClaudeModel,
    server: MessagesServer,
    error: tuple[str, str, str | None],
    kind: type[ModelError],
) -> None:
    server.replies = [Reply([text("Half.")], fail_after=4, error=error)]
    with pytest.raises(kind):
        ask(claude)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("events", range(0, 10, 3))
def test_a_message_without_its_end_is_none(
    claude: ClaudeModel, server: MessagesServer, events: int, half: bool
) -> None:
    server.replies = [Reply(WRITE.blocks, "tool_use", events=events, half_event=half)]
    with pytest.raises(ConnectionLost):
        ask(claude)


def test_a_server_that_says_nothing_any_more(server: MessagesServer) -> None:
    stall = threading.Event()
    server.replies = [Reply([text("Half.")], stall=stall)]
    model = ClaudeModel(SONNET, Wire(Access(KEY), server.address, silence=0.2))
    with pytest.raises(ServerSilent):
        ask(model)
    stall.set()
    model.close()


def test_a_wrong_key(server: MessagesServer) -> None:
    model = ClaudeModel(SONNET, Wire(Access("wrong"), server.address))
    with pytest.raises(AccessRefused, match="Check ANTHROPIC_API_KEY"):
        ask(model)
    model.close()


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        model = ClaudeModel(SONNET, Wire(Access(KEY), address))
        with pytest.raises(Unreachable, match="cannot be reached: check the network"):
            ask(model)
        model.close()
        unknown = ClaudeModel("claude-unheard-of", Wire(Access(KEY), address))
        with pytest.raises(Unreachable):
            unknown.learn()
        unknown.close()


def test_what_is_sent_after_a_key_is_missing(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    with pytest.raises(ModelMissing, match="export ANTHROPIC_API_KEY=…` or `agent keys set"):
        find_access(home, home.get)
    token = {**home, "ANTHROPIC_AUTH_TOKEN": "t"}
    assert find_access(token, token.get) == Access("t", is_token=True)
    assert find_access(token, {"ANTHROPIC_API_KEY": "k"}.get) == Access("k")
    (tmp_path / ".config/anthropic/configs").mkdir(parents=True)
    assert find_access(home, home.get) == Access()


def turn(server: MessagesServer, tmp_path: Path, cancel: threading.Event | None = None) -> Turn:
    model = ClaudeModel(SONNET, Wire(Access(KEY), server.address))
    workspace = Workspace(tmp_path)
    toolbox = Toolbox.of([WriteFile(workspace)])
    agent = Agent(model, toolbox, workspace, Free(workspace, toolbox.specs, None, False))
    started = time.monotonic()
    seen: list[Event] = []
    for event in agent.run("Write new.txt.", cancel or threading.Event()):
        seen.append(event)
        if cancel is not None and isinstance(event, events.Waiting):
            started = time.monotonic()
            cancel.set()
    model.close()
    return Turn(seen, time.monotonic() - started)


class Turn:
    """A turn that has ended."""

    def __init__(self, seen: list[Event], seconds: float) -> None:
        self.seconds = seconds
        self.notices = [event.text for event in seen if isinstance(event, events.Notice)]
        self.waits = [event.seconds for event in seen if isinstance(event, events.Waiting)]
        self.tools = [event for event in seen if isinstance(event, events.ToolStarted)]
        last = seen[-1]
        assert isinstance(last, TurnFinished)
        self.end = last


def test_what_fails_for_a_while_is_asked_again(server: MessagesServer, tmp_path: Path) -> None:
    server.replies = [
        failing(529, "overloaded_error"),
        Reply(WRITE.blocks, "tool_use", events=11),
        Reply(status=429, error=("rate_limit_error", "Slow", None), headers={"retry-after": "1.2"}),
        WRITE,
        Reply([text("Done.")]),
    ]
    done = turn(server, tmp_path)
    assert done.end.status is Status.UNVERIFIED
    assert (tmp_path / "new.txt").read_text() == "x\n"
    assert len(done.tools) == 1
    assert [note.split(".")[0] for note in done.notices] == [
        "Claude is overloaded",
        "The answer of 127",
        "Claude's rate limit is reached: it wants 1 s of rest",
    ]
    assert "Asking again in 1.2 s." in done.notices[2]
    assert len(done.waits) >= 4
    assert len(server.bodies) == 5


def test_a_server_that_drops_every_connection_keeps_the_work(
    server: MessagesServer, tmp_path: Path
) -> None:
    server.replies = [WRITE, *[Reply(events=0)] * 9]
    done = turn(server, tmp_path)
    assert len(server.bodies) == 1 + 4
    assert done.seconds < 20
    assert done.end.status is Status.MODEL_FAILED
    assert done.end.summary == f"The answer of {server.address[7:]} broke off."
    assert (tmp_path / "new.txt").exists()
    assert "new.txt" in done.end.changed


@pytest.mark.parametrize(
    "reply",
    [
        failing(402, "billing_error"),
        failing(401, "authentication_error"),
        Reply(status=429, error=("rate_limit_error", "Slow", None), headers={"retry-after": "900"}),
    ],
)
def test_what_waiting_does_not_mend_is_asked_once(
    server: MessagesServer, tmp_path: Path, reply: Reply
) -> None:
    server.replies = [reply]
    done = turn(server, tmp_path)
    assert len(server.bodies) == 1
    assert done.end.status is Status.MODEL_FAILED
    assert done.notices == []


def test_cancelling_while_it_waits(server: MessagesServer, tmp_path: Path) -> None:
    slow = {"retry-after": "30"}
    server.replies = [Reply(status=429, error=("rate_limit_error", "Slow", None), headers=slow)]
    done = turn(server, tmp_path, threading.Event())
    assert done.end.status is Status.INTERRUPTED
    assert done.seconds < 0.2


def test_cancelling_before_anything_has_come_hangs_up() -> None:
    cancel = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        model = ClaudeModel(SONNET, Wire(Access(KEY), address))
        threading.Timer(0.1, cancel.set).start()
        started = time.monotonic()
        ask(model, OPENING, cancel=cancel)
        assert time.monotonic() - started < 2  # the server would wait for longer
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(5)
            while connection.recv(65536):
                pass  # what was asked; then the end
    model.close()
