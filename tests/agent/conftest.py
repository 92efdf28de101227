"""The repository that tests of an agent work on, and sessions at work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agent.conversing import Place
from tests.agent.garage import Garage


@pytest.fixture
def garage(tmp_path: Path) -> Garage:
    return Garage.at(tmp_path / "repository")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in [name for name in os.environ if name.startswith("PARITY_")]:
        monkeypatch.delenv(name)
    home, root = tmp_path / "home", tmp_path / "root"
    home.mkdir()
    root.mkdir()
    monkeypatch.setenv("PARITY_STATE", str(home / "state"))
    monkeypatch.setenv("PARITY_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("HOME", str(home))
    (root / "a.txt").write_text("".join(f"line {number}\n" for number in range(9)))
    (root / "b.txt").write_text("b\n")
    return Place(home, root)
