"""Undoing a journal, with what the user did since."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.watching import opened
from tools.journal import Journal
from tools.undo import Restored, undo
from tools.workspace import Workspace

LINES = [f"line {number}\n" for number in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("".join(LINES))
    return root


def changed(root: Path, journal: Path, *contents: str) -> None:
    """Let a workspace write these contents to `a`, one after the other."""
    workspace = Workspace(root, Journal(journal))
    for content in contents:
        workspace.read("a")
        workspace.write("a", content.encode())


def with_line(number: int, text: str, lines: list[str] = LINES) -> str:
    return "".join([*lines[:number], f"{text}\n", *lines[number + 1 :]])


def test_all_comes_back_and_twice_is_once(root: Path, tmp_path: Path) -> None:
    (root / "a").chmod(0o750)
    changed(root, tmp_path / "j", "one\n", "two\n")
    Workspace(root, Journal(tmp_path / "j")).write("new/b", b"x")
    assert undo(tmp_path / "j", root) == (Restored("new/b", "removed"), Restored("a", "restored"))
    assert (root / "a").read_text() == "".join(LINES)
    assert (root / "a").stat().st_mode & 0o777 == 0o750
    assert [path.name for path in root.iterdir()] == ["a"]
    assert undo(tmp_path / "j", root) == ()


def test_later_edits_are_merged(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", with_line(0, "ours"))
    (root / "a").write_text((root / "a").read_text().replace("line 11", "theirs"))
    assert undo(tmp_path / "j", root) == (Restored("a", "merged"),)
    assert (root / "a").read_text() == with_line(11, "theirs")
    assert undo(tmp_path / "j", root) == ()


def test_a_git_in_the_tree_does_not_merge(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = root / ".venv" / "bin" / "git"
    fake.parent.mkdir(parents=True)
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/fired\n")
    fake.chmod(0o755)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f"{fake.parent}:.venv/bin:{os.environ['PATH']}")
    changed(root, tmp_path / "j", with_line(0, "ours"))
    (root / "a").write_text((root / "a").read_text().replace("line 11", "theirs"))
    assert undo(tmp_path / "j", root) == (Restored("a", "merged"),)
    assert (root / "a").read_text() == with_line(11, "theirs")
    assert not (tmp_path / "fired").exists()


def test_edits_between_two_writes_are_kept(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", with_line(0, "ours"))
    (root / "a").write_text((root / "a").read_text().replace("line 11", "theirs"))
    changed(root, tmp_path / "j", (root / "a").read_text().replace("line 5", "ours too"))
    assert undo(tmp_path / "j", root) == (Restored("a", "merged"),)
    assert (root / "a").read_text() == with_line(11, "theirs")


def test_conflicts_change_nothing_and_can_be_tried_again(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", with_line(3, "ours"))
    (root / "a").write_text(with_line(3, "theirs"))
    assert undo(tmp_path / "j", root) == (Restored("a", "kept"),)
    assert (root / "a").read_text() == with_line(3, "theirs")
    (root / "a").write_text(with_line(3, "ours"))
    assert undo(tmp_path / "j", root) == (Restored("a", "restored"),)


def test_a_created_file_that_the_user_edited_or_removed_is_left(root: Path, tmp_path: Path) -> None:
    workspace = Workspace(root, Journal(tmp_path / "j"))
    workspace.write("edited", b"x")
    workspace.write("removed", b"x")
    (root / "edited").write_bytes(b"mine")
    (root / "removed").unlink()
    assert undo(tmp_path / "j", root) == (Restored("edited", "kept"),)
    assert (root / "edited").read_bytes() == b"mine"


def test_a_file_that_the_user_removed_stays_away(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", "one\n")
    (root / "a").unlink()
    assert undo(tmp_path / "j", root) == (Restored("a", "kept"),)
    assert not (root / "a").exists()


def test_a_torn_record_is_skipped_and_the_next_one_counts(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", "one\n")
    with (tmp_path / "j" / "journal.jsonl").open("a") as file:
        file.write('{"path": "a", "bef')
    assert undo(tmp_path / "j", root) == (Restored("a", "restored"),)
    changed(root, tmp_path / "j", "two\n")
    assert undo(tmp_path / "j", root) == (Restored("a", "restored"),)
    assert (root / "a").read_text() == "".join(LINES)


def test_a_recorded_write_that_never_happened(root: Path, tmp_path: Path) -> None:
    """Killed between the record and the rename."""
    changed(root, tmp_path / "j", "one\n", "two\n")
    (root / "a").write_text("one\n")
    assert undo(tmp_path / "j", root) == (Restored("a", "restored"),)
    assert (root / "a").read_text() == "".join(LINES)


def test_after_a_restore_in_the_session_nothing_is_left_to_undo(root: Path, tmp_path: Path) -> None:
    workspace = Workspace(root, Journal(tmp_path / "j"))
    workspace.read("a")
    workspace.write("a", b"1")
    workspace.restore(0)
    assert undo(tmp_path / "j", root) == ()


def test_the_writes_of_later_turns_alone(root: Path, tmp_path: Path) -> None:
    for turn, content in enumerate(("one\n", "two\n", "three\n")):
        workspace = Workspace(root, Journal(tmp_path / "j"), turn=turn)
        workspace.begin_turn()
        workspace.read("a")
        workspace.write("a", content.encode())
        mark = workspace.checkpoint()
        workspace.write("a", b"tried\n")
        workspace.restore(mark)
    journal = Journal(tmp_path / "j")
    assert journal.paths()[1] == {(1, "a"), (2, "a"), (3, "a")}
    assert undo(tmp_path / "j", root, since=2) == (Restored("a", "restored"),)
    assert (root / "a").read_text() == "one\n"
    ever, standing = journal.paths()
    assert (len(ever), set(standing)) == (3, {(1, "a")})
    assert undo(tmp_path / "j", root) == (Restored("a", "restored"),)
    assert (root / "a").read_text() == "".join(LINES)
    assert journal.paths()[1] == frozenset()


def test_what_programs_did_in_a_turn_comes_back(root: Path, tmp_path: Path) -> None:
    with opened(root, tmp_path) as session:
        session.runs(lambda: (root / "a").write_text("first\n"))
        session.workspace.begin_turn()
        session.runs(lambda: (root / "a").rename(root / "made"))
        assert [change.path for change in session.workspace.changes(turn=True)] == ["a", "made"]
        done = session.workspace.rewind(2)
        assert {item.outcome for item in done} == {"restored", "removed"}
        assert (root / "a").read_text() == "first\n"
        assert [change.path for change in session.workspace.changes()] == ["a"]
        assert session.workspace.changes(turn=True) == ()


def test_a_file_that_became_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", "one\n")
    outside = tmp_path / "outside"
    outside.write_text("one\n")
    (root / "a").unlink()
    (root / "a").symlink_to(outside)
    assert undo(tmp_path / "j", root) == (Restored("a", "kept"),)
    assert outside.read_text() == "one\n"


def test_the_journal_is_private(root: Path, tmp_path: Path) -> None:
    changed(root, tmp_path / "j", "one\n")
    for folder, _, files in os.walk(tmp_path / "j"):
        assert Path(folder).stat().st_mode & 0o077 == 0
        assert all((Path(folder) / name).stat().st_mode & 0o077 == 0 for name in files)


def test_no_journal_nothing_to_undo(root: Path, tmp_path: Path) -> None:
    assert undo(tmp_path / "none", root) == ()
    assert not (tmp_path / "none").exists()
