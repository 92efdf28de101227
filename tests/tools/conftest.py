"""What the tests of watched commands begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.watching import Session, opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def session(root: Path, tmp_path: Path) -> Iterator[Session]:
    with opened(root, tmp_path) as made:
        yield made
