"""What was allowed for longer than once: exact rules, matched and kept.

A rule is one argument list, or one folder of files; nothing is a pattern. Owns the rules and their
file, which lies in the user's state folder and never in a repository. Must not know who decides,
nor what a mode is.

    projects/<digest of the root>/rules.jsonl   one rule a line, only ever appended to
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tools.action import Action, Command, FileChange
from tools.text_filter import visible


@dataclass(frozen=True, slots=True)
class CommandRule:
    """One command, to the letter: the same words, the same program, the same variables."""

    argv: tuple[str, ...]
    program: str
    """Relative to the root where it lies beneath it, else absolute."""
    env: tuple[tuple[str, str], ...] = ()
    network: bool = False
    tests: bool = False
    """Whether it runs the project's tests, and may be narrowed to some of them."""
    sandboxed: bool = True
    """Whether it holds in a sandbox alone, as it was given."""

    def allows(self, action: Action, root: Path, sandboxed: bool) -> bool:
        """Whether the rule permits exactly this.

        Args:
            root: The project that the rule was given for.
            sandboxed: Whether commands run in a sandbox that holds.
        """
        return (
            isinstance(action, Command)
            and (action.argv, action.env, action.network) == (self.argv, self.env, self.network)
            and Path(action.folder) == root
            and _relative(action.program, root) == self.program
            and (self.tests or not action.chosen)
            and (sandboxed or not self.sandboxed)
        )

    def __str__(self) -> str:
        words = visible(shlex.join((*(f"{name}={value}" for name, value in self.env), *self.argv)))
        tests = ", all tests or some of them" if self.tests else ""
        network = ", with the network" if self.network else ""
        sandbox = ", in the sandbox" if self.sandboxed else ", without a sandbox"
        return f"exactly `{words}`{tests}{network}{sandbox}"


@dataclass(frozen=True, slots=True)
class FolderRule:
    """Edits of the files that lie directly in one folder."""

    folder: str
    """Relative to the root, with `/`; `.` for the root."""

    def allows(self, action: Action, root: Path, sandboxed: bool) -> bool:
        """Whether the rule permits exactly this; arguments as `CommandRule.allows` has them."""
        return isinstance(action, FileChange) and _folder(action) == self.folder

    def __str__(self) -> str:
        place = "the top folder" if self.folder == "." else f"{visible(self.folder)}/"
        return f"edits of the files directly in {place}"


Rule = CommandRule | FolderRule


def rule_for(action: Action, root: Path, sandboxed: bool) -> Rule:
    """The rule that allows an action, and as little else as there is."""
    match action:
        case FileChange():
            return FolderRule(_folder(action))
        case Command():
            return CommandRule(
                action.argv,
                _relative(action.program, root),
                action.env,
                action.network,
                action.chosen is not None,
                sandboxed,
            )


class RuleFile:
    """The rules that hold always in one project."""

    def __init__(self, state: Path, root: Path) -> None:
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self.path = state / "projects" / digest / "rules.jsonl"

    def read(self) -> tuple[Rule, ...]:
        """The rules; a line that is no rule allows nothing.

        Raises:
            OSError: The file is there and cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        return tuple(rule for line in lines if (rule := _parse(line)) is not None)

    def append(self, rule: Rule) -> None:
        """Keep one more.

        Raises:
            OSError: It cannot be kept.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = json.dumps({"kind": type(rule).__name__, **asdict(rule)}) + "\n"
        if self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n"):
            line = f"\n{line}"  # after one that a crash cut short
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with open(os.open(self.path, flags, 0o600), "ab") as file:
            file.write(line.encode())


def _folder(change: FileChange) -> str:
    return str(PurePosixPath(change.path).parent)


def _relative(program: str, root: Path) -> str:
    path = Path(program)
    return str(path.relative_to(root)) if program and path.is_relative_to(root) else program


def _parse(line: bytes) -> Rule | None:
    try:
        match json.loads(line):
            case {"kind": "FolderRule", "folder": str(folder)}:
                return FolderRule(folder)
            case {
                "kind": "CommandRule",
                "argv": [*argv],
                "program": str(program),
                "env": [*env],
                "network": bool(network),
                "tests": bool(tests),
                "sandboxed": bool(sandboxed),
            } if argv and all(isinstance(word, str) for word in argv):
                return CommandRule(tuple(argv), program, _pairs(env), network, tests, sandboxed)
    except (ValueError, TypeError):
        pass
    return None


def _pairs(env: list[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in env)
