"""A workspace whose commands are watched, and what else tests of that need."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.base import Effect
from tools.journal import Journal
from tools.snapshots import Snapshots
from tools.workspace import Workspace

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
