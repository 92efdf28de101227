"""The workspace against real files: containment, safe reads, atomic writes, patches."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.journal import Journal
from tools.workspace import MAX_FILE, Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape")


class TestFiles:
    def test_respects_ignores_with_and_without_git(self, root: Path) -> None:
        (root / ".gitignore").write_text("*.log\nbuild/\n")
        (root / "build").mkdir()
        for name in ("a.log", "b.py", "build/c.py", ".hidden", "Z.py"):
            (root / name).touch()
        expected = (".gitignore", ".hidden", "Z.py", "b.py")
        assert Workspace(root).files() == expected
        git(root, "init", "-q")
        assert Workspace(root).files() == expected

    def test_ignores_above_a_folder_without_git_do_not_count(self, root: Path) -> None:
        (root.parent / ".gitignore").write_text("*\n")
        (root / "a.py").touch()
        assert Workspace(root).files() == ("a.py",)

    def test_ignores_of_the_repository_count_in_a_subfolder(self, root: Path) -> None:
        git(root, "init", "-q")
        (root / ".gitignore").write_text("*.log\n")
        (root / "sub").mkdir()
        (root / "sub" / "a.log").touch()
        (root / "sub" / "a.py").touch()
        assert Workspace(root / "sub").files() == ("a.py",)

    def test_odd_names(self, root: Path) -> None:
        names = ("--help", "-rf", "a b", "new\nline", "über.py")
        for name in names:
            (root / name).touch()
        Path(os.fsdecode(os.fsencode(root) + b"/latin\xe9.py")).touch()
        assert Workspace(root).files() == tuple(sorted(names))

    def test_kept_until_a_write_or_refresh(self, root: Path) -> None:
        workspace = Workspace(root)
        assert workspace.files() == ()
        (root / "a").touch()
        assert workspace.files() == ()
        workspace.refresh()
        assert workspace.files() == ("a",)
        workspace.write("b", b"")
        assert workspace.files() == ("a", "b")


class TestContainment:
    @pytest.mark.parametrize(
        "path",
        ["..", "../x", "/etc/passwd", "a/../../x", "out", "out/x", "dangling", "loop", "a\0"],
    )
    def test_nothing_outside(self, root: Path, path: str) -> None:
        (root.parent / "x").write_text("outside")
        (root / "a").mkdir()
        (root / "out").symlink_to(root.parent)
        (root / "dangling").symlink_to(root.parent / "nothing")
        (root / "loop").symlink_to("loop")
        workspace = Workspace(root)
        with pytest.raises(ToolError):
            workspace.read(path)
        with pytest.raises(ToolError):
            workspace.write(path, b"evil")
        assert not (root.parent / "nothing").exists()
        assert (root.parent / "x").read_text() == "outside"

    @pytest.mark.parametrize("path", [".git", ".git/config", "sub/../.git/hooks/x", "link/config"])
    def test_git_is_out_of_bounds(self, root: Path, path: str) -> None:
        git(root, "init", "-q")
        (root / "sub").mkdir()
        (root / "link").symlink_to(".git")
        for act in (Workspace(root).resolve, Workspace(root).read):
            with pytest.raises(ToolError, match=r"git's own|outside"):
                act(path)

    def test_absolute_paths_and_links_inside(self, root: Path) -> None:
        (root / "a").mkdir()
        (root / "a" / "f.py").write_text("1\n")
        (root / "link.py").symlink_to("a/f.py")
        alias = root.parent / "alias"
        alias.symlink_to(root)
        workspace = Workspace(alias)
        assert workspace.root == root.resolve()
        for path in (str(root / "a/f.py"), str(alias / "a/f.py"), "a/../a/f.py", "link.py"):
            assert workspace.name(path) == "a/f.py"
        workspace.read("link.py")
        workspace.write("link.py", b"2\n")
        assert (root / "link.py").is_symlink()
        assert (root / "a" / "f.py").read_text() == "2\n"

    @pytest.mark.skipif(sys.platform != "linux", reason="exchanges two names with renameat2")
    def test_a_folder_swapped_for_a_link_is_not_followed(self, root: Path) -> None:
        """Whenever the swap happens, nothing is ever read or written outside."""
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
        here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        names = (os.fsencode(root / "d"), os.fsencode(root / "evil"))
        outside = root.parent / "outside"
        outside.mkdir()
        (outside / "f").write_text("secret")
        (root / "d").mkdir()
        (root / "d" / "f").write_text("public")
        (root / "evil").symlink_to(outside)
        stop = threading.Event()

        def swap() -> None:
            while not stop.is_set():
                exchange(here, names[0], here, names[1], both)

        thread = threading.Thread(target=swap)
        thread.start()
        workspace, done = Workspace(root), 0
        try:
            for _ in range(1500):
                with suppress(ToolError):
                    assert workspace.read("d/f") != b"secret"
                    workspace.write("d/f", b"public!")
                    done += 1
        finally:
            stop.set()
            thread.join()
        assert 0 < done < 1500
        assert sorted(path.name for path in outside.iterdir()) == ["f"]
        assert (outside / "f").read_text() == "secret"


class TestRead:
    def test_what_is_no_file_is_refused_at_once(self, root: Path) -> None:
        os.mkfifo(root / "pipe")
        with socket.socket(socket.AF_UNIX) as server:
            previous = Path.cwd()
            os.chdir(root)  # a socket's path may have 108 bytes
            try:
                server.bind("socket")
            finally:
                os.chdir(previous)
            (root / "folder").mkdir()
            workspace = Workspace(root)
            for name, kind in (("pipe", "pipe"), ("socket", "socket"), ("folder", "folder")):
                with pytest.raises(ToolError, match=kind):
                    workspace.read(name)

    def test_binary_and_giant(self, root: Path) -> None:
        (root / "a.png").write_bytes(b"\x89PNG\r\n\0\0")
        with (root / "giant.txt").open("wb") as file:
            file.truncate(MAX_FILE + 1)
        with pytest.raises(ToolError, match=r"binary \(image/png, 8 bytes\)"):
            Workspace(root).read("a.png")
        with pytest.raises(ToolError, match="8,388,609 bytes"):
            Workspace(root).read("giant.txt")

    @pytest.mark.parametrize("name", [".env", "sub/.env.local", "tls.pem", "id_rsa", "ID_ED25519"])
    def test_secrets(self, root: Path, name: str) -> None:
        (root / "sub").mkdir()
        (root / name).write_text("KEY=canary")
        (root / "notes.txt").symlink_to(name)
        for path in (name, "notes.txt"):
            with pytest.raises(ToolError, match="secrets"):
                Workspace(root).read(path)

    def test_examples_of_secrets_are_readable(self, root: Path) -> None:
        (root / ".env.example").write_text("KEY=\n")
        assert Workspace(root).read(".env.example") == b"KEY=\n"

    def test_the_nearest_names_are_given(self, root: Path) -> None:
        (root / "src").mkdir()
        (root / "src" / "report.py").touch()
        (root / "README.md").touch()
        with pytest.raises(ToolError, match=r"no file 'report\.py'\. Nearest: src/report\.py\."):
            Workspace(root).read("report.py")
        with pytest.raises(ToolError, match=r"src/report\.py"):
            Workspace(root).read("src/reports.py")


class TestWrite:
    def test_unread_or_changed_files_are_not_replaced(self, root: Path) -> None:
        file = root / "a.py"
        file.write_text("1\n")
        workspace = Workspace(root)
        with pytest.raises(ToolError, match="read it first"):
            workspace.write("a.py", b"2\n")
        workspace.read("a.py")
        file.write_text("3\n")
        with pytest.raises(ToolError, match="changed on disk"):
            workspace.write("a.py", b"2\n")
        workspace.read("a.py")
        workspace.write("a.py", b"4\n")
        workspace.write("a.py", b"5\n")
        assert file.read_text() == "5\n"
        file.unlink()
        with pytest.raises(ToolError, match="changed on disk"):
            workspace.write("a.py", b"6\n")

    def test_peeking_is_not_reading(self, root: Path) -> None:
        (root / "a.py").write_text("1\n")
        workspace = Workspace(root)
        assert workspace.peek("a.py") == b"1\n"
        with pytest.raises(ToolError, match="read it first"):
            workspace.write("a.py", b"2\n")
        workspace.write("a.py", b"2\n", basis=b"1\n")
        with pytest.raises(ToolError, match="read it first"):
            workspace.write("a.py", b"3\n")

    def test_mode_stays_hard_links_break_parents_are_made(self, root: Path) -> None:
        outside = root.parent / "outside"
        outside.write_text("1\n")
        outside.chmod(0o751)
        (root / "a").hardlink_to(outside)
        workspace = Workspace(root)
        workspace.read("a")
        workspace.write("a", b"2\n")
        assert (root / "a").stat().st_mode & 0o7777 == 0o751
        assert outside.read_text() == "1\n"
        workspace.write("x/y/z.py", b"")
        assert (root / "x/y/z.py").read_bytes() == b""
        (root / "plain").touch()
        assert (root / "x/y/z.py").stat().st_mode == (root / "plain").stat().st_mode

    @pytest.mark.parametrize("name", ["--help", "a\nb", " ", "ünï", "-"])
    def test_odd_names(self, root: Path, name: str) -> None:
        workspace = Workspace(root)
        workspace.write(name, b"x\n")
        assert workspace.read(name) == b"x\n"

    def test_a_file_cannot_be_a_folder(self, root: Path) -> None:
        (root / "a").touch()
        with pytest.raises(ToolError, match="not a folder"):
            Workspace(root).write("a/b", b"")

    def test_a_write_that_fails_leaves_everything_as_it_was(self, root: Path) -> None:
        (root / "a").write_text("old\n")
        program = (
            "import resource, sys\n"
            "from pathlib import Path\n"
            "from tools.base import ToolError\n"
            "from tools.workspace import Workspace\n"
            "workspace = Workspace(Path(sys.argv[1]))\n"
            "workspace.read('a')\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "for name in ('a', 'new/b'):\n"
            "    try:\n"
            "        workspace.write(name, b'x' * 5000)\n"
            "    except ToolError as error:\n"
            "        print(error)\n"
            "print(workspace.changes(), workspace.checkpoint())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.splitlines() == [
            "'a' was not written: file too large.",
            "'new/b' was not written: file too large.",
            "() 0",
        ]
        assert [path.name for path in root.iterdir()] == ["a"]
        assert (root / "a").read_text() == "old\n"

    def test_killed_at_any_moment_the_file_is_old_or_new(self, root: Path) -> None:
        old, new = b"o" * 500_000, b"n" * 500_000
        (root / "a").write_bytes(old)
        program = (
            "import sys\n"
            "from pathlib import Path\n"
            "from tools.workspace import Workspace\n"
            "workspace = Workspace(Path(sys.argv[1]))\n"
            "workspace.read('a')\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    for letter in (b'n', b'o'):\n"
            "        workspace.write('a', letter * 500_000)\n"
        )
        for delay in (0.005, 0.02):
            with subprocess.Popen(
                [sys.executable, "-c", program, str(root)],
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                threading.Event().wait(delay)
                process.kill()
            assert (root / "a").read_bytes() in (old, new)

    def test_no_record_no_write(self, root: Path) -> None:
        journal = Journal(root.parent / "journal")
        workspace = Workspace(root, journal)
        (journal.folder / "journal.jsonl").mkdir()
        with pytest.raises(ToolError, match="not written"):
            workspace.write("a", b"1")
        assert list(root.iterdir()) == []
        assert workspace.changes() == ()


class TestRestore:
    def test_exact_bytes_come_back(self, root: Path) -> None:
        (root / "a").write_bytes(b"1\r\n\xff")
        workspace = Workspace(root)
        workspace.read("a")
        workspace.write("a", b"2")
        mark = workspace.checkpoint()
        workspace.write("a", b"3")
        workspace.write("new/deep/b", b"x")
        workspace.write("new/deep/b", b"y")
        done = workspace.restore(mark)
        assert {(item.path, item.outcome) for item in done} == {
            ("a", "restored"),
            ("new/deep/b", "removed"),
        }
        assert (root / "a").read_bytes() == b"2"
        assert not (root / "new").exists()
        workspace.write("a", b"4")  # what was restored is what was seen before
        assert [item.outcome for item in workspace.restore(0)] == ["restored"]
        assert (root / "a").read_bytes() == b"1\r\n\xff"
        assert workspace.changes() == ()

    def test_folders_with_the_users_files_stay(self, root: Path) -> None:
        workspace = Workspace(root)
        workspace.write("d/a", b"x")
        (root / "d" / "own").touch()
        workspace.restore(0)
        assert [path.name for path in (root / "d").iterdir()] == ["own"]

    def test_the_users_edit_in_between_stays(self, root: Path) -> None:
        lines = [f"line {i}\n" for i in range(9)]
        file = root / "a"
        file.write_text("".join(lines))
        workspace = Workspace(root)
        workspace.read("a")
        workspace.write("a", "".join(["first\n", *lines[1:]]).encode())
        file.write_text(file.read_text().replace("line 8", "mine"))
        assert [item.outcome for item in workspace.restore(0)] == ["merged"]
        assert file.read_text() == "".join([*lines[:8], "mine\n"])


class TestPatch:
    def test_git_applies_it(self, root: Path) -> None:
        before = {
            "plain.py": b"a\nb\nc\n",
            "crlf.txt": b"a\r\nb\r\nc\r\n",
            "latin.txt": b"caf\xe9\nnext\n",
            "no end.txt": b"a\nlast",
            "gains end.txt": b"a\nlast",
            "emptied.txt": b"a\n",
            "filled.txt": b"",
            'deep/ü "q".py': b"x = 1\n",
            "page\x0cbreak.txt": b"a\x0cb\nc\x1cd\n",
            "gone.txt": b"bye\n",
        }
        after: dict[str, bytes] = {
            "plain.py": b"a\nB\nc\n",
            "crlf.txt": b"a\r\nB\r\nc\r\n",
            "latin.txt": b"caf\xe9\nn\xe4chst\n",
            "no end.txt": b"b\nlast, still without",
            "gains end.txt": b"a\nlast\n",
            "emptied.txt": b"",
            "filled.txt": b"b\n",
            'deep/ü "q".py': b"x = 2\n",
            "page\x0cbreak.txt": b"a\x0cb\nc\x1ce\n",
            "new file.txt": b"fresh, without end",
            "new empty.txt": b"",
            "tab\there.txt": b"t\n",
        }
        for name, data in before.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
        git(root, "init", "-q")
        git(root, "config", "core.autocrlf", "false")
        git(root, "add", "-A")
        git(root, "commit", "-qm", "x")
        copy = root.parent / "copy"
        git(root.parent, "clone", "-q", str(root), str(copy))
        workspace = Workspace(root)
        for name, data in after.items():
            if name in before:
                workspace.read(name)
            workspace.write(name, data)
        workspace.read("gone.txt")
        workspace.write("gone.txt", b"see you\n")
        (root / "gone.txt").unlink()
        patch = workspace.patch().encode("utf-8", "surrogateescape")
        git(copy, "apply", "--whitespace=nowarn", "-", stdin=patch)
        assert {
            path.relative_to(copy).as_posix(): path.read_bytes()
            for path in copy.rglob("*")
            if path.is_file() and ".git" not in path.parts
        } == after
        assert {change.path for change in workspace.changes()} == {*after, "gone.txt"}

    def test_net(self, root: Path) -> None:
        (root / "a").write_bytes(b"1\n")
        workspace = Workspace(root)
        assert workspace.patch() == ""
        workspace.read("a")
        workspace.write("a", b"2\n")
        workspace.write("a", b"1\n")
        assert workspace.changes() == ()
        assert workspace.patch() == ""
