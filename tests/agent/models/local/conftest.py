"""The smallest model of the catalogue, for tests that need real weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.models.base import ModelSpec
from agent.models.catalogue import Catalogue
from agent.models.local.model import LocalModel

SMALLEST = "smollm2-135m"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The smallest model's file, where `agent models pull` put it."""
    pytest.importorskip("llama_cpp")
    catalogue = Catalogue.load()
    path = catalogue.on_disk(catalogue.find(SMALLEST))
    if path is None:
        pytest.skip(f"needs `agent models pull {SMALLEST}`")
    return path


@pytest.fixture(scope="module")
def model(weights: Path) -> Iterator[LocalModel]:
    """One running model for a module's tests that do it no harm."""
    with LocalModel(weights, ModelSpec(SMALLEST, 2048), context=2048) as made:
        yield made


@pytest.fixture
def open_model(weights: Path) -> Iterator[Callable[..., LocalModel]]:
    """Makes models that are closed when the test ends."""
    made: list[LocalModel] = []

    def make(path: Path = weights, *, context: int = 2048, silence: float = 60.0) -> LocalModel:
        made.append(
            LocalModel(path, ModelSpec(SMALLEST, context), context=context, silence=silence)
        )
        return made[-1]

    yield make
    for model in made:
        model.close()
