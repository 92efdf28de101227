"""Rules: each matches one thing, to the letter, and survives on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.rules import CommandRule, FolderRule, RuleFile, rule_for
from tools.action import Command, FileChange

ROOT = Path("/srv/repo")
TESTS = Command(("python", "-m", "pytest"), str(ROOT), "/usr/bin/python", chosen=())
MAKE = Command(("make", "build"), str(ROOT), "/usr/bin/make")
EDIT = FileChange("src/app.py", "patch", "ab")


@pytest.mark.parametrize("action", [TESTS, MAKE, EDIT])
def test_a_rule_allows_what_it_was_given_for(action: Command | FileChange) -> None:
    rule = rule_for(action, ROOT, True)
    assert rule.allows(action, ROOT, True)


@pytest.mark.parametrize(
    "other",
    [
        replace(MAKE, argv=("make",)),
        replace(MAKE, argv=("make", "build", "install")),
        replace(MAKE, argv=("make", "build ")),
        replace(MAKE, argv=("make build",)),
        replace(MAKE, program="/srv/repo/make"),
        replace(MAKE, program=""),
        replace(MAKE, folder="/srv/other"),
        replace(MAKE, env=(("CC", "sh"),)),
        replace(MAKE, network=True),
        replace(MAKE, chosen=("x",)),
        EDIT,
    ],
)
def test_a_rule_matches_nothing_but_its_command(other: Command | FileChange) -> None:
    assert not rule_for(MAKE, ROOT, True).allows(other, ROOT, True)


def test_a_rule_for_the_tests_allows_some_of_them() -> None:
    rule = rule_for(TESTS, ROOT, True)
    some = replace(TESTS, chosen=("tests/test_a.py::test_b",))
    assert rule.allows(some, ROOT, True)
    assert not rule.allows(replace(some, argv=("python", "-m", "unittest")), ROOT, True)
    assert str(rule) == "exactly `python -m pytest`, all tests or some of them, in the sandbox"


def test_a_rule_given_in_a_sandbox_does_not_hold_without() -> None:
    assert not rule_for(MAKE, ROOT, True).allows(MAKE, ROOT, False)
    assert rule_for(MAKE, ROOT, False).allows(MAKE, ROOT, False)


@pytest.mark.parametrize("path", ["src/deep/app.py", "srcs/app.py", "app.py", "src"])
def test_a_rule_for_a_folder_is_for_its_own_files(path: str) -> None:
    assert not rule_for(EDIT, ROOT, True).allows(replace(EDIT, path=path), ROOT, True)
    assert rule_for(EDIT, ROOT, True).allows(replace(EDIT, path="src/b.py"), ROOT, True)


def test_a_program_within_the_root_is_known_by_its_name_there() -> None:
    own = replace(MAKE, program="/srv/repo/.venv/bin/make")
    rule = rule_for(own, ROOT, True)
    copy = replace(own, folder="/tmp/copy", program="/tmp/copy/.venv/bin/make")
    assert rule.allows(copy, Path("/tmp/copy"), True)


def test_rules_are_shown_with_nothing_hidden() -> None:
    shown = str(CommandRule(("echo", "a\u202eb\nc"), "/bin/echo"))
    assert "\\u202e" in shown
    assert "\n" not in shown
    assert str(FolderRule(".")) == "edits of the files directly in the top folder"


def test_rules_come_back_from_disk(tmp_path: Path) -> None:
    file = RuleFile(tmp_path, ROOT)
    assert file.read() == ()
    env = replace(MAKE, env=(("A", "b"),))
    rules = tuple(rule_for(action, ROOT, True) for action in (TESTS, MAKE, env, EDIT))
    for rule in rules:
        file.append(rule)
    assert RuleFile(tmp_path, ROOT).read() == rules
    assert RuleFile(tmp_path, Path("/srv/other")).read() == ()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_line_that_is_no_rule_allows_nothing(tmp_path: Path) -> None:
    file = RuleFile(tmp_path, ROOT)
    file.append(rule_for(EDIT, ROOT, True))
    with file.path.open("ab") as raw:
        raw.write(b'\xff\n[]\n{"kind": "CommandRule", "argv": []}\n{"kind": "CommandRule", "ar')
    file.append(rule_for(MAKE, ROOT, True))
    assert file.read() == (rule_for(EDIT, ROOT, True), rule_for(MAKE, ROOT, True))
