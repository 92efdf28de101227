"""The example repositories themselves: each shows its fault, and each can be solved."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLD = Path(__file__).with_name("gold")


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    failing: int
    """Tests that fail before the repair."""
    files: int
    """Files that the repair must change."""


EXAMPLES = (
    Example("wrong_formula", failing=4, files=1),
    Example("off_by_one", failing=4, files=1),
    Example("unhandled_exception", failing=3, files=1),
    Example("two_files", failing=3, files=2),
    Example("four_files", failing=8, files=4),
)


def pytest_in(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=EXAMPLES, ids=lambda example: example.name)
def example(request: pytest.FixtureRequest) -> Example:
    found: Example = request.param
    return found


@pytest.fixture
def repository(example: Example, tmp_path: Path) -> Path:
    return shutil.copytree(ROOT / "examples" / example.name, tmp_path / "repository")


def test_the_issue_reads_like_one(example: Example) -> None:
    lines = (ROOT / "examples" / example.name / "ISSUE.md").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert 6 <= len(lines) <= 18


def test_some_tests_fail_and_some_pass_before(example: Example, repository: Path) -> None:
    run = pytest_in(repository)
    assert run.returncode == 1
    assert f"{example.failing} failed" in run.stdout
    assert " passed" in run.stdout


def test_the_known_repair_makes_all_pass(example: Example, repository: Path) -> None:
    patch = GOLD / f"{example.name}.patch"
    assert patch.read_text().count("\ndiff --git") == example.files - 1
    subprocess.run(["git", "apply", patch], cwd=repository, check=True)
    run = pytest_in(repository)
    assert run.returncode == 0, run.stdout


def test_every_example_is_listed() -> None:
    folders = {path.parent.name for path in (ROOT / "examples").glob("*/ISSUE.md")}
    assert folders == {example.name for example in EXAMPLES}
    readme = (ROOT / "examples" / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in folders)
