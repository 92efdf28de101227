"""`agent fix --model claude`: the whole command against the Messages API on the loopback."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.agent.models.claude.messages_server import (
    KEY,
    MessagesServer,
    Reply,
    call,
    serve,
    text,
    thinking,
)
from tests.e2e.command import Agent

PATH = "billing/invoice.py"
WRONG = "return percent(self.subtotal(), self.tax_rate)"
RIGHT = "return percent(self.subtotal() - self.discount(), self.tax_rate)"
REPAIR = (
    Reply([thinking("Tax first."), text("I look."), call("read_file", path=PATH)], "tool_use"),
    Reply([call("edit", path=PATH, old=WRONG, new=RIGHT)], "tool_use"),
    Reply([call("run_tests")], "tool_use"),
    Reply([text("The tax was taken before the discount.")]),
)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with serve(MessagesServer()) as serving:
        yield serving


def reached(server: MessagesServer, key: str = KEY) -> Mapping[str, str]:
    return {"ANTHROPIC_BASE_URL": server.address, "ANTHROPIC_API_KEY": key}


def record(agent: Agent) -> list[dict[str, Any]]:
    (found,) = (agent.home / "state" / "sessions").glob("*/record.jsonl")
    return [json.loads(line) for line in found.read_text("utf-8").splitlines()]


def test_a_repair(agent: Agent, formula: Path, server: MessagesServer) -> None:
    server.replies = list(REPAIR)
    done = agent.run("fix", "ISSUE.md", "--model", "claude", cwd=formula, **reached(server))
    assert done.code == 0, done.err
    assert "4 tests failed and pass now" in done.out
    assert "Tax first.\nI look.\n" in done.err
    assert server.refused == []
    assert server.paths == ["/v1/messages"] * 4
    assert server.bodies[0]["model"] == "claude-sonnet-5-5"
    # The first request does not wait for the SDK's import, and is not made twice.
    assert [name.split("/")[0] for name in server.agents] == ["parity-agent", *["Anthropic"] * 3]
    said = [line["message"] for line in record(agent) if line["event"] == "said"]
    assert all(
        message["provider"] and message["model"] == "claude-sonnet-5-5"
        for message in said
        if message["role"] == "assistant"
    )
    used = [line["usage"] for line in record(agent) if line["event"] == "step_finished"]
    assert [usage["reused"] for usage in used[1:]] == [usage["prompt"] for usage in used[:-1]]


def test_every_piece_of_an_answer_is_an_event(
    agent: Agent, plain: Path, server: MessagesServer
) -> None:
    written = call("write_file", path="new.py", content="x = 1\n")
    server.replies = [Reply([written], "tool_use"), Reply(status=529), Reply([text("Done.")])]
    command = ("fix", "ISSUE.md", "--model", "claude", "--json", "--effort", "low")
    done = agent.run(*command, cwd=plain, **reached(server))
    assert done.code == 3, done.err
    told = [json.loads(line) for line in done.out.splitlines()]
    assert {"wrote", "wrote_call", "waiting", "notice"} <= {event["event"] for event in told}
    assert {"wrote_call", "waiting"}.isdisjoint(line["event"] for line in record(agent))
    assert server.bodies[0]["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("model", "environ", "code", "says"),
    [
        ("claude", {"ANTHROPIC_API_KEY": ""}, 5, "export ANTHROPIC_API_KEY=…"),
        ("claude-opus-5-5", {"ANTHROPIC_API_KEY": KEY, "PARITY_THINKING": "no"}, 2, "thinks"),
        ("claude", {"ANTHROPIC_API_KEY": KEY, "PARITY_EFFORT": "huge"}, 2, "effort"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(
    agent: Agent, formula: Path, model: str, environ: Mapping[str, str], code: int, says: str
) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", model, cwd=formula, **environ)
    assert done.code == code
    assert says in done.complaint


@pytest.mark.parametrize(
    ("reply", "key", "says"),
    [
        (None, "wrong", "Check ANTHROPIC_API_KEY"),
        (Reply(status=402, error=("billing_error", "Empty", None)), KEY, "Add credit"),
        (Reply([text("No.")], "refusal", {"type": "refusal", "category": "bio"}), KEY, "(bio)"),
    ],
)
def test_what_the_server_refuses_is_one_line(
    agent: Agent, formula: Path, server: MessagesServer, reply: Reply | None, key: str, says: str
) -> None:
    server.replies = [reply] if reply else []
    done = agent.run("fix", "ISSUE.md", "--model", "claude", cwd=formula, **reached(server, key))
    assert done.code == 6
    verdict = done.out.splitlines()[0]
    assert verdict.startswith("model failed: ")
    assert says in verdict


def test_a_model_that_nobody_has_is_missing(
    agent: Agent, formula: Path, server: MessagesServer
) -> None:
    """A name that is not known is asked for at once; one that is, when the API refuses it."""
    command = ("fix", "ISSUE.md", "--model")
    unknown = agent.run(*command, "claude-haiku-99", cwd=formula, **reached(server))
    assert unknown.code == 5
    assert "no model claude-haiku-99: take --model claude-haiku-5-5." in unknown.complaint
    server.replies = [Reply(status=404, error=("not_found_error", "model", None))]
    gone = agent.run(*command, "claude", cwd=formula, **reached(server))
    assert gone.code == 5
    assert gone.out.splitlines()[0].startswith("no model: There is no model claude-sonnet-5-5")


def test_interrupting_it_in_the_middle_of_an_answer(
    agent: Agent, formula: Path, server: MessagesServer
) -> None:
    stall = threading.Event()
    server.replies = [Reply([text("I am thinking about it.")], stall=stall)]
    running = Agent(agent.home, {**agent.environ, **reached(server)}, agent.started).start(
        "fix", "ISSUE.md", "--model", "claude", cwd=formula
    )
    running.until("I am thinki")
    os.kill(running.process.pid, signal.SIGINT)
    ended = running.end()
    stall.set()
    assert ended.code == 130


@pytest.mark.live
def test_a_repair_on_the_real_api(agent: Agent, formula: Path) -> None:
    key = os.environ.get("ANTHROPIC_API_KEY")
    if not key:
        pytest.skip("needs a real ANTHROPIC_API_KEY; costs a few cents")
    model = os.environ.get("PARITY_LIVE_MODEL", "claude")
    done = agent.run("fix", "ISSUE.md", "--model", model, "--max-steps", "12", "--effort", "low",
                     cwd=formula, ANTHROPIC_API_KEY=key)  # fmt: skip
    assert done.code == 0, done.err
    used = [line["usage"] for line in record(agent) if line["event"] == "step_finished"]
    assert len(used) >= 3
    assert all(usage["reused"] > 0 for usage in used[1:])
    assert used[0]["prompt"] <= 2200


def test_a_kept_key_is_used_and_never_told(
    agent: Agent, formula: Path, server: MessagesServer
) -> None:
    agent.run("keys", "set", "ANTHROPIC_API_KEY", cwd=formula, stdin=KEY)
    server.replies = [Reply([text(f"The key is {KEY}.")])]
    done = agent.run(
        "fix", "-", "--model", "claude", "--json", cwd=formula, stdin=f"Use {KEY}.",
        ANTHROPIC_BASE_URL=server.address,
    )  # fmt: skip
    assert server.refused == []
    told = (json.dumps(server.bodies), done.out, done.err, json.dumps(record(agent)))
    assert all(KEY not in text for text in told)
    assert "The key is [redacted ANTHROPIC_API_KEY]." in done.out


def test_dollars_are_counted_and_limited(
    agent: Agent, formula: Path, server: MessagesServer
) -> None:
    server.replies = [Reply([text("I look."), call("read_file", path=PATH)], "tool_use")] * 4
    done = agent.run(
        "fix", "ISSUE.md", "--model", "claude", "--max-usd", "0.009", cwd=formula, **reached(server)
    )
    assert done.code == 4
    assert "The limit of $0.009 was reached" in done.out
    (last,) = [line for line in record(agent) if line["event"] == "turn_finished"]
    assert 0 < last["totals"]["cost"]["api_usd"] <= 0.009
    assert f" · ${last['totals']['cost']['api_usd']:.4f} · " in done.out
