"""Which commands surely only read files of the workspace. What is not known here is asked about.

Owns a short list of programs with the options and operands that are understood; an option that is
not on it, a path that leads out, a word that a shell would take for more than a word: each is a
doubt. Must not know modes, rules or who is asked. No command reaches a shell; words that look as
if they were meant for one are doubted all the same.

Git is free only in a sandbox: whatever it is asked, it runs programs that the repository's own
configuration names (fsmonitor, filters, textconv, hooks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.action import Command
from tools.text_filter import visible
from tools.workspace import is_secret

_SYSTEM = ("/bin", "/usr/bin")
"""Folders whose programs are what their names say."""
_SHELL = re.compile(r"\$[({\[]|`|[<>]\(")
"""What a shell would run, were there one."""
_NUMBER = re.compile(r"[+-]?\d+")
_COUNT = re.compile(r"-\d+")
_REVISION = re.compile(r"[\w.@^~{}][\w./@^~{}-]*")


class _Doubt(Exception):
    """Why a command must be asked about."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A program, or one of git's subcommands, as far as it is understood."""

    letters: str = ""
    """Short options that stand alone; they may be joined."""
    numbers: str = ""
    """Short options with a number, joined or as the next word."""
    long: str = ""
    """Long options, with their values after `=`, as a regular expression for the whole word."""
    count: bool = False
    """Whether `-5` is a number of lines."""
    pattern: bool = False
    """Whether the first operand is a text to look for, and no path."""
    check: Callable[[Path, str], None] | None = None
    """Raises `_Doubt` for an operand; None: there must be none."""
    least: int = 0
    """Operands that there must be: without one, some wait for input and others search it all."""


def doubt(command: Command, sandboxed: bool) -> str:
    """Why a command must be asked about; empty if it surely only reads files of its folder.

    Args:
        sandboxed: Whether it will run in a sandbox that holds.
    """
    try:
        _judge(command, sandboxed)
    except _Doubt as reason:
        return str(reason)
    return ""


def _judge(command: Command, sandboxed: bool) -> None:
    name, *words = command.argv
    root = Path(command.folder)
    if command.network:
        raise _Doubt("it wants the network")
    if command.chosen is not None:
        raise _Doubt("tests run the repository's code")
    if command.env:
        raise _Doubt("it sets variables")
    if not name.isprintable() or "/" in name:
        raise _Doubt("it names a program by its place")
    reader = _READERS.get(name)
    if name == "git" and words:
        reader = _GIT.get(words.pop(0))
    if reader is None:
        raise _Doubt(f"{_first(command.argv)} is not known to be harmless")
    program = Path(command.program)
    if program.parent.as_posix() not in _SYSTEM or program.is_relative_to(root):
        raise _Doubt(f"{name} is not the system's own here")
    if name == "git" and not sandboxed:
        raise _Doubt("git runs programs that the repository configures")
    operands = _operands(reader, words)
    if reader.pattern:
        if not operands:
            raise _Doubt("it has no text to look for")
        del operands[0]
    if len(operands) < reader.least:
        raise _Doubt("it names no file")
    for operand in operands:
        if reader.check is None:
            raise _Doubt(f"{visible(operand)!r} is not understood")
        reader.check(root, operand)


def _operands(reader: _Reader, words: list[str]) -> list[str]:
    """The words that are no options; every option must be understood."""
    operands: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.isprintable() or _SHELL.search(word):
            raise _Doubt(f"{visible(word)!r} is too complex to judge")
        if word == "--":
            operands += rest
            break
        if not word.startswith("-"):
            operands.append(word)
        elif word.startswith("--"):
            if not re.fullmatch(reader.long, word):
                raise _Doubt(f"the option {visible(word)} is not known to be harmless")
        elif not (reader.count and _COUNT.fullmatch(word)):
            _short(reader, word, rest)
    for operand in operands:
        if not operand.isprintable() or _SHELL.search(operand):
            raise _Doubt(f"{visible(operand)!r} is too complex to judge")
    return operands


