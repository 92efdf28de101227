"""The lines that `tools.testing.recorder` wrote, read as cases.

They were written in a process that runs the repository's code: each is checked, never trusted.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.testing.reports import Outcome, TestCase
from tools.testing.tracebacks import Place, Places, error_lines, positions
from tools.text_filter import printable

_LIMIT = 20_000_000
"""Bytes of a record that are read."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the recorder wrote, read."""

    cases: tuple[TestCase, ...]
    unfinished: tuple[str, ...]
    """The tests that ran when the record ended."""
    interrupted: tuple[Place, ...]
    """Where the interrupt at the timeout found the program."""
    broken: str
    """pytest's own internal error."""


# How much an outcome weighs when a test has several: its setup, call and teardown.
_WEIGHT = {
    Outcome.PASSED: 0,
    Outcome.XPASS: 1,
    Outcome.XFAIL: 2,
    Outcome.SKIPPED: 3,
    Outcome.ERROR: 4,
    Outcome.FAILED: 5,
}


def read_record(file: Path, places: Places) -> Record:
    """The recorder's lines as cases, in the order in which the tests began."""
    cases: dict[str, TestCase] = {}
    running: dict[str, None] = {}
    interrupted: tuple[Place, ...] = ()
    broken = ""
    for event in _events(file):
        name = printable(_string(event, "id"))
        match event.get("event"):
            case "start":
                running[name] = None
            case "finish":
                running.pop(name, None)
            case "report" if event.get("outcome") == "rerun":
                cases.pop(name, None)
            case "report":
                case = _case(name, event, places)
                # A passed setup or teardown alone is no passed test.
                counts = event.get("when") == "call" or case.outcome is not Outcome.PASSED
                known = cases.get(name)
                if counts and (known is None or _WEIGHT[known.outcome] < _WEIGHT[case.outcome]):
                    cases[name] = case
            case "collect":
                text = _string(event, "text")
                found = places.in_text(text)
                message = f"cannot be imported\n{places.explain(found, error_lines(text))}"
                cases[name] = TestCase(name, Outcome.ERROR, message, positions(found))
            case "interrupt":
                interrupted = places.of(_frames(event, "frames"))
            case "broken":
                broken = error_lines(_string(event, "text"))
    return Record(tuple(cases.values()), tuple(running), interrupted, broken)


def _case(name: str, event: Mapping[str, Any], places: Places) -> TestCase:
    expected = event.get("xfail") is True
    calls = positions(places.of(_frames(event, "calls")))
    match event.get("outcome"):
        case "passed":
            return TestCase(name, Outcome.XPASS if expected else Outcome.PASSED, calls=calls)
        case "skipped":
            outcome = Outcome.XFAIL if expected else Outcome.SKIPPED
            return TestCase(name, outcome, printable(_string(event, "text"))[:200])
        case _:
            outcome = Outcome.FAILED if event.get("when") == "call" else Outcome.ERROR
    text = _string(event, "text")
    found = places.of(_frames(event, "frames")) or places.in_text(text)
    message = places.explain(found, error_lines(text))
    if outcome is Outcome.ERROR:
        message = f"in its {_string(event, 'when')}\n{message}"
    return TestCase(name, outcome, message, positions(found), calls)


def _events(file: Path) -> Iterator[Mapping[str, Any]]:
    for line in left_behind(file, _LIMIT).splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):  # torn by a kill, or not ours
            continue
        if isinstance(event, dict):
            yield event


def left_behind(file: Path, limit: int) -> bytes:
    """What a process wrote to a file, up to a limit; nothing if it put something else there."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            regular = stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
            return opened.read(limit) if regular else b""
    except OSError:
        return b""


def _string(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _frames(event: Mapping[str, Any], field: str) -> Iterator[tuple[str, int, str]]:
    frames = event.get(field)
    for frame in frames if isinstance(frames, list) else []:
        match frame:
            case [str() as file, int() as line, str() as name] if "\0" not in file:
                yield file, line, printable(name)
