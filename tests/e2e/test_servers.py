"""`agent fix` with models that servers answer for."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest

from tests.agent.models.server.servers import (
    Answering,
    Json,
    Reply,
    call,
    called,
    error,
    in_turn,
    models,
    ollama,
    ollama_line,
    said,
    serving,
)
from tests.e2e.command import Agent

CHAT = "/v1/chat/completions"
EDIT = json.dumps({"path": "app.py", "old": "return 1", "new": "return 2"})


def repair() -> Answering:
    """What a model answers that reads the file and mends it after a broken try."""
    return in_turn(
        called(call("read_file", '{"path": "app.py"}', "c1")),
        called(call("edit", EDIT[:-9], "c2")),
        error(400, "tool_choice must be auto"),
        called(call("edit", EDIT, "c3")),
        said("It was off by one."),
    )


def test_a_model_of_a_server_repairs_a_repository(agent: Agent, plain: Path) -> None:
    with serving({"/v1/models": models("big-70b"), CHAT: repair()}) as server:
        done = agent.run("fix", "ISSUE.md", "--model", server.url, cwd=plain)
        assert done.code == 3, done.err  # there are no tests to verify it with
        assert "return 2" in (plain / "app.py").read_text()
        bodies = server.bodies(CHAT)
        asked = [body for body in bodies if "tool_choice" not in body]
        assert len(bodies) - len(asked) == 1
        for before, after in itertools.pairwise(asked):
            assert after["messages"][: len(before["messages"])] == before["messages"]
            assert after["tools"] == before["tools"]
        assert [path for path, _ in server.asked if path != CHAT] == ["/v1/models"]
        shown = agent.run("models", "show", server.url, cwd=plain)
        assert "2 native, 0 in the text, 1 of 3 (33%) malformed" in shown.out


def test_the_same_with_tools_as_text(agent: Agent, plain: Path) -> None:
    code = "```python\ndef value():\n    return 2\n```"
    fix = f'<call tool="write_file" path="app.py">\n{code}\n</call>'
    replies = in_turn(
        error(400, "this model does not support tools"),
        said('I read it first.\n<call tool="read_file" path="app.py">\n</call>'),
        said(fix),
        said("It was off by one."),
    )
    with serving({"/v1/models": models("big-70b"), CHAT: replies}) as server:
        done = agent.run("fix", "ISSUE.md", "--model", server.url, cwd=plain)
        assert done.code == 3, done.err  # there are no tests to verify it with


def test_a_small_model_of_a_server_is_guided(agent: Agent, plain: Path) -> None:
    answer = said("It is off by one.\n```python\ndef value():\n    return 2\n```")
    with serving({"/v1/models": models("small-3b"), CHAT: in_turn(answer)}) as server:
        done = agent.run("fix", "ISSUE.md", "--model", server.url, cwd=plain)
        assert done.code == 3, done.err  # there are no tests to verify it with
        assert ", guided, in " in done.err
        assert "tools" not in server.bodies(CHAT)[0]


@pytest.mark.parametrize("path", ["/v1/models", CHAT])
def test_a_server_that_drops_every_connection(agent: Agent, plain: Path, path: str) -> None:
    routes: dict[str, Answering] = {
        "/v1/models": models("big"),
        path: lambda body: Reply(drop=True),
    }
    with serving(routes) as server:
        started = time.monotonic()
        done = agent.run("fix", "ISSUE.md", "--model", server.url, cwd=plain)
        assert time.monotonic() - started < 20
        assert done.code == 6
        assert 1 <= len(server.bodies(path)) <= 4
    last = (done.out or done.err).splitlines()[0]
    assert "closed the connection without an answer" in last


@pytest.mark.parametrize(
    ("routes", "more", "code", "told"),
    [
        ({}, "", 5, "name one"),
        ({"/v1/models": models("a", "b")}, "", 5, "a, b"),
        ({"/v1/models": models("a", "b")}, "#c", 5, "no model named 'c'"),
        ({"/v1/models": lambda body: error(401, "no")}, "", 6, "key"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    agent: Agent, plain: Path, routes: dict[str, Answering], more: str, code: int, told: str
) -> None:
    with serving(routes) as server:
        done = agent.run("fix", "ISSUE.md", "--model", f"{server.url}{more}", cwd=plain)
    assert done.code == code
    assert told in done.complaint


@pytest.mark.parametrize(
    ("model", "told", "code"),
    [
        ("http://127.0.0.1:9", "There is no server at http://127.0.0.1:9: start it", 6),
        ("ollama:some:7b", "start it with `ollama serve`", 6),
        ("http://", "is no address of a server", 2),
    ],
)
def test_a_server_that_is_not_there_is_one_line(
    agent: Agent, plain: Path, model: str, told: str, code: int
) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", model, cwd=plain, OLLAMA_HOST="127.0.0.1:9")
    assert done.code == code
    assert told in done.complaint


def test_a_server_that_wants_to_be_left_alone_is(agent: Agent, plain: Path) -> None:
    replies = in_turn(error(429, "slow", Retry_After="1.5"), said("No."))
    with serving({"/v1/models": models("big"), CHAT: replies}) as server:
        done = agent.run("fix", "ISSUE.md", "--model", server.url, "--json", cwd=plain)
    waits = [
        e["seconds"] for e in map(json.loads, done.out.splitlines()) if e["event"] == "waiting"
    ]
    assert waits == [pytest.approx(1.5, abs=0.2), pytest.approx(0.5, abs=0.2)]
    assert "too many requests: slow. Asking again in 1.5 s." in done.out


def test_a_window_that_is_cut_in_silence_ends_the_turn(agent: Agent, plain: Path) -> None:
    (plain / "notes.txt").write_text("one more line about the value\n" * 400)
    read = call("read_file", '{"path": "notes.txt"}', "c1")

    def answer(body: Json) -> Reply:
        return called(read, prompt=700)

    with serving({"/v1/models": models("big"), CHAT: answer}) as server:
        done = agent.run("fix", "ISSUE.md", "--model", server.url, cwd=plain)
    assert done.code == 6
    assert "its window is too small" in done.out


def test_ollama_repairs_a_repository(agent: Agent, plain: Path) -> None:
    edit = {"function": {"name": "edit", "arguments": json.loads(EDIT)}}
    routes = ollama(
        Reply([ollama_line(False, content="", tool_calls=[edit]), ollama_line(content="")]),
        Reply([ollama_line(content="It was off by one.")]),
    )
    with serving(routes) as server:
        done = agent.run(
            "fix", "ISSUE.md", "--model", "ollama:big:70b", cwd=plain, OLLAMA_HOST=server.url
        )
        assert done.code == 3, done.err  # there are no tests to verify it with
        assert server.bodies("/api/chat")[0]["options"]["num_ctx"] == 8192
