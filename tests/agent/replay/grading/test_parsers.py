"""Our parsers, compared with the official ones on logs of real runs."""

from pathlib import Path

import pytest

from agent.replay.environments.base import Unavailable
from agent.replay.grading.parsers import PARSERS, Status, parse
from tests.agent.replay.grading import official
from tests.agent.replay.grading.logs import recorded


@official.needed
def test_every_parser_reads_every_log_as_the_official_one_does(tmp_path: Path) -> None:
    logs = recorded(tmp_path)
    cases = [(name, log) for name in PARSERS for log in logs]
    theirs = official.statuses(cases, tmp_path)
    ours = [parse(name, log) for name, log in cases]
    assert [name for (name, _), a, b in zip(cases, ours, theirs, strict=True) if a != b] == []
    assert {status for found in ours for status in found.values()} >= set(Status)


@official.needed
def test_the_runners_of_other_languages_are_read_by_the_official_package() -> None:
    log = "--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.01s)\n"
    assert parse("parse_log_gotest", log) == {"TestA": "PASSED", "TestB": "FAILED"}


@official.needed
def test_a_parser_that_nobody_has_is_named() -> None:
    with pytest.raises(Unavailable, match="parse_log_cobol"):
        parse("parse_log_cobol", "")
