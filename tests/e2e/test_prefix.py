"""Each request begins with the one before, byte for byte: within a turn, and when a new process
goes on with the conversation; and none is made beside them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from tests.agent.models.claude import messages_server as claude
from tests.agent.models.server.servers import call, called, in_turn, models, said, serving
from tests.e2e.command import Agent

Body = dict[str, Any]


def two_turns(agent: Agent, folder: Path, model: str, **environ: str) -> None:
    """Each of two steps, the second in a process of its own."""
    command = ("fix", "ISSUE.md", "--model", model)
    for more in ((), ("--resume", "last")):
        assert agent.run(*command, *more, cwd=folder, **environ).code == 3


def check(bodies: list[Body]) -> None:
    assert len(bodies) == 4
    for before, after in itertools.pairwise(bodies):
        for part in ("system", "tools"):
            assert json.dumps(after.get(part)) == json.dumps(before.get(part))
        known, now = plain(before["messages"]), plain(after["messages"])
        assert len(now) > len(known)
        assert now.startswith(known.removesuffix("]"))


def plain(messages: object) -> str:
    """Without the marks of the cache, which move and are no text."""
    return json.dumps(messages).replace(', "cache_control": {"type": "ephemeral"}', "")


def test_of_claude(agent: Agent, plain: Path) -> None:
    replies = [
        claude.Reply([claude.thinking("Hm."), claude.call("write_file", path=name, content="x\n")])
        for name in ("a.txt", "b.txt")
    ]
    done = claude.Reply([claude.text("Done.")])
    server = claude.MessagesServer([replies[0], done, replies[1], done])
    with claude.serve(server):
        environ = {"ANTHROPIC_BASE_URL": server.address, "ANTHROPIC_API_KEY": claude.KEY}
        two_turns(agent, plain, "claude", **environ)
    assert server.paths == ["/v1/messages"] * 4
    check(server.bodies)


def test_of_a_server(agent: Agent, plain: Path) -> None:
    first, second = (
        called(call("write_file", json.dumps({"path": name, "content": "x\n"}), name))
        for name in ("a.txt", "b.txt")
    )
    done, chat = said("Done."), "/v1/chat/completions"
    routes = {"/v1/models": models("big-70b"), chat: in_turn(first, done, second, done)}
    with serving(routes) as server:
        two_turns(agent, plain, server.url)
    assert {path for path, _ in server.asked} == {"/v1/models", chat}
    check(server.bodies(chat))
