"""Which command runs a repository's tests, and which of its files are tests.

Reads files and runs nothing. Must not know how a command is started or its results are read.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tools.interpreters import environments, installed_in
from tools.testing.commands import PYTHON, Runner, TestCommand, has_copies, runner_of
from tools.testing.project_settings import pytest_settings, small_text

_SKIPPED = frozenset({".venv", "venv", "node_modules", "site-packages", ".tox", ".nox", "vendor"})
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec"})
_TEST_NAME = re.compile(r"conftest\.py|tests?\.py|test_.*|.*_test\.\w+|.*\.(?:test|spec)\.\w+")
_FILES = 300
"""Test files looked at."""
_PYTEST_STYLE = re.compile(
    r"^(?:import|from)\s+pytest\b|^(?:async\s+)?def\s+test_|^class\s+Test\w*(?:\(\s*\))?:", re.M
)
_UNITTEST_STYLE = re.compile(r"^(?:import|from)\s+(?:unittest|django\.test)\b|\bTestCase\b", re.M)


def is_test_path(path: str) -> bool:
    """Whether a file is part of the tests, by its place or name."""
    *folders, _ = path.split("/")
    return not _TEST_FOLDERS.isdisjoint(folders) or holds_tests(path)


def holds_tests(path: str) -> bool:
    """Whether a file's name says that it holds tests, or what pytest gives to them."""
    return _TEST_NAME.fullmatch(path.rpartition("/")[2]) is not None


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
    packages = _packages_in_src(root, files, present)
    if configured is not None:
        return _by_any_python(Runner.PYTEST, configured.file, packages, "-m", "pytest")
    first = next(iter(styles))
    if Runner.PYTEST in styles.values():
        origin = "conftest.py" if "conftest.py" in present else first
        return _by_any_python(Runner.PYTEST, origin, packages, "-m", "pytest")
    words: tuple[str, ...]
    if "manage.py" in present:
        origin, words = "manage.py", ("manage.py", "test", "-v", "2")
    else:
        start = _start_folder(list(styles), present)
        origin, words = first, ("-m", "unittest", "discover", *start)
    own = next(environments(root), None)
    if own is not None and (origin == "manage.py" or not installed_in(own, ("pytest",))):
        # It holds what the tests import, so they run there, with unittest.
        copies = has_copies(packages, installed_in(own, packages))
        sources = ("src",) if packages and not copies else ()
        argv = (str(own / "bin" / "python"), *words)
        return TestCommand(argv, Runner.UNITTEST, f"found: {origin}", sources=sources)
    if origin == "manage.py":
        return _by_any_python(Runner.UNITTEST, origin, packages, *words)
    # unittest's own pattern is wider than pytest's.
    words = ("-m", "pytest", "-o", "python_files=test*.py *_test.py")
    return _by_any_python(Runner.PYTEST, origin, packages, *words)


def _by_any_python(
    runner: Runner, origin: str, packages: tuple[str, ...], *words: str
) -> TestCommand:
    return TestCommand(
        ("python", *words),
        runner,
        f"found: {origin}",
        sources=("src",) if packages else (),
        any_python=True,
        packages=packages,
    )


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


def _packages_in_src(root: Path, files: Sequence[str], present: frozenset[str]) -> tuple[str, ...]:
    """The modules in `src` that tests find only when we put it on the path.

    None when `src` is itself a package, or the path is configured.
    """
    settings = pytest_settings(root)
    if "src/__init__.py" in present or (settings is not None and settings.pythonpath):
        return ()
    sources = (path for path in files if path.startswith("src/") and path.endswith(".py"))
    return tuple(sorted({path.split("/")[1].removesuffix(".py") for path in sources}))


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
        any_python = PYTHON.fullmatch(words[0]) is not None
        return TestCommand(tuple(words), runner_of(words), "found: tox.ini", any_python=any_python)
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
