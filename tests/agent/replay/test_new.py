"""Instances that are made from the history of a real repository."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from agent.errors import InputError
from agent.replay.instance import RepositoryTask
from agent.replay.new import NewOptions, make_instance
from agent.replay.sources.loading import load
from tools.process import clean_environment

WRONG = "def add(a, b):\n    return a - b\n\n\ndef one():\n    return 1\n"
RIGHT = WRONG.replace("a - b", "a + b")
TEST = "from calc import one\n\n\ndef test_one():\n    assert one() == 1\n"
MORE = """\
from calc import add, one
import pytest


def test_one():
    assert one() == 1


@pytest.mark.parametrize("a", [1, 2])
def test_add(a):
    assert add(a, 1) == a + 1
"""


def git(folder: Path, *argv: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *argv],
        cwd=folder,
        env=clean_environment({"GIT_CONFIG_GLOBAL": "/dev/null"}),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(folder: Path, message: str, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "proj"
    root.mkdir()
    git(root, "init", "-q")
    (root / "pytest.ini").write_text("[pytest]\n")
    commit(root, "first", calc=WRONG, test_calc=TEST)
    return root


def options(repository: Path, commit: str) -> NewOptions:
    return NewOptions(commit, repository, repository.parent / "own.jsonl")


def test_a_fix_becomes_an_instance_that_is_read_back(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")
    fixed = commit(repository, "add adds\n\nIt subtracted.", calc=RIGHT, test_calc=MORE)
    make_instance(options(repository, "HEAD"), Event())
    (instance,) = load(str(repository.parent / "own.jsonl")).instances
    assert instance.id == f"proj-{fixed[:10]}"
    assert instance.problem == "add adds\n\nIt subtracted."
    task = instance.task
    assert isinstance(task, RepositoryTask)
    assert (task.repo, task.base_commit) == (str(repository), before)
    assert "calc.py" in task.patch
    assert "test_calc.py" not in task.patch
    assert "+    return a + b" in task.patch
    assert "test_calc.py" in task.test_patch
    assert task.fail_to_pass == ("test_calc.py::test_add[1]", "test_calc.py::test_add[2]")
    # Before the fix the test file cannot be told apart but by running it: `one` passes in both.
    assert task.pass_to_pass == ("test_calc.py::test_one",)
    (recipe,) = task.recipes
    assert recipe.test.endswith("-rA -p no:cacheprovider test_calc.py")
    assert any(each.startswith("pytest==") for each in recipe.requirements)
    assert git(repository, "status", "--porcelain") == ""


def test_what_the_tests_ran_with_is_pinned(repository: Path) -> None:
    using = f"import jinja2\n{RIGHT}"
    commit(repository, "add adds", calc=using, test_calc=MORE)
    make_instance(options(repository, "HEAD"), Event())
    (instance,) = load(str(repository.parent / "own.jsonl")).instances
    assert isinstance(instance.task, RepositoryTask)
    names = [pin.partition("==")[0] for pin in instance.task.recipes[0].requirements]
    assert {"jinja2", "markupsafe", "pytest", "pluggy"} <= set(names)
    assert "anthropic" not in names


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in a virtual environment")
def test_all_of_an_environment_of_its_own_is_pinned(repository: Path) -> None:
    commit(repository, "add adds", calc=RIGHT, test_calc=MORE)
    (repository / ".venv").symlink_to(sys.prefix)
    make_instance(options(repository, "HEAD"), Event())
    (instance,) = load(str(repository.parent / "own.jsonl")).instances
    assert isinstance(instance.task, RepositoryTask)
    (recipe,) = instance.task.recipes
    assert recipe.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert len(recipe.requirements) > 20
    assert not any(pin.startswith("pip==") for pin in recipe.requirements)


def test_the_issue_and_the_id_can_be_given_and_a_second_one_is_added(repository: Path) -> None:
    commit(repository, "add adds", calc=RIGHT, test_calc=MORE)
    issue = repository.parent / "ISSUE.md"
    issue.write_text("Sums are wrong.\n")
    wanted = options(repository, "HEAD")
    make_instance(wanted, Event())
    make_instance(replace(wanted, issue=issue, id="sums"), Event())
    loaded = load(str(wanted.output))
    assert [each.id for each in loaded.instances][1] == "sums"
    assert loaded.instances[1].problem == "Sums are wrong."
    with pytest.raises(InputError, match="has sums already"):
        make_instance(replace(wanted, id="sums"), Event())
    assert len(load(str(wanted.output)).instances) == 2


def test_where_nothing_flips_there_is_no_instance(repository: Path) -> None:
    commit(repository, "words", calc=f"{WRONG}\n# sums\n", test_calc=f"{TEST}\n\n# sums\n")
    wanted = options(repository, "HEAD")
    with pytest.raises(InputError, match="No test fails before HEAD and passes after"):
        make_instance(wanted, Event())
    assert not wanted.output.exists()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"calc": RIGHT}, "changes no tests"),
        ({"test_calc": MORE}, "changes nothing but tests"),
    ],
)
def test_a_fix_needs_tests_and_code(
    repository: Path, files: dict[str, str], complaint: str
) -> None:
    commit(repository, "half", **files)
    with pytest.raises(InputError, match=complaint):
        make_instance(options(repository, "HEAD"), Event())


@pytest.mark.parametrize("name", ["nothing", "--help", "HEAD~7", "HEAD:calc.py"])
def test_a_commit_that_is_not_there_is_named(repository: Path, name: str) -> None:
    with pytest.raises(InputError, match="There is no commit"):
        make_instance(options(repository, name), Event())


def test_the_first_commit_has_nothing_before_it(repository: Path) -> None:
    with pytest.raises(InputError, match="first commit"):
        make_instance(options(repository, "HEAD"), Event())


def test_what_the_repository_configures_is_not_run(repository: Path) -> None:
    commit(repository, "add adds", calc=RIGHT, test_calc=MORE)
    trace = repository.parent / "ran"
    (repository / ".git" / "info" / "attributes").write_text("*.py filter=x diff=x\n")
    git(repository, "config", "filter.x.smudge", f"touch {trace}; cat")
    git(repository, "config", "diff.x.textconv", f"touch {trace}; cat")
    git(repository, "config", "core.fsmonitor", f"touch {trace}")
    make_instance(options(repository, "HEAD"), Event())
    assert not trace.exists()
