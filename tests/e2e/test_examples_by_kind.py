"""Each example repaired with each kind of model that is not in this process.

A strong model's answers are played: the known repair's files, one call each.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.agent.models.claude import messages_server as claude
from tests.agent.models.server import servers
from tests.e2e.command import Agent
from tests.e2e.repositories import commit, example
from tests.e2e.test_examples import EXAMPLES, GOLD

Files = Mapping[str, tuple[str, str]]
"""By path, a text as it is and as it shall be."""
Reached = tuple[str, Mapping[str, str]]
"""What `--model` names, and the environment that it is reached by."""


@contextmanager
def messages_api(files: Files) -> Iterator[Reached]:
    played = claude.MessagesServer()
    edits = [claude.call("edit", path=path, old=old, new=new) for path, (old, new) in files.items()]
    played.replies = [
        claude.Reply(edits, "tool_use"),
        claude.Reply([claude.text("Mended.")]),
    ]
    with claude.serve(played) as server:
        yield "claude", {"ANTHROPIC_BASE_URL": server.address, "ANTHROPIC_API_KEY": claude.KEY}


@contextmanager
def chat_completions(files: Files) -> Iterator[Reached]:
    calls = [
        servers.call("edit", json.dumps({"path": path, "old": old, "new": new}), f"c{n}", n)
        for n, (path, (old, new)) in enumerate(files.items())
    ]
    replies = servers.in_turn(servers.called(*calls), servers.said("Mended."))
    routes = {"/v1/models": servers.models("big-70b"), "/v1/chat/completions": replies}
    with servers.serving(routes) as server:
        yield server.url, {}


@contextmanager
def ollama(files: Files) -> Iterator[Reached]:
    calls = [
        {"function": {"name": "edit", "arguments": {"path": path, "old": old, "new": new}}}
        for path, (old, new) in files.items()
    ]
    routes = servers.ollama(
        servers.Reply([servers.ollama_line(content="", tool_calls=calls)]),
        servers.Reply([servers.ollama_line(content="Mended.")]),
    )
    with servers.serving(routes) as server:
        yield "ollama:big:70b", {"OLLAMA_HOST": server.url}


@pytest.mark.parametrize("kind", [messages_api, chat_completions, ollama])
@pytest.mark.parametrize("name", [known.name for known in EXAMPLES])
def test_an_example_is_repaired(
    agent: Agent,
    tmp_path: Path,
    name: str,
    kind: Callable[[Files], AbstractContextManager[Reached]],
) -> None:
    folder = example(name, tmp_path / name)
    solved = shutil.copytree(folder, tmp_path / "solved")
    subprocess.run(["git", "apply", GOLD / f"{name}.patch"], cwd=solved, check=True)
    files: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        old, new = path.read_text(), (solved / relative).read_text()
        if old != new:
            files[relative.as_posix()] = (old, new)
    commit(folder)
    with kind(files) as (model, environ):
        done = agent.run("fix", "ISSUE.md", "--model", model, cwd=folder, **environ)
    assert done.code == 0, done.err
    assert "failed and pass now" in done.out
