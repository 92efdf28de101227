"""Whatever the tree is, and whatever befalls us: watched, or it is said that it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.tools.watching import Session, committed, git, opened, python, store_of
from tools.errors import ToolError
from tools.snapshots import Snapshots
from tools.undo import undo
from tools.workspace import MAX_FILE


class TestTrees:
    """Whatever the tree is, it is watched or it is said that it is not."""

    def test_linked_worktree_detached_and_unborn(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        (root / ".gitignore").write_text("")
        committed(root)
        (root / ".git" / "info" / "exclude").write_text("local\n")
        git(root, "checkout", "-q", "--detach")
        git(root, "worktree", "add", "-q", str(tmp_path / "linked"))
        (tmp_path / "unborn").mkdir()
        git(tmp_path / "unborn", "init", "-q")
        for place in (root, tmp_path / "linked", tmp_path / "unborn"):

            def command(place: Path = place) -> None:
                (place / "new").write_text("x")
                if place.name != "unborn":
                    (place / "local").write_text("x")

            with opened(place, tmp_path, place.name) as session:
                assert session.runs(command) == ["new"]
                assert session.workspace.notices() == ()

    def test_the_repository_itself_is_untouched(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        (root / "staged").write_text("1\n")
        committed(root)
        (root / "staged").write_text("2\n")
        git(root, "add", "staged")
        (root / "a").write_text("dirty\n")
        own = {p: p.read_bytes() for p in (root / ".git").rglob("*") if p.is_file()}
        with opened(root, tmp_path) as session:
            session.runs(lambda: (root / "new").write_text("x"))
            undo(session.journal, root)
        assert {p: p.read_bytes() for p in (root / ".git").rglob("*") if p.is_file()} == own
        assert (root / "a").read_text() == "dirty\n"

    def test_the_state_folder_in_the_tree_is_not_looked_at(self, root: Path) -> None:
        with opened(root, root / "my [state]!") as session:
            assert session.runs(lambda: (root / "a").write_text("x")) == ["a"]
            assert session.runs(lambda: None) == []

    def test_a_tree_that_is_too_large(self, root: Path, tmp_path: Path, session: Session) -> None:
        for number in range(70):
            with (root / f"{number}").open("wb") as file:
                file.truncate(MAX_FILE)
        assert session.runs(lambda: (root / "a").write_text("x")) == []
        (notice,) = session.workspace.notices()
        assert "not watched" in notice
        assert "512 MB" in notice
        assert session.runs(lambda: (root / "a").write_text("y")) == []
        assert session.workspace.notices() == ()

    def test_no_git(self, root: Path, tmp_path: Path) -> None:
        program = (
            "import os, sys\n"
            "os.environ['PATH'] = sys.argv[2]\n"
            "from pathlib import Path\n"
            "from tools.snapshots import Snapshots\n"
            "snapshots = Snapshots(Path(sys.argv[1]), Path(sys.argv[2]), 's')\n"
            "snapshots.begin_turn()\n"
            "snapshots.before_change(watch=True)\n"
            "print(snapshots.differences(), *snapshots.notices, 'git' in sys.modules)\n"
            "snapshots.close(tidy=True)\n"
        )
        # A git in the folder that one stands in is nobody's choice.
        (root / "git").write_text("#!/bin/sh\ntouch fired\n")
        (root / "git").chmod(0o755)
        for path in (str(tmp_path / "empty"), ".", ""):
            told = python(program, root, path or tmp_path / "empty", cwd=root)
            assert told.startswith("() What commands change is not watched")
            assert "git is not installed" in told
        assert not (root / "fired").exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_tree_of_somebody_else(self, root: Path, session: Session) -> None:
        (root / "a").write_text("1\n")
        committed(root)
        for path in (root, *root.rglob("*")):
            os.chown(path, 65534, 65534)
        environ = {"PATH": os.environ["PATH"], "HOME": str(root.parent)}
        plain = subprocess.run(["git", "status"], cwd=root, env=environ, capture_output=True)
        assert b"dubious ownership" in plain.stderr
        assert session.runs(lambda: (root / "a").write_text("2\n")) == ["a"]
        undo(session.journal, root)
        assert (root / "a").stat().st_uid == 65534

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_as_somebody_else_what_is_unreadable_is_passed_over(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            assert _as_nobody(Path(place)) == 0


def _as_nobody(place: Path) -> int:
    """Watch a command as another user, in a tree with a file that this user cannot read."""
    root = place / "root"
    root.mkdir()
    (root / "theirs").write_text("1\n")
    (root / "theirs").chmod(0o600)
    for folder in (place, root):
        folder.chmod(0o777)
    import git.cmd  # noqa: F401  cannot be read any more after the change of user

    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            with opened(root, place / "state") as session:
                changed = session.runs(lambda: (root / "a").write_text("x"))
                code = 0 if (changed, session.workspace.notices()) == (["a"], ()) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class TestHarm:
    def test_a_full_disk_ends_the_watching_not_the_turn(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_bytes(os.urandom(3000))
        program = (
            "from pathlib import Path\n"
            "from tools.base import Effect\n"
            "from tools.snapshots import Snapshots\n"
            "from tools.workspace import Workspace\n"
            "root, state = map(Path, sys.argv[1:])\n"
            "snapshots = Snapshots(root, state, 's')\n"
            "workspace = Workspace(root, None, snapshots)\n"
            "workspace.begin_turn()\n"
            "for number in range(2):\n"
            "    with workspace.watched(Effect.RUN):\n"
            "        (root / f'b{number}').write_text('x')\n"
            "    print(len(workspace.notices()))\n"
            "snapshots.close(tidy=True)\n"
        )
        assert python(program, root, tmp_path / "s", limit=2000).split() == ["1", "0"]
        assert python(program, root, tmp_path / "s").split() == ["0", "0"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
    def test_no_space_left(self, root: Path, tmp_path: Path) -> None:
        state = tmp_path / "state"
        state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(state)]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("mounting is not allowed here")
        try:
            with opened(root, state) as session:
                changed = session.runs(lambda: (root / "a").write_bytes(os.urandom(100_000)))
                assert changed == ["a"]
                assert session.workspace.notices() == ()
                changed = session.runs(lambda: (root / "b").write_bytes(os.urandom(400_000)))
                assert changed == []
                (notice,) = session.workspace.notices()
                assert "No space left on device" in notice
                undo(session.journal, root)
            assert [path.name for path in root.iterdir()] == ["b"]
        finally:
            subprocess.run(["umount", str(state)], check=True)

    def test_a_journal_that_cannot_be_written_is_said(self, root: Path, session: Session) -> None:
        (session.journal / "journal.jsonl").mkdir()
        assert session.runs(lambda: (root / "a").write_text("x")) == ["a"]
        (notice,) = session.workspace.notices()
        assert "`agent undo` will not take it back" in notice
        with pytest.raises(ToolError, match="not taken back"):
            session.workspace.restore(0)
        assert (root / "a").read_text() == "x"

    def test_a_damaged_store_is_built_anew(self, root: Path, tmp_path: Path) -> None:
        (root / "a").write_text("1\n")
        with opened(root, tmp_path) as session:
            session.runs(lambda: None)
        for place in (store_of(tmp_path) / "objects").rglob("*"):
            if place.is_file():
                place.chmod(0o600)
                place.write_bytes(b"")
        with opened(root, tmp_path, "two") as session:
            session.runs(lambda: (root / "a").write_text("2\n"))
            (notice,) = session.workspace.notices()
            assert "not watched" in notice
        with opened(root, tmp_path, "three") as session:
            assert session.runs(lambda: (root / "a").write_text("3\n")) == ["a"]
            assert session.workspace.notices() == ()

    def test_a_session_that_was_killed_leaves_nothing_in_the_way(
        self, root: Path, tmp_path: Path
    ) -> None:
        (root / "a").write_text("1\n")
        program = (
            "import os, signal\n"
            "from pathlib import Path\n"
            "from tools.base import Effect\n"
            "from tools.snapshots import Snapshots\n"
            "from tools.workspace import Workspace\n"
            "root, state = map(Path, sys.argv[1:])\n"
            "workspace = Workspace(root, None, Snapshots(root, state, 'killed'))\n"
            "workspace.begin_turn()\n"
            "with workspace.watched(Effect.RUN):\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        with pytest.raises(AssertionError):
            python(program, root, tmp_path / "snapshots")
        store = store_of(tmp_path)
        (store / "index-killed.lock").touch()
        with opened(root, tmp_path) as session:
            assert session.runs(lambda: (root / "a").write_text("2\n")) == ["a"]
            assert session.workspace.notices() == ()

    def test_a_pipe_named_gitignore_does_not_block_for_ever(
        self, root: Path, tmp_path: Path
    ) -> None:
        snapshots = Snapshots(root, tmp_path / "s", "one", patience=0.5)
        snapshots.before_change(watch=True)
        os.mkfifo(root / ".gitignore")
        begun = time.monotonic()
        assert snapshots.differences() == ()
        (notice,) = snapshots.notices
        assert "not watched" in notice
        assert time.monotonic() - begun < 20
        snapshots.close()

    def test_a_git_in_the_tree_is_not_run(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = root / ".venv" / "bin" / "git"
        fake.parent.mkdir(parents=True)
        fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/fired\n")
        fake.chmod(0o755)
        monkeypatch.setenv("VIRTUAL_ENV", str(root / ".venv"))
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        with opened(root, tmp_path) as session:
            assert session.runs(lambda: (root / "a").write_text("x")) == ["a"]
            assert session.workspace.notices() == ()
        assert not (tmp_path / "fired").exists()

    def test_git_inherits_nothing(self, root: Path, tmp_path: Path) -> None:
        real = shutil.which("git")
        told = tmp_path / "told"
        (tmp_path / "bin").mkdir()
        wrapper = tmp_path / "bin" / "git"
        wrapper.write_text(f'#!/bin/sh\n/usr/bin/env >> {told}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
        marker = tmp_path / "fired"
        program = (
            "import os\n"
            "from pathlib import Path\n"
            "from tools.snapshots import Snapshots\n"
            "root, state, marker = map(Path, sys.argv[1:])\n"
            f"os.environ['PATH'] = {str(wrapper.parent)!r}\n"
            "os.environ |= {'ANTHROPIC_API_KEY': 'canary', 'GIT_DIR': '/nowhere', \n"
            "    'GIT_INDEX_FILE': '/nowhere', 'GIT_CONFIG_COUNT': '1', \n"
            "    'GIT_CONFIG_KEY_0': 'core.fsmonitor', 'GIT_CONFIG_VALUE_0': f'touch {marker}', \n"
            "    'GIT_CONFIG_PARAMETERS': \"'core.fsmonitor'='false'\", 'GIT_TRACE': str(marker),\n"
            "    'GIT_OBJECT_DIRECTORY': '/nowhere', 'GIT_COMMON_DIR': '/nowhere'}\n"
            "snapshots = Snapshots(root, state, 's')\n"
            "snapshots.begin_turn()\n"
            "snapshots.before_change(watch=True)\n"
            "(root / 'a').write_text('x')\n"
            "print([item.path for item in snapshots.differences()], snapshots.notices)\n"
            "snapshots.close(tidy=True)\n"
        )
        printed = python(program, root, tmp_path / "s", marker)
        assert printed == "['a'] []\n"
        assert "GIT_DIR=" in told.read_text()
        assert "canary" not in told.read_text()
        assert "nowhere" not in told.read_text()
        assert not marker.exists()
