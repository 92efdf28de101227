"""A command that runs tests: what it is, how the user writes one, and how it is started.

Must not know how a repository's command is found, nor how its results are read.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath

from tools.errors import ToolError
from tools.interpreters import project_path, python_for
from tools.process import clean_environment

_WRAPPERS = frozenset({"uv", "poetry", "pdm", "pipenv", "hatch", "rye", "coverage"})
PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
"""The names that a Python goes by."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


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
    any_python: bool = False
    """Whether `argv[0]` stands for the repository's Python, which is looked for when the tests
    run: to ask the one on PATH what it has installed takes up to a second."""
    packages: tuple[str, ...] = ()
    """The modules in `sources`; when that Python has copies of them all, those count instead."""

    __test__ = False

    def __str__(self) -> str:
        return shlex.join((*(f"{name}={value}" for name, value in self.env), *self.argv))


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
    wrapped = starter in _WRAPPERS or PYTHON.fullmatch(starter) is not None
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


def startable(command: TestCommand, root: Path) -> TestCommand:
    """The command with a program that exists, where a Python is wanted."""
    program, *rest = command.argv
    if command.any_python:
        python, installed = python_for(root, command.packages)
        sources = () if has_copies(command.packages, installed) else command.sources
        return replace(command, argv=(python, *rest), sources=sources, any_python=False)
    if "/" in program or _on_path(program, root):
        return command
    if program in ("pytest", "py.test"):
        return replace(command, argv=(python_for(root)[0], "-m", "pytest", *rest))
    if program == "python":
        return replace(command, argv=(python_for(root)[0], *rest))
    return command


def missing_program(command: TestCommand, root: Path) -> str:
    """The program that the command needs, if there is none of that name; else empty."""
    program = startable(command, root).argv[0]
    there = (root / program).is_file() if "/" in program else _on_path(program, root)
    return "" if there else program


def _on_path(program: str, root: Path) -> bool:
    path = project_path(root).get("PATH", clean_environment()["PATH"])
    return shutil.which(program, path=path) is not None


def has_copies(packages: Sequence[str], installed: Mapping[str, str]) -> bool:
    """Whether all the modules are installed as copies, with compiled parts, perhaps.

    An editable installation is none: it leads to some `src`, not always to this root's.
    """
    return bool(packages) and all("site-packages" in installed.get(name, "") for name in packages)
