"""A git directory of our own for each tree, under the state folder: how git is run, what is kept.

Owns git's environment, the locks and the pruning. Must not know what is looked for in the tree.

Nothing that a repository or its user configures has a say: no git directory but ours is opened,
no configuration but ours is read, and the tree's attributes are overruled, so that no hook,
filter or file system monitor runs and the bytes are kept as they are.

    <folder>/<key of the root>/   the git directory
        turn.lock                 held while a turn runs on the tree
        store.lock                held, shared, by all who read the objects; exclusively to prune
        index                     what was last seen of the tree, by the session that ended last
        index-<session>           the same, for a session at work
        refs/snapshots/<session>/<turn>   the tree at the start of a turn
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.git_folder import local_excludes
from tools.lock import FileLock
from tools.process import system_program

if TYPE_CHECKING:
    from git.cmd import Git

ARTEFACTS = (
    *("__pycache__/", "*.py[co]", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".tox/"),
    *(".nox/", ".venv/", "venv/", ".hypothesis/", ".coverage", ".coverage.*", "htmlcov/"),
    *(".eggs/", "*.egg-info/", "node_modules/", ".gradle/", ".cache/", ".DS_Store"),
)
"""What programs leave behind and nobody edits; ignored unless a tree's `.gitignore` says `!`."""
SNAPSHOTS = Path("refs") / "snapshots"
TURN_LOCK, USERS_LOCK = LOCKS = ("turn.lock", "store.lock")
_INIT_PATIENCE = 10.0
_CONFIG = {
    "core.bare": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.untrackedCache": "false",
    "core.autocrlf": "false",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.ignoreCase": "false",
    # Names that other systems could not hold are names here.
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    "core.compression": "1",
    # What a crash of the machine damages is built anew; undoing rests on the journal.
    "core.fsync": "none",
    "gc.auto": "0",
    "gc.packRefs": "false",
    "gc.cruftPacks": "false",
}


class StoreError(Exception):
    """The store cannot be used; the message says why, for the user."""


