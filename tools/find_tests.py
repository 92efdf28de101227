"""Which command runs a repository's tests, and with which interpreter.

Owns the search and the reading of a command that the user gives. Runs nothing that the repository
holds: its interpreters are judged by their files. Must not know how results are read.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from tools.base import ToolError
from tools.interpreters import environments, python_for
from tools.project_settings import pytest_settings, small_text


class Runner(StrEnum):
    """Whose output a test command writes."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    OTHER = "other"
    """Only its exit code is understood."""


@dataclass(frozen=True, slots=True)
class TestCommand:
    """How to run the tests."""

    argv: tuple[str, ...]
    runner: Runner
    origin: str
    """Where it comes from, for the user: `--test-command`, `found: pytest.ini`."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables set for it alone."""
    sources: tuple[str, ...] = ()
    """Folders, relative to the root, that Python's path must hold: `src`."""

    __test__ = False

    def __str__(self) -> str:
        return shlex.join((*(f"{name}={value}" for name, value in self.env), *self.argv))


_SKIPPED = frozenset({".venv", "venv", "node_modules", "site-packages", ".tox", ".nox", "vendor"})
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec"})
_TEST_NAME = re.compile(r"conftest\.py|tests?\.py|test_.*|.*_test\.\w+|.*\.(?:test|spec)\.\w+")
_FILES = 300
"""Test files looked at."""
_PYTEST_STYLE = re.compile(
    r"^(?:import|from)\s+pytest\b|^(?:async\s+)?def\s+test_|^class\s+Test\w*(?:\(\s*\))?:", re.M
)
_UNITTEST_STYLE = re.compile(r"^(?:import|from)\s+(?:unittest|django\.test)\b|\bTestCase\b", re.M)
_WRAPPERS = frozenset({"uv", "poetry", "pdm", "pipenv", "hatch", "rye", "coverage"})
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def parse_command(text: str, origin: str = "--test-command") -> TestCommand:
    """A command as the user wrote it, with `NAME=value` before it; pytest and unittest are known.

    Raises:
        ToolError: It is empty, a quote is not closed, or it needs a shell.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ToolError(f"The test command {text!r} cannot be read: {error}.") from None
    env: list[tuple[str, str]] = []
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        env.append((name, value))
    if not words:
        raise ToolError("The test command is empty.")
    if any(word in {"&&", "||", "|", ";", ">"} for word in words):
        raise ToolError(
            f"The test command {text!r} needs a shell; write it as sh -c '...' or as a script."
        )
    return TestCommand(tuple(words), runner_of(words), origin, tuple(env))


def runner_of(argv: Sequence[str]) -> Runner:
    """Whose output to expect of a command, also behind `uv run`, `coverage run` and the like."""
    if program_end(argv, "pytest") or program_end(argv, "py.test"):
        return Runner.PYTEST
    return Runner.UNITTEST if program_end(argv, "unittest") else Runner.OTHER


def program_end(argv: Sequence[str], name: str) -> int:
    """The index just after the words that start `name`, where its options belong; 0 if none do."""
    starter = PurePosixPath(argv[0]).name if argv else ""
    wrapped = starter in _WRAPPERS or _PYTHON.fullmatch(starter) is not None
    for index, word in enumerate(argv):
        if name != "unittest" and PurePosixPath(word).name == name:
            end = index + 1
        elif tuple(argv[index : index + 2]) == ("-m", name):
            end = index + 2
        elif name == "unittest" and PurePosixPath(word).name == "manage.py":
            end = index + 2
            if tuple(argv[index + 1 : end]) != ("test",):
                continue
        else:
            continue
        if index == 0 or wrapped:
            return end
    return 0


def is_test_path(path: str) -> bool:
    """Whether a file is part of the tests, by its place or name."""
    *folders, name = path.split("/")
    return not _TEST_FOLDERS.isdisjoint(folders) or _TEST_NAME.fullmatch(name) is not None


def find_command(root: Path, files: Sequence[str]) -> TestCommand | None:
    """The command that runs the tests of the repository at `root`; None if it has none.

    Args:
        files: Its files, relative to the root, ignored ones left out.
    """
    present = frozenset(files)
    return (
        _python_tests(root, files, present)
        or _tox(root, present)
        or _make(root, present)
        or _package_json(root, present)
        or _by_manifest(present)
    )


def _python_tests(root: Path, files: Sequence[str], present: frozenset[str]) -> TestCommand | None:
    configured = pytest_settings(root)
    candidates = [path for path in files if _may_hold_tests(path)]
    styles = {path: style for path in candidates[:_FILES] if (style := _style(root / path))}
    if configured is None and not styles:
        return None
    folders = {path.split("/")[1].removesuffix(".py") for path in files if _is_source(path)}
    python, installed = python_for(root, sorted(folders))
    sources = ("src",) if _needs_source_folder(root, present, folders, installed) else ()
    if configured is not None:
        return _pytest(python, f"found: {configured.file}", sources)
    first = next(iter(styles))
    if Runner.PYTEST in styles.values():
        origin = "conftest.py" if "conftest.py" in present else first
        return _pytest(python, f"found: {origin}", sources)
    own = next((str(place / "bin" / "python") for place in environments(root)), python)
    if "manage.py" in present:
        argv: tuple[str, ...] = (own, "manage.py", "test", "-v", "2")
        return TestCommand(argv, Runner.UNITTEST, "found: manage.py", sources=sources)
    if own == python:
        # unittest's own pattern is wider than pytest's.
        return _pytest(python, f"found: {first}", sources, "-o", "python_files=test*.py *_test.py")
    # An environment without pytest holds what the tests import: they run there, with unittest.
    argv = (own, "-m", "unittest", "discover", *_start_folder(list(styles), present))
    return TestCommand(argv, Runner.UNITTEST, f"found: {first}", sources=sources)


def _pytest(python: str, origin: str, sources: tuple[str, ...], *options: str) -> TestCommand:
    argv = (python, "-m", "pytest", *options)
    return TestCommand(argv, Runner.PYTEST, origin, sources=sources)


def _start_folder(tests: Sequence[str], present: frozenset[str]) -> tuple[str, ...]:
    """unittest looks into packages alone, so a plain folder of tests must be named."""
    folders = {path.split("/")[0] if "/" in path else "" for path in tests}
    if len(folders) != 1:
        return ()
    folder = folders.pop()
    return ("-s", folder) if folder and f"{folder}/__init__.py" not in present else ()


def _may_hold_tests(path: str) -> bool:
    *folders, name = path.split("/")
    return (
        name.endswith(".py")
        and (name.startswith("test") or name.endswith("_test.py"))
        and _SKIPPED.isdisjoint(folders)
    )


def _is_source(path: str) -> bool:
    return path.startswith("src/") and path.endswith(".py")


def _needs_source_folder(
    root: Path, present: frozenset[str], names: set[str], installed: dict[str, str]
) -> bool:
    """Whether tests find what is in `src` only when we put it on the path.

    Not when `src` is itself a package, the path is configured, or the modules are installed as
    a copy (with compiled parts, perhaps, that `src` lacks). An editable installation leads back
    to some `src`, not always to this root's, so it is overruled.
    """
    if not names or "src/__init__.py" in present:
        return False
    settings = pytest_settings(root)
    if settings is not None and settings.pythonpath:
        return False
    copies = {name for name in names if "site-packages" in installed.get(name, "")}
    return copies != names


def _style(path: Path) -> Runner | None:
    text = small_text(path)
    if _PYTEST_STYLE.search(text):
        return Runner.PYTEST
    return Runner.UNITTEST if _UNITTEST_STYLE.search(text) else None


def _tox(root: Path, present: frozenset[str]) -> TestCommand | None:
    """The first command of tox.ini that runs tests, without tox's own environment."""
    if "tox.ini" not in present:
        return None
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(small_text(root / "tox.ini"))
        commands = parser.get("testenv", "commands", fallback="")
    except configparser.Error:
        return None
    for line in commands.replace("\\\n", " ").splitlines():
        line = re.sub(r"\{posargs(?::([^{}]*))?\}", r"\1", line).replace("{toxinidir}", ".")
        line = line.replace("{envpython}", "python").lstrip("-! ")
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        if not words or "{" in line or not any("test" in word for word in words):
            continue
        if _PYTHON.fullmatch(words[0]):
            words[0] = python_for(root)[0]
        return TestCommand(tuple(words), runner_of(words), "found: tox.ini")
    return None


def _make(root: Path, present: frozenset[str]) -> TestCommand | None:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if name in present and re.search(r"^test\s*:(?!=)", small_text(root / name), re.M):
            return TestCommand(("make", "test"), Runner.OTHER, f"found: {name}")
    return None


def _package_json(root: Path, present: frozenset[str]) -> TestCommand | None:
    if "package.json" not in present:
        return None
    try:
        script = json.loads(small_text(root / "package.json"))["scripts"]["test"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(script, str) or not script or "no test specified" in script:
        return None
    managers = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun"}
    manager = next((name for lock, name in managers.items() if lock in present), "npm")
    # CI keeps the usual runners from watching for changes instead of ending.
    argv = (manager, "run", "test") if manager == "bun" else (manager, "test")
    return TestCommand(argv, Runner.OTHER, "found: package.json", env=(("CI", "1"),))


def _by_manifest(present: frozenset[str]) -> TestCommand | None:
    if "Cargo.toml" in present:
        return TestCommand(("cargo", "test"), Runner.OTHER, "found: Cargo.toml")
    if "go.mod" in present and any(path.endswith("_test.go") for path in present):
        return TestCommand(("go", "test", "./..."), Runner.OTHER, "found: go.mod")
    return None
