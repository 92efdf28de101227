"""Rows in LiveCodeBench's format: a function that is called, or a program that reads and prints.

Owns the meaning of their columns. Must not know how an answer is judged.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from agent.replay.instance import FunctionTask, Instance
from agent.replay.sources.checks import called_check, printed_check
from agent.replay.sources.functions import SOLUTION
from agent.replay.sources.rows import BadRow, Row, parsed

COLUMNS = ("question_id", "question_content", "starter_code", "public_test_cases")
_HEAD = re.compile(r"^([ \t]*)(?:async +)?def\b", re.MULTILINE)
_PROGRAM = '"""Reads standard input and prints the answer."""\n'


def read_livecodebench(row: Row, source: str) -> Instance:
    """One row as an instance; the set has no canonical solutions.

    Raises:
        BadRow: A column is missing or holds something else.
    """
    content, starter = row.text("question_content"), row.optional("starter_code")
    public, private = _cases(row), row.optional("private_test_cases")
    _look_at(private)
    if starter.strip():
        entry = _function(row)
        check = called_check(SOLUTION, entry, public, private)
        start = _started(starter)
        told = f"Write `{entry}` in `{SOLUTION}`; its name and its parameters stay."
    else:
        entry, start = "", _PROGRAM
        check = printed_check(SOLUTION, public, private)
        told = f"Write the program `{SOLUTION}`: it reads standard input and prints the answer."
    return Instance(
        id=f"lcb-{row.text('question_id')}",
        problem=f"{content.strip()}\n\n{told}\n",
        task=FunctionTask(SOLUTION, start, "", check, entry),
        difficulty=row.optional("difficulty"),
        source=source,
    )


def _cases(row: Row) -> list[object]:
    cases = parsed(row.text("public_test_cases"), "public_test_cases")
    if not isinstance(cases, list):
        raise BadRow("public_test_cases is no list")
    for case in cases:
        if not isinstance(case, dict) or not {"input", "output"} <= case.keys():
            raise BadRow("public_test_cases has a case without input or output")
    return cases


def _look_at(private: str) -> None:
    """Find damage now, not in the middle of a run. What is packed is unpacked by the check."""
    if not private or private.lstrip().startswith("["):
        if private:
            parsed(private, "private_test_cases")
        return
    try:
        zlib.decompress(base64.b64decode(private, validate=True))
    except (binascii.Error, zlib.error, ValueError):
        raise BadRow("private_test_cases is damaged") from None


def _function(row: Row) -> str:
    metadata = parsed(row.optional("metadata") or "{}", "metadata")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise BadRow("metadata names no func_name")
    return name


def _started(starter: str) -> str:
    """The starter code with a body for its last function."""
    heads = _HEAD.findall(starter)
    body = f"{heads[-1] if heads else ''}    raise NotImplementedError\n"
    return f"from typing import *\n\n\n{starter.rstrip()}\n{body}"
