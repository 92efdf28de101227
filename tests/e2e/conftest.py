"""The command with folders of its own, and repositories for it to work on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.models.catalogue import Catalogue
from tests.e2e.command import Agent
from tests.e2e.repositories import commit, example

SMALLEST = "smollm2-135m"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    home = tmp_path / "home"
    home.mkdir()
    tools = [Path(sys.executable).parent, "/usr/local/bin", "/usr/bin", "/bin"]
    if git := shutil.which("git"):
        tools.append(Path(git).parent)
    made = Agent(
        home,
        {
            "PATH": os.pathsep.join(map(str, tools)),
            "HOME": str(home),
            "PARITY_STATE": str(home / "state"),
            "PARITY_CONFIG": str(home / "config.toml"),
            "PARITY_MODELS": str(home / "models"),
            "OLLAMA_MODELS": str(home / "ollama"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "LC_ALL": "C.UTF-8",
        },
    )
    yield made
    for running in made.started:
        running.process.kill()
        running.end()


@pytest.fixture
def small_model(agent: Agent) -> str:
    """A model with real weights, in a models folder of the test's own."""
    pytest.importorskip("llama_cpp")
    catalogue = Catalogue.load()
    entry = catalogue.find(SMALLEST)
    weights = catalogue.on_disk(entry)
    if weights is None:
        pytest.skip(f"needs `agent models pull {SMALLEST}`")
    (agent.home / "models").mkdir()
    (agent.home / "models" / entry.file).symlink_to(weights.resolve())
    return SMALLEST


@pytest.fixture
def make_plain(tmp_path: Path) -> Callable[[str], Path]:
    """Makes small repositories without tests, whose issue `PLAIN_FIX` solves."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        (folder / "sub").mkdir(parents=True)
        (folder / "app.py").write_text("def value():\n    return 1\n")
        (folder / "notes.txt").write_text("one\n")
        (folder / ".gitignore").write_text("*.log\n")
        (folder / "ISSUE.md").write_text("# value() should be 2\n")
        return folder

    return make


@pytest.fixture
def plain(make_plain: Callable[[str], Path]) -> Path:
    return commit(make_plain("plain"))


@pytest.fixture
def formula(tmp_path: Path) -> Path:
    """`examples/wrong_formula`, which has tests that fail, in a repository."""
    return commit(example("wrong_formula", tmp_path / "formula"))
