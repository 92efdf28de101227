"""Repositories of every kind, and the command that each one's tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.interpreters import python_for
from tools.testing.commands import Runner, TestCommand, missing_program, parse_command, startable
from tools.testing.find_tests import find_command, is_test_path

PYTEST_TEST = "def test_a():\n    assert True\n"
UNITTEST_TEST = "import unittest\n\n\nclass A(unittest.TestCase):\n    def test_a(self): pass\n"


def find(root: Path, files: dict[str, str]) -> TestCommand | None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return find_command(root, sorted(files))


def environment(root: Path, name: str, *modules: str) -> Path:
    """A virtual environment as far as its files tell."""
    folder = root / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    for module in modules:
        (folder / "lib" / "python3.11" / "site-packages" / module).mkdir(parents=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize(
    ("files", "origin"),
    [
        ({"pytest.ini": ""}, "pytest.ini"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-x'\n"}, "pyproject.toml"),
        ({"setup.cfg": "[tool:pytest]\n"}, "setup.cfg"),
        ({"tox.ini": "[pytest]\n"}, "tox.ini"),
        ({"conftest.py": "", "tests/test_a.py": PYTEST_TEST}, "conftest.py"),
        ({"tests/test_a.py": PYTEST_TEST, "Makefile": "test:\n\ttrue\n"}, "tests/test_a.py"),
        ({"a_test.py": "import pytest\n"}, "a_test.py"),
        ({"tests/test_a.py": "class TestA:\n    def test_b(self): pass\n"}, "tests/test_a.py"),
        ({"tests/tests.py": UNITTEST_TEST}, "tests/tests.py"),
    ],
)
def test_pytest_is_found(tmp_path: Path, files: dict[str, str], origin: str) -> None:
    command = find(tmp_path, files)
    assert command is not None
    assert command.runner is Runner.PYTEST
    assert command.argv[1:3] == ("-m", "pytest")
    assert command.origin == f"found: {origin}"


@pytest.mark.parametrize(
    ("files", "argv"),
    [
        ({"Makefile": "all:\n\ntest: all\n\ttrue\n"}, ("make", "test")),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, ("npm", "test")),
        (
            {"package.json": '{"scripts": {"test": "vitest"}}', "pnpm-lock.yaml": ""},
            ("pnpm", "test"),
        ),
        ({"Cargo.toml": ""}, ("cargo", "test")),
        ({"go.mod": "", "a_test.go": ""}, ("go", "test", "./...")),
        (
            {"tox.ini": "[testenv]\ncommands =\n  pip check\n  ./runtests.sh {posargs:all}\n"},
            ("./runtests.sh", "all"),
        ),
    ],
)
def test_other_runners_are_found(
    tmp_path: Path, files: dict[str, str], argv: tuple[str, ...]
) -> None:
    command = find(tmp_path, files)
    assert command is not None
    assert command.argv == argv
    assert command.runner is Runner.OTHER


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.py": "x = 1\n"},
        {"test_data.py": "ROWS = [1]\n"},
        {"pyproject.toml": "[project]\nname = 'a'\n"},
        {"pyproject.toml": "broken ="},
        {"tox.ini": "not an ini file"},
        {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'},
        {"package.json": "[1"},
        {"Makefile": "test := 1\n"},
        {"node_modules/x/test_a.py": PYTEST_TEST},
        {"go.mod": ""},
    ],
)
def test_nothing_is_found(tmp_path: Path, files: dict[str, str]) -> None:
    assert find(tmp_path, files) is None


def test_own_environment_comes_first(tmp_path: Path) -> None:
    own = environment(tmp_path, ".venv", "pytest")
    command = find(tmp_path, {"test_a.py": PYTEST_TEST})
    assert command is not None
    assert startable(command, tmp_path).argv == (str(own), "-m", "pytest")


def test_a_python_with_pytest_is_looked_for_when_the_tests_run(tmp_path: Path) -> None:
    command = find(tmp_path, {"tox.ini": "[testenv]\ncommands = {envpython} runtests.py\n"})
    assert command is not None
    assert command.argv == ("python", "runtests.py")
    argv = startable(command, tmp_path).argv
    assert argv[1:] == command.argv[1:]
    assert subprocess.run([argv[0], "-c", "import pytest"], check=False).returncode == 0


def test_own_environment_is_judged_without_running_it(tmp_path: Path) -> None:
    own = environment(tmp_path, ".venv", "pytest")
    own.unlink()
    own.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    own.chmod(0o755)
    command = find(tmp_path, {"test_a.py": PYTEST_TEST})
    assert command is not None
    assert startable(command, tmp_path).argv[0] == str(own)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["pytest -q", "python runtests.py"])
def test_an_active_environment_in_the_tree_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    own = environment(tmp_path, "environment", "requests")
    for name in ("python", "python3"):
        (own.parent / name).unlink(missing_ok=True)
        (own.parent / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/fired\n")
        (own.parent / name).chmod(0o755)
    monkeypatch.setenv("VIRTUAL_ENV", str(own.parents[1]))
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    (tmp_path / "runtests.py").write_text("")
    found = find(tmp_path, {"tox.ini": f"[testenv]\ncommands = {text}\n"})
    assert found is not None
    for command in (found, parse_command(text)):
        missing_program(command, tmp_path)
        startable(command, tmp_path)
    python, _ = python_for(tmp_path)
    assert not Path(python).is_relative_to(tmp_path)
    assert not (tmp_path / "fired").exists()


def test_code_of_the_tree_does_not_start_with_a_python_that_has_it_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = tmp_path / "root", tmp_path / "environment"
    root.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    (place,) = other.glob("lib/python*/site-packages")
    for name in ("pytest", "copied"):
        (place / f"{name}.py").write_text("")
    (place / "editable.pth").write_text(f"{root}\nimport editable\n")
    (root / "editable.py").write_text(f"open({str(tmp_path / 'fired')!r}, 'w')\n")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", f"{other}/bin:{os.environ['PATH']}")
    python, installed = python_for(root, ("copied", "editable"))
    assert python == str(other / "bin" / "python3")
    assert installed == {name: str(place / f"{name}.py") for name in ("pytest", "copied")}
    assert not (tmp_path / "fired").exists()
    subprocess.run([python, "-c", ""], check=True)
    assert (tmp_path / "fired").exists()


def test_unittest_where_the_environment_has_no_pytest(tmp_path: Path) -> None:
    own = environment(tmp_path, "venv", "requests")
    command = find(tmp_path, {"tests/test_a.py": UNITTEST_TEST})
    assert command is not None
    assert command.runner is Runner.UNITTEST
    assert command.argv == (str(own), "-m", "unittest", "discover", "-s", "tests")


def test_source_folder(tmp_path: Path) -> None:
    files = {"src/pkg/__init__.py": "", "tests/test_a.py": PYTEST_TEST}
    command = find(tmp_path, files)
    assert command is not None
    assert command.sources == ("src",)
    configured = find(tmp_path, {**files, "pytest.ini": "[pytest]\npythonpath = src\n"})
    assert configured is not None
    assert configured.sources == ()


def test_source_folder_of_an_installed_copy_stays_out(tmp_path: Path) -> None:
    environment(tmp_path, ".venv", "pytest", "pkg")
    files = {"src/pkg/__init__.py": "", "tests/test_a.py": PYTEST_TEST}
    command = find(tmp_path, files)
    assert command is not None
    assert startable(command, tmp_path).sources == ()
    more = find(tmp_path, {**files, "src/other.py": ""})
    assert more is not None
    assert startable(more, tmp_path).sources == ("src",)


@pytest.mark.parametrize(
    ("text", "runner"),
    [
        ("pytest", Runner.PYTEST),
        ("python -m pytest -x tests", Runner.PYTEST),
        ("python3.12 -X dev -m pytest", Runner.PYTEST),
        ("uv run --frozen pytest", Runner.PYTEST),
        ("coverage run -m pytest", Runner.PYTEST),
        (".venv/bin/pytest", Runner.PYTEST),
        ("python -m unittest discover -s tests", Runner.UNITTEST),
        ("python manage.py test -v 2", Runner.UNITTEST),
        ("make test", Runner.OTHER),
        ("grep -r pytest", Runner.OTHER),
        ("python runtests.py", Runner.OTHER),
        ("python manage.py migrate", Runner.OTHER),
    ],
)
def test_a_users_command_is_recognised(text: str, runner: Runner) -> None:
    command = parse_command(text)
    assert command.runner is runner
    assert str(command) == text
    assert command.origin == "--test-command"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "check.sh").write_text("true\n")
    for text in ("./check.sh", "pytest -q", "sh check.sh", f"{sys.executable} -m pytest"):
        assert missing_program(parse_command(text), tmp_path) == ""
    assert missing_program(parse_command("no-such-program -q"), tmp_path) == "no-such-program"
    assert missing_program(parse_command("./no.sh"), tmp_path) == "./no.sh"


def test_assignments_before_a_command_are_its_environment() -> None:
    command = parse_command("A=1 B='x y' pytest -q")
    assert command.env == (("A", "1"), ("B", "x y"))
    assert command.argv == ("pytest", "-q")


@pytest.mark.parametrize("text", ["", "A=1", "pytest 'open", "cd a && pytest", "pytest | tail"])
def test_a_command_that_cannot_be_used(text: str) -> None:
    with pytest.raises(ToolError):
        parse_command(text)


def test_which_paths_are_tests() -> None:
    tests = ["tests/data.json", "a/test_b.py", "conftest.py", "b_test.go", "c.spec.ts", "tests.py"]
    assert all(map(is_test_path, tests))
    assert not any(map(is_test_path, ["a.py", "src/contest.py", "numpy/testing.py", "latest.py"]))