def _short(reader: _Reader, word: str, rest: Iterator[str]) -> None:
    letters = word[1:]
    for index, letter in enumerate(letters, start=1):
        if letter in reader.numbers:
            number = letters[index:] or next(rest, "")
            if _NUMBER.fullmatch(number):
                return
            break
        if letter not in reader.letters:
            break
    else:
        if letters:
            return
    raise _Doubt(f"the option {visible(word)} is not known to be harmless")


def _entry(root: Path, operand: str) -> None:
    """A file or folder of the workspace."""
    _inside(root, operand, folders=True)


def _file(root: Path, operand: str) -> None:
    """A regular file of the workspace, and no secret."""
    _inside(root, operand, folders=False)


def _inside(root: Path, operand: str, *, folders: bool) -> None:
    try:
        real = (root / operand).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise _Doubt(f"there is no {visible(operand)!r}") from None
    top = root.resolve()
    if not real.is_relative_to(top) or ".git" in real.relative_to(top).parts:
        raise _Doubt(f"{visible(operand)!r} is outside the workspace")
    if is_secret(real.name) or is_secret(Path(operand).name):
        raise _Doubt(f"{visible(operand)!r} may hold secrets")
    if not (real.is_file() or (folders and real.is_dir())):
        raise _Doubt(f"{visible(operand)!r} is no file")


def _revision(root: Path, operand: str) -> None:
    """A revision, a range or a path beneath the root; git tells them apart, and reads each."""
    # `a..b` is a range; `../b` would make of `git diff` a comparison of any two files.
    if not _REVISION.fullmatch(operand) or ".." in operand.split("/"):
        raise _Doubt(f"{visible(operand)!r} is not understood")
    if is_secret(operand):
        raise _Doubt(f"{visible(operand)!r} may hold secrets")


def _first(argv: tuple[str, ...]) -> str:
    """The words that say what a command is."""
    return visible(" ".join(argv[:2]) if argv[0] == "git" else argv[0])


_PATCH = (
    "--(?:stat|shortstat|numstat|summary|name-only|name-status|patch|no-patch|raw|no-color"
    "|no-ext-diff|no-textconv|no-renames|word-diff|ignore-all-space|ignore-space-change"
    "|ignore-blank-lines|minimal|patience|histogram"
    r"|unified=\d+|stat=\d+(?:,\d+){0,2})"
)
_LOG = (
    f"{_PATCH}|--(?:oneline|graph|decorate|no-decorate|all|merges|no-merges|first-parent|reverse"
    r"|follow|abbrev-commit|date-order|topo-order|(?:max-count|skip)=\d+"
    r"|(?:since|after|until|before|author|grep)=[\w .,:@/+-]+"
    "|(?:pretty|format)=(?:oneline|short|medium|full|fuller|reference|raw)"
    "|date=(?:relative|local|iso|iso-strict|rfc|short|raw|unix))"
)
_STATUS = (
    "--(?:short|branch|porcelain(?:=v[12])?|long|ignored|no-renames"
    "|untracked-files(?:=no|=normal|=all)?)"
)
_GIT = {
    "status": _Reader("sbv", long=_STATUS, check=_revision),
    "log": _Reader("pswbi", "nU", _LOG, count=True, check=_revision),
    "show": _Reader("pswb", "U", _LOG, check=_revision),
    "diff": _Reader("pswb", "U", f"{_PATCH}|--cached|--staged|--check", check=_revision),
}
_READERS = {
    "pwd": _Reader(letters="LP"),
    "ls": _Reader(letters="1aAdFghlnoprRsStu", check=_entry),
    "cat": _Reader(letters="AbeEnstTuv", check=_file, least=1),
    "head": _Reader(letters="qv", numbers="nc", count=True, check=_file, least=1),
    "tail": _Reader(letters="qv", numbers="nc", count=True, check=_file, least=1),
    "wc": _Reader(letters="clLmw", check=_file, least=1),
    "grep": _Reader("EFGbcHhiLlnoqsvwx", "ABCm", pattern=True, check=_file, least=1),
    "rg": _Reader("bcFHilNnoqSsvwx", "ABCm", pattern=True, check=_file, least=1),
}
