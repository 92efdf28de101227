"""One benchmark task, whatever file it was read from.

Owns the values alone. Must not know a file format, an environment, nor how an answer is graded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an environment for a repository is made without a container, and its tests are run."""

    name: str
    """Instances with the same name and the same requirements share an environment."""
    python: str
    """`3.11`."""
    requirements: tuple[str, ...]
    """Pinned, as pip reads them; installed in this order, without their dependencies."""
    install: str
    """A shell command in the work tree, with the environment's programs first on the path."""
    test: str
    """As `install`: runs the tests that count."""
    log_parser: str
    """Of swebench's parsers, the one that reads the output: `parse_log_pytest`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of both commands."""
    normalise: str = ""
    """What is done to the names of tests before they are compared; empty: nothing."""


@dataclass(frozen=True, slots=True)
class RepositoryTask:
    """A repository at a commit, an issue, and the tests that a fix must pass."""

    repo: str
    """`owner/name`, or the path of the user's own repository."""
    base_commit: str
    patch: str
    """The gold patch: how it was really fixed."""
    test_patch: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    version: str = ""
    recipes: tuple[Recipe, ...] = ()
    """The first whose Python this machine has is used; none: only a container will do."""
    image: str = ""
    """Of a container with the environment in it."""
    eval_script: str = ""
    """What the official harness runs in that image."""
    log_parser: str = ""
    fail_only: bool = False
    """The official harness counts a test that the log does not name as passed."""


@dataclass(frozen=True, slots=True)
class FunctionTask:
    """A file with one function to write or mend, and a program that says whether it is right."""

    path: str
    """Of the file, relative."""
    start: str
    """What stands in it at first: a stub, or the wrong code."""
    solution: str
    """The canonical file."""
    check: str
    """A Python program, run beside the file; it exits 0 only for a right answer."""
    entry_point: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One task of a benchmark."""

    id: str
    """Unique in its set; a plain file name."""
    problem: str
    """What the agent is told, in Markdown."""
    task: RepositoryTask | FunctionTask
    hints: str = ""
    """What was said of it before the fix; told only when the user wants it so."""
    difficulty: str = ""
    """As the set says it: `15 min - 1 hour`."""
    source: str = ""
    """The set it comes from: `SWE-bench Lite`, `HumanEval`."""
