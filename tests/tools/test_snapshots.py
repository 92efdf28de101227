"""What programs change in a tree: seen, kept, taken back; with real git and hostile trees."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.base import Cancelled, Effect, ToolError
from tools.journal import Journal
from tools.snapshot_store import at_work
from tools.snapshots import Snapshots
from tools.undo import undo
from tools.workspace import MAX_FILE, Workspace

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Session:
    """A session's workspace, and where it keeps things."""

    snapshots: Snapshots
    journal: Path
    workspace: Workspace

    def runs(self, command: Callable[[], object]) -> list[str]:
        """Let a program work on the tree; what it is seen to have changed."""
        with self.workspace.watched(Effect.RUN) as changed:
            command()
        return changed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def session(root: Path, tmp_path: Path) -> Iterator[Session]:
    with opened(root, tmp_path) as made:
        yield made


@contextmanager
def opened(root: Path, state: Path, name: str = "one") -> Iterator[Session]:
    snapshots = Snapshots(root, state / "snapshots", name)
    journal = state / f"journal-{name}"
    workspace = Workspace(root, Journal(journal), snapshots)
    workspace.begin_turn()
    yield Session(snapshots, journal, workspace)
    snapshots.close(tidy=True)


def git(folder: Path, *argv: str, stdin: bytes | None = None, store: Path | None = None) -> bytes:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
    if store is not None:
        environ |= {"GIT_DIR": str(store), "GIT_WORK_TREE": str(folder)}
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *argv], cwd=folder, env=environ, input=stdin, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def committed(folder: Path) -> Path:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


def listing(folder: Path) -> dict[bytes, tuple[int, bytes]]:
    """Every file and link but git's own, with its mode."""
    found = {}
    for path, folders, files in os.walk(os.fsencode(folder)):
        if b".git" in folders:
            folders.remove(b".git")
        links = [name for name in folders if os.path.islink(os.path.join(path, name))]
        for name in (*files, *links):
            place = os.path.join(path, name)
            inside = os.path.relpath(place, os.fsencode(folder))
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                found[inside] = (0, os.readlink(place))
            elif stat.S_ISREG(status.st_mode):
                found[inside] = (
                    stat.S_IMODE(status.st_mode),
                    Path(os.fsdecode(place)).read_bytes(),
                )
    return found


def store_of(state: Path) -> Path:
    (store,) = (state / "snapshots").iterdir()
    return store


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
        names = (*names, ".coverage", ".hypothesis/x", ".mypy_cache/x", ".ruff_cache/x", "seen")

        def command() -> None:
            for name in (*names, "node_modules/seen"):
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
        git(copy, "apply", "--reverse", "-", stdin=os.fsencode(session.workspace.patch()))
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


def python(program: str, *argv: str | Path, cwd: Path = ROOT, limit: int | None = None) -> str:
    """What a Python of its own prints; `limit` is the most bytes that a file may have there."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}",
            *argv,
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        preexec_fn=restrict,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