class Store:
    """One tree's git directory. Nothing is on disk before `open` or a lock is wanted."""

    def __init__(self, root: Path, folder: Path, session: str) -> None:
        """
        Args:
            root: The tree, its real path.
            folder: Where the stores of all trees are.
        """
        self.root = root
        self.folder = _place(root, folder)
        self._index = self.folder / f"index-{session}"
        self._users = FileLock(self.folder / USERS_LOCK)
        self._git: Git | None = None
        self._program = ""
        self._environ: dict[str, str] = {}

    def turn_lock(self) -> FileLock:
        """A lock that one turn at a time holds.

        Raises:
            OSError: The folder cannot be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self.folder / TURN_LOCK)

    def open(self) -> None:
        """Make it ready, and if it is new make it.

        Raises:
            StoreError: git is missing or fails.
            OSError: The folder cannot be written.
        """
        if self._git is not None:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._users.take(shared=True, wait=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)  # it may have been pruned while we waited
        self._program = _program(self.root)
        self._git = _git(self.root)
        self._environ = self._environment()
        if not (self.folder / "HEAD").is_file():
            self.git("init", "--quiet", "--template=", seconds=_INIT_PATIENCE)
        info = self.folder / "info"
        info.mkdir(exist_ok=True)
        (info / "exclude").write_text("".join(f"{line}\n" for line in self._ignored()))
        (info / "attributes").write_text("* -text -ident -filter !eol !working-tree-encoding\n")
        with suppress(FileNotFoundError):
            shutil.copyfile(self.folder / "index", self._index)

    @property
    def ready(self) -> bool:
        """Whether it is open."""
        return self._git is not None

    def git(self, *argv: str, seconds: float, stdin: bytes = b"", nested: str = "") -> bytes:
        """What a git command prints; no argument comes from the tree.

        Args:
            seconds: How long it may take.
            nested: A folder of the tree to look at as a tree of its own, of which nothing is known.

        Raises:
            StoreError: It failed or took too long.
        """
        environ: dict[str, str] = {}
        if nested:
            place = f"{self.root}/{nested}"
            argv = ("-C", place, *argv)
            none = str(self.folder / "index-none")
            environ = {"GIT_WORK_TREE": place, "GIT_INDEX_FILE": none}
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile()) if stdin else None
            if file is not None:
                file.write(stdin)
                file.seek(0)
            printed: bytes = self._execute(
                argv, environ, istream=file, kill_after_timeout=seconds, stdout_as_string=False
            )
        return printed

    def blobs(self, ids: list[str], limit: int) -> list[bytes]:
        """The contents of objects, in their order, as many as fit into `limit` bytes.

        Raises:
            StoreError: One of them is not there.
        """
        with tempfile.TemporaryFile() as file:
            file.writelines(f"{name}\n".encode() for name in ids)
            file.seek(0)
            process = self._execute(("cat-file", "--batch"), {}, istream=file, as_process=True)
            found: list[bytes] = []
            try:
                for _ in ids:
                    name, kind, *size = process.stdout.readline().split() or (b"nothing", b"")
                    if kind != b"blob":
                        raise StoreError(f"git has no {name.decode(errors='replace')}")
                    limit -= int(size[0])
                    if limit < 0:
                        break
                    found.append(process.stdout.read(int(size[0])))
                    process.stdout.read(1)
                return found
            finally:
                process.proc.kill()
                for stream in (process.stdout, process.stderr):
                    stream.close()
                process.proc.wait()

    def keep(self, tree: str, session: str, turn: int) -> None:
        """Keep a tree object as the state before a turn."""
        place = self.folder / SNAPSHOTS / session / str(turn)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(".lock")
        partial.write_text(f"{tree}\n")
        partial.replace(place)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else uses it, who then cannot before the block is left.

        What was seen is left to the next session; nothing can be looked at any more.
        """
        if self._git is not None:
            with suppress(OSError):
                self._index.replace(self.folder / "index")
            self._environ["GIT_INDEX_FILE"] = str(self.folder / "index")
        alone = self._users.take()
        try:
            yield alone
        finally:
            self._users.release()

    def close(self) -> None:
        """Leave what was seen to the next session."""
        if self._git is not None:
            with suppress(OSError):
                self._index.replace(self.folder / "index")
        self._git = None
        self._users.release()

    def discard(self) -> None:
        """Empty it unless others use it: something is broken, the next session starts anew."""
        self._git = None
        if self._users.take():
            clear(self.folder)
        with suppress(OSError):
            self._index.unlink()
        self._users.release()

    def _execute(self, argv: tuple[str, ...], environ: dict[str, str], **how: Any) -> Any:  # noqa: ANN401  as GitPython's
        from git.exc import GitError  # loaded with `_git`

        assert self._git is not None
        try:
            return self._git.execute(
                [self._program, *argv],
                env={**self._environ, **environ},
                strip_newline_in_stdout=False,
                start_new_session=True,  # Ctrl-C is ours to answer
                **how,
            )
        except GitError as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            raise StoreError(f"git {argv[0]}: {said[-1] if said else 'failed'}") from error

    def _environment(self) -> dict[str, str]:
        # GitPython hands down our whole environment; emptied, it says nothing: no key, no GIT_*.
        own = {name: "" for name in os.environ}
        own |= {
            "PATH": os.defpath,
            "GIT_DIR": str(self.folder),
            "GIT_COMMON_DIR": str(self.folder),
            "GIT_OBJECT_DIRECTORY": str(self.folder / "objects"),
            "GIT_WORK_TREE": str(self.root),
            "GIT_INDEX_FILE": str(self._index),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_DEFAULT_HASH": "sha1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        config = {**_CONFIG, "core.excludesFile": str(local_excludes(self.root) or os.devnull)}
        own["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (key, value) in enumerate(config.items()):
            own[f"GIT_CONFIG_KEY_{number}"] = key
            own[f"GIT_CONFIG_VALUE_{number}"] = value
        return own

    def _ignored(self) -> Iterator[str]:
        yield from ARTEFACTS
        with suppress(ValueError):  # our own state folder may be in the tree
            inside = self.folder.parent.parent.resolve().relative_to(self.root).as_posix()
            yield "/" + "".join(f"\\{c}" if c in "*?[]\\!# " else c for c in inside) + "/"


def at_work(root: Path, folder: Path) -> bool:
    """Whether a turn runs on a tree whose snapshots are in `folder`."""
    place = _place(root, folder) / TURN_LOCK
    if not place.exists():
        return False
    lock = FileLock(place)
    free = lock.take()
    lock.release()
    return not free


def borrow(root: Path, folder: Path, objects: Path) -> None:
    """Let the store of a tree, which is not made yet, find objects elsewhere: what is there is not
    written again. For a store that is thrown away before that place is.

    Args:
        root: The tree.
        folder: Where the stores of all trees are.
        objects: Of a git directory.
    """
    info = _place(root.resolve(), folder) / "objects" / "info"
    info.mkdir(mode=0o700, parents=True, exist_ok=True)
    (info / "alternates").write_text(f"{objects}\n", encoding="utf-8")


def _place(root: Path, folder: Path) -> Path:
    return folder / hashlib.sha256(os.fsencode(root)).hexdigest()[:24]


def clear(folder: Path) -> None:
    """Delete what a store holds, but for its locks."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name not in LOCKS:
                os.unlink(entry.path)


def remove(folder: Path) -> bool:
    """Take a whole store away unless somebody uses it; whether it is gone."""
    locks = [FileLock(folder / name) for name in LOCKS]
    try:
        if all(lock.take() for lock in locks):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return False
    finally:
        for lock in locks:
            lock.release()
    return not folder.exists()


def _git(root: Path) -> Git:
    """GitPython's way of running git."""
    # While it is imported it would run whatever git the path has; there is none here.
    names = {"GIT_PYTHON_REFRESH": "quiet", "GIT_PYTHON_GIT_EXECUTABLE": os.devnull}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        from git.cmd import Git  # 90 ms; only needed when something is to be changed or run
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return Git(root)


def _program(root: Path) -> str:
    """Where git is.

    Raises:
        StoreError: It is not installed.
    """
    found = system_program("git", root)
    if found is None:
        raise StoreError("git is not installed")
    return found
