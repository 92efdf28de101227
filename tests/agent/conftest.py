"""The repository that tests of an agent work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.garage import Garage


@pytest.fixture
def garage(tmp_path: Path) -> Garage:
    return Garage.at(tmp_path / "repository")
