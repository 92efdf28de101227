"""What programs change in a tree: seen, kept by turn, in the patch, taken back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.tools.watching import Session, committed, git, listing, opened, store_of
from tools.base import Effect
from tools.errors import Cancelled, ToolError
from tools.snapshot_store import at_work, borrow
from tools.undo import undo
from tools.workspace import MAX_FILE

ODD = (
    "--help",
    "-c core.fsmonitor=x",
    "new\nline",
    'a"b\\c',
    " ",
    "*.py",
    "über",
    ":(top)x",
    "[a]",
    "git~1",
)


class TestSeen:
    def test_created_changed_deleted_and_taken_back(self, root: Path, session: Session) -> None:
        (root / "sub").mkdir()
        (root / "sub" / "gone").write_bytes(b"\x00old\xff")
        (root / "changed").write_bytes(b"1\r\n")
        (root / "changed").chmod(0o640)
        before = listing(root)

        def command() -> None:
            shutil.rmtree(root / "sub")
            (root / "changed").write_bytes(b"2\r\n")
            (root / "made" / "deep").mkdir(parents=True)
            (root / "made" / "deep" / "new").write_bytes(b"x")

        assert session.runs(command) == ["sub/gone", "changed", "made/deep/new"]
        changes = {c.path: (c.before, c.after) for c in session.workspace.changes()}
        assert changes == {
            "sub/gone": (b"\x00old\xff", None),
            "changed": (b"1\r\n", b"2\r\n"),
            "made/deep/new": (None, b"x"),
        }
        assert {item.outcome for item in undo(session.journal, root)} == {"restored", "removed"}
        assert listing(root) == before
        assert not (root / "made").exists()
        assert session.workspace.notices() == ()

    def test_restore_takes_commands_and_edits_back_together(
        self, root: Path, session: Session
    ) -> None:
        (root / "a").write_text("1\n")
        mark = session.workspace.checkpoint()
        session.workspace.read("a")
        with session.workspace.watched(Effect.EDIT):
            session.workspace.write("a", b"2\n")
        session.runs(lambda: (root / "a").write_text("3\n"))
        assert session.workspace.checkpoint() == mark + 2
        session.workspace.restore(mark)
        assert (root / "a").read_text() == "1\n"
        assert session.workspace.changes() == ()
        assert undo(session.journal, root) == ()

    def test_an_edit_and_the_users_own_are_not_the_commands(
        self, root: Path, session: Session
    ) -> None:
        (root / "a").write_text("1\n")
        (root / "mine").write_text("1\n")
        session.runs(lambda: None)
        session.workspace.read("a")
        session.workspace.write("a", b"2\n")
        (root / "mine").write_text("2\n")
        assert session.runs(lambda: None) == []
        assert [change.path for change in session.workspace.changes()] == ["a"]

    def test_what_a_command_changed_is_read_again_before_an_edit(
        self, root: Path, session: Session
    ) -> None:
        (root / "a").write_text("1\n")
        (root / "b").write_text("1\n")
        for name in ("a", "b"):
            session.workspace.read(name)

        def command() -> None:
            (root / "a").write_text("2\n")
            (root / "b").unlink()

        session.runs(command)
        with pytest.raises(ToolError, match="changed on disk"):
            session.workspace.write("a", b"3\n")
        session.workspace.write("b", b"3\n")
        assert (root / "a").read_text() == "2\n"

    def test_a_command_that_is_cancelled_is_recorded(self, root: Path, session: Session) -> None:
        def command() -> None:
            (root / "a").write_text("half")
            raise Cancelled

        with pytest.raises(Cancelled):
            session.runs(command)
        assert [change.path for change in session.workspace.changes()] == ["a"]

    def test_a_change_of_equal_size_and_time(self, root: Path, session: Session) -> None:
        (root / "a").write_text("1\n")
        old = (root / "a").stat()

        def command() -> None:
            (root / "a").write_text("2\n")
            os.utime(root / "a", ns=(old.st_atime_ns, old.st_mtime_ns))

        assert session.runs(command) == ["a"]

    def test_ignored_files_and_artefacts_are_left_alone(self, root: Path, session: Session) -> None:
        (root / ".gitignore").write_text("*.log\n!node_modules/\n")
        (root / ".git" / "info").mkdir(parents=True)
        (root / ".git" / "info" / "exclude").write_text("mine.txt\n")
        names = ("a.log", "mine.txt", "__pycache__/a.pyc", ".pytest_cache/x", ".venv/bin/python")
        more = (".coverage", ".hypothesis/x", ".mypy_cache/x", ".ruff_cache/x", "seen")

        def command() -> None:
            for name in (*names, *more, "node_modules/seen"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("x")

        assert session.runs(command) == ["node_modules/seen", "seen"]

    @pytest.mark.parametrize("name", [*ODD, os.fsdecode(b"latin\xe9")])
    def test_odd_names(self, root: Path, session: Session, name: str) -> None:
        for place in (root / name, root / "sub" / f"x{name}"):
            place.parent.mkdir(exist_ok=True)
            place.write_text("1\n")
        before = listing(root)

        def command() -> None:
            (root / name).write_text("2\n")
            (root / "sub" / f"x{name}").unlink()
            (root / f"{name}2").write_text("3\n")

        assert sorted(session.runs(command)) == sorted((name, f"sub/x{name}", f"{name}2"))
        copy = shutil.copytree(root, root.parent / "copy")
        patch = os.fsencode(session.workspace.patch())
        git(copy, "-c", "core.protectNTFS=false", "apply", "--reverse", "-", stdin=patch)
        assert listing(copy) == before
        undo(session.journal, root)
        assert listing(root) == before

    def test_links_modes_and_kinds(self, root: Path, session: Session) -> None:
        outside = root.parent / "outside"
        outside.write_text("theirs\n")
        (root / "hard").hardlink_to(outside)
        (root / "script").write_text("#!/bin/sh\n")
        (root / "tool").write_text("#!/bin/sh\n")
        (root / "tool").chmod(0o755)
        (root / "link").symlink_to("script")
        (root / "moved").symlink_to("nowhere")
        (root / "folder").mkdir()
        (root / "folder" / "inner").write_text("x")
        (root / "file").write_text("y")
        before = listing(root)

        def command() -> None:
            (root / "script").chmod(0o755)
            (root / "tool").unlink()
            (root / "link").unlink()
            (root / "link").write_text("script")
            (root / "moved").unlink()
            (root / "moved").symlink_to("/etc/passwd")
            (root / "folder").rename(root / "real")
            (root / "folder").symlink_to("real")
            (root / "file").unlink()
            (root / "file").mkdir()
            (root / "file" / "now").write_text("z")
            (root / "hard").unlink()
            (root / "hard").write_text("own\n")

        session.runs(command)
        patch = session.workspace.patch()
        assert "old mode 100644\nnew mode 100755\n" in patch
        assert "new file mode 120000" in patch
        outcomes = undo(session.journal, root)
        assert {item.outcome for item in outcomes} == {"restored", "removed"}, outcomes
        assert listing(root) == before
        assert outside.read_text() == "theirs\n"

    def test_bytes_are_exact_whatever_the_attributes_say(
        self, root: Path, session: Session
    ) -> None:
        (root / ".gitattributes").write_text("* text eol=crlf ident working-tree-encoding=UTF-16\n")
        data = b"$Id$\r\none\ntwo\r\n\xff\xfe"
        (root / "a").write_bytes(data)
        session.runs((root / "a").unlink)
        assert session.workspace.changes()[0].before == data

    def test_nested_repositories_are_looked_into(self, root: Path, session: Session) -> None:
        committed_one = root / "vendor" / "one"
        committed_one.mkdir(parents=True)
        (committed_one / "a").write_text("1\n")
        committed(committed_one)
        (root / "unborn").mkdir()
        git(root / "unborn", "init", "-q")
        (root / "unborn" / "b").write_text("1\n")
        before = listing(root)

        def command() -> None:
            (committed_one / "a").write_text("2\n")
            (root / "unborn" / "b").unlink()
            (root / "cloned").mkdir()
            git(root / "cloned", "init", "-q")
            (root / "cloned" / "c").write_text("1\n")

        assert session.runs(command) == ["unborn/b", "cloned/c", "vendor/one/a"]
        undo(session.journal, root)
        assert listing(root) == before

    def test_too_large_secret_or_unreadable_is_said(self, root: Path, session: Session) -> None:
        for name in ("grown", "big", ".env", "pipe"):
            (root / name).write_text("1\n")
        (root / "big").write_bytes(b"x" * (MAX_FILE + 1))

        def command() -> None:
            (root / "grown").write_bytes(b"x" * (MAX_FILE + 1))
            (root / "big").unlink()
            (root / ".env").write_text("KEY=canary\n")

        assert session.runs(command) == []
        (notice,) = session.workspace.notices()
        assert all(name in notice for name in ("grown", "big", ".env"))
        assert "canary" not in session.workspace.patch()
        kept = session.journal.parent.rglob("*")
        assert not any(
            b"canary" in p.read_bytes() for p in kept if p.is_file() and root not in p.parents
        )
        assert session.runs(lambda: None) == []
        assert session.workspace.notices() == ()

    def test_a_pipe_in_a_files_place(self, root: Path, session: Session) -> None:
        (root / "a").write_text("1\n")

        def command() -> None:
            (root / "a").unlink()
            os.mkfifo(root / "a")

        assert session.runs(command) == ["a"]
        assert [item.outcome for item in undo(session.journal, root)] == ["kept"]


class TestPatch:
    def test_git_applies_what_commands_did(self, root: Path, session: Session) -> None:
        (root / "image").write_bytes(bytes(range(256)) * 9)
        (root / "gone").write_bytes(b"\0" * 5000)
        (root / "text").write_text("a\n")
        (root / "link").symlink_to("text")
        (root / "tool").write_text("x\n")
        (root / "tool").chmod(0o755)
        committed(root)
        copy = root.parent / "copy"
        git(root.parent, "clone", "-q", str(root), str(copy))

        def command() -> None:
            (root / "image").write_bytes(bytes(range(255, -1, -1)) * 7)
            (root / "gone").unlink()
            (root / "made").write_bytes(b"\0" + os.urandom(300))
            (root / "text").chmod(0o755)
            (root / "link").unlink()
            (root / "link").symlink_to("image")
            (root / "tool").unlink()
            (root / "tool").symlink_to("text")

        session.runs(command)
        patch = session.workspace.patch().encode("utf-8", "surrogateescape")
        git(copy, "apply", "-", stdin=patch)
        assert listing(copy) == listing(root)


class TestSessions:
    def test_a_turn_keeps_the_tree_as_it_stood_before(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        with opened(root, tmp_path) as session:
            session.runs(lambda: (root / "a").write_text("2\n"))
            session.workspace.begin_turn()
            session.workspace.read("a")
            with session.workspace.watched(Effect.EDIT):
                session.workspace.write("a", b"3\n")
            with session.workspace.watched(Effect.READ):
                pass
        store = store_of(tmp_path)
        for turn, text in ((1, b"1\n"), (2, b"2\n")):
            assert git(root, "show", f"refs/snapshots/one/{turn}:a", store=store) == text
        assert git(root, "fsck", "--strict", store=store) == b""

    def test_nothing_is_kept_of_a_turn_that_changes_nothing(
        self, root: Path, tmp_path: Path
    ) -> None:
        with opened(root, tmp_path) as session, session.workspace.watched(Effect.READ):
            pass
        assert [path.name for path in store_of(tmp_path).iterdir()] == ["turn.lock"]

    def test_the_second_is_told_and_both_are_right(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        state = tmp_path / "snapshots"
        with opened(root, tmp_path) as first:
            assert first.workspace.notices() == ()
            assert at_work(root, state)
            with opened(root, tmp_path, "two") as second:
                (notice,) = second.workspace.notices()
                assert "Another session" in notice
                assert second.runs(lambda: (root / "b").write_text("x")) == ["b"]
                assert first.runs(lambda: (root / "a").write_text("2\n")) == ["a"]
                assert second.runs(lambda: None) == []
            first.workspace.end_turn()
            assert not at_work(root, state)
            with opened(root, tmp_path, "three") as third:
                assert third.workspace.notices() == ()

    def test_private(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        with opened(root, tmp_path) as session:
            session.runs(lambda: None)
        assert store_of(tmp_path).stat().st_mode & 0o077 == 0


def test_what_another_place_holds_is_not_written_again(tmp_path: Path) -> None:
    root, state = tmp_path / "tree", tmp_path / "state"
    root.mkdir()
    for number in range(9):
        (root / f"file{number}").write_text(f"{number}\n")
    committed(root)
    borrow(root, state / "snapshots", root / ".git" / "objects")
    with opened(root, state) as session:
        assert session.runs(lambda: (root / "file3").write_text("new\n")) == ["file3"]
        own = [file for file in (store_of(state) / "objects").glob("??/*") if file.is_file()]
        assert len(own) == 1  # what was new; the tree of the commit is there too
        assert {item.outcome for item in undo(session.journal, root)} == {"restored"}
    assert (root / "file3").read_text() == "3\n"
