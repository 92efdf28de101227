"""What became of each test, by the log of its run: the parsers of Python's test runners.

Owns one function for each runner, equal to swebench's case by case, its oddities included: the
names in the rows were made by them. Must not know which tests matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from agent.replay.grading.official import official_statuses


class Status(StrEnum):
    """What a log says of a test."""

    FAILED = "FAILED"
    PASSED = "PASSED"
    SKIPPED = "SKIPPED"
    ERROR = "ERROR"
    XFAIL = "XFAIL"


Statuses = dict[str, str]
"""Test → status."""
Parser = Callable[[str], Statuses]

_STATUSES = tuple(Status)
_SKIP_COUNT = re.compile(r"^\[\d+\]$")
_OPTION = re.compile(r"(.*?)\[(.*)\]")
_ESCAPES = {code: None for code in range(1, 32)}
_COLOUR = re.compile(r"\[(\d+)m")
_SYMPY_HEADING = re.compile(r"(_*) (.*)\.py:(.*) (_*)")
_DJANGO_INTERRUPTED = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^(.*?)\s\.\.\.\sTesting\ against\ Django\ installed\ in\ ((?s:.*?))\ silenced\)\.\nok$",
        r"^(.*?)\s\.\.\.\sInternal\ Server\ Error:\ \/(.*)\/\nok$",
        r"^(.*?)\s\.\.\.\sSystem check identified no issues \(0 silenced\)\nok$",
    )
)
"""A test whose line other output came between."""


def parse(parser: str, log: str) -> Statuses:
    """Read a log.

    Args:
        parser: As swebench names it: `parse_log_pytest`.

    Raises:
        Unavailable: There is no such parser, or it is one of another language and the package
            that has it is not installed.
    """
    own = PARSERS.get(parser)
    return own(log) if own is not None else official_statuses(parser, log)


def _summary(log: str) -> Iterator[tuple[str, str]]:
    """Status and name of each line of pytest's short summary."""
    for line in log.split("\n"):
        if not line.startswith(_STATUSES):
            continue
        words = (line.replace(" - ", " ") if line.startswith(Status.FAILED) else line).split()
        if len(words) > 1 and not _counts_skipped(words[0], words[1]):
            yield words[0], words[1]


def _counts_skipped(status: str, name: str) -> bool:
    """Whether it is pytest's `SKIPPED [2] file:line: reason`, which names no test."""
    return status == Status.SKIPPED and _SKIP_COUNT.match(name) is not None


def _pytest(log: str) -> Statuses:
    return {name: status for status, name in _summary(log)}


def _pytest_options(log: str) -> Statuses:
    """As `_pytest`, with the folders of a path that is a parameter left out."""
    found: Statuses = {}
    for status, name in _summary(log):
        if option := _OPTION.search(name):
            main, value = option.groups()
            if value.startswith("/") and not value.startswith("//") and "*" not in value:
                value = f"/{value.rsplit('/', 1)[-1]}"
            name = f"{main}[{value}]"
        found[name] = status
    return found


def _pytest_v2(log: str) -> Statuses:
    """Names may hold spaces, lines colours; the status may stand at the end."""
    found: Statuses = {}
    for raw in log.split("\n"):
        line = _COLOUR.sub("", raw).translate(_ESCAPES)
        if line.startswith(_STATUSES):
            words = (line.split(" - ", 1)[0] if line.startswith(Status.FAILED) else line).split()
            if len(words) > 1 and not _counts_skipped(words[0], words[1]):
                found[" ".join(words[1:])] = words[0]
        elif line.endswith(_STATUSES):
            words = line.split()
            if len(words) > 1:
                found[" ".join(words[:-1])] = words[-1]
    return found


def _matplotlib(log: str) -> Statuses:
    return _pytest(log.replace("MouseButton.LEFT", "1").replace("MouseButton.RIGHT", "3"))


def _seaborn(log: str) -> Statuses:
    found: Statuses = {}
    for line in log.split("\n"):
        words = line.split()
        if len(words) < 2:
            continue
        if line.startswith(Status.FAILED):
            found[words[1]] = Status.FAILED
        elif f" {Status.PASSED} " in line:
            if words[1] == Status.PASSED:
                found[words[0]] = Status.PASSED
        elif line.startswith(Status.PASSED):
            found[words[1]] = Status.PASSED
    return found


def _sympy(log: str) -> Statuses:
    found: Statuses = {
        f"{match[1]}.py:{match[2]}": Status.FAILED for match in _SYMPY_HEADING.findall(log)
    }
    endings = ((" E", Status.ERROR), (" F", Status.FAILED), (" ok", Status.PASSED))
    for line in map(str.strip, log.split("\n")):
        if line.startswith("test_"):
            found |= {line.split()[0]: status for end, status in endings if line.endswith(end)}
    return found


def _django(log: str) -> Statuses:
    found: Statuses = {}
    previous = None
    for line in map(str.strip, log.split("\n")):
        if "--version is equivalent to version" in line:
            found["--version is equivalent to version"] = Status.PASSED
        if " ... " in line:
            previous = line.split(" ... ")[0]
        for end in (" ... ok", " ... OK", " ...  OK"):
            if line.endswith(end):
                if line.startswith("Applying sites.0002_alter_domain_unique...test_no_migrations"):
                    line = line.split("...", 1)[-1].strip()
                found[line.rsplit(end, 1)[0]] = Status.PASSED
                break
        if " ... skipped" in line:
            found[line.split(" ... skipped")[0]] = Status.SKIPPED
        for word, status in (("FAIL", Status.FAILED), ("ERROR", Status.ERROR)):
            if line.endswith(f" ... {word}"):
                found[line.split(f" ... {word}")[0]] = status
            if line.startswith(f"{word}:") and (words := line.split()[1:]):
                found[words[0]] = status
        if line.startswith("ok") and previous is not None:
            found[previous] = Status.PASSED
    for pattern in _DJANGO_INTERRUPTED:
        found |= {match.group(1): Status.PASSED for match in pattern.finditer(log)}
    return found


PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(
        (
            *("parse_log_pytest", "parse_log_astroid", "parse_log_flask", "parse_log_marshmallow"),
            *("parse_log_pvlib", "parse_log_pyvista", "parse_log_sqlfluff", "parse_log_xarray"),
        ),
        _pytest,
    ),
    **dict.fromkeys(
        (
            *("parse_log_pytest_options", "parse_log_pydicom"),
            *("parse_log_requests", "parse_log_pylint"),
        ),
        _pytest_options,
    ),
    **dict.fromkeys(
        (
            *("parse_log_pytest_v2", "parse_log_astropy"),
            *("parse_log_scikit", "parse_log_sphinx"),
        ),
        _pytest_v2,
    ),
    "parse_log_matplotlib": _matplotlib,
    "parse_log_seaborn": _seaborn,
    "parse_log_sympy": _sympy,
    "parse_log_django": _django,
}
"""By the names that rows have."""
