"""One small repository and one cache for all: its environment is built once."""

from pathlib import Path

import pytest

from agent.replay.environments.local import LocalEnvironment
from tests.agent.replay.environments.little import Little, make_little


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Little:
    return make_little(tmp_path_factory.mktemp("mirrors"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def local(little: Little, cache: Path) -> LocalEnvironment:
    return LocalEnvironment(cache, [little.mirrors])
