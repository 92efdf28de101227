"""A merged fix in the user's repository: its commit, its change, and trees of its history.

Owns git. Must not know what is done with a tree. Objects are read through an empty git directory
of our own, so nothing that the repository configures has a say: no hook, no filter, no fetching.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.errors import InputError
from tools.git_folder import common_folder, git_folder
from tools.process import clean_environment, system_program

_SECONDS = 120.0
_DIFF = ("--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
_CONFIG = ("core.hooksPath=/dev/null", "core.attributesFile=/dev/null", "core.quotePath=true")


@dataclass(frozen=True, slots=True)
class Fix:
    """A commit and what it changed."""

    commit: str
    parent: str
    """Of a merge, the first: what it was merged into."""
    message: str
    date: str
    """ISO 8601."""
    files: tuple[str, ...]
    """Relative, `/`."""


class Upstream:
    """The history of one repository. Opened by `opened`."""

    def __init__(self, root: Path, program: str, folder: Path, objects: Path) -> None:
        self._root = root
        self._program = program
        self._folder = folder
        self._objects = objects

    def fix(self, name: str) -> Fix:
        """The commit that a name means in the repository.

        Raises:
            InputError: There is none, or it has no parent here.
        """
        where = ("-C", str(self._root), "rev-parse", "--quiet", "--verify", "--end-of-options")
        try:
            commit = self._run((*where, f"{name}^{{commit}}"), own=False).strip()
        except InputError:
            raise InputError(f"There is no commit {name!r} in {self._root}.") from None
        parents = self._run(("rev-list", "--parents", "-n1", commit)).split()[1:]
        if not parents:
            raise InputError(
                f"{name} is the first commit that is here: there is nothing before it."
            )
        shown = self._run(("show", "--no-patch", "--format=%cI%x00%B", commit))
        date, _, message = shown.partition("\0")
        names = self._run(("diff", "--name-only", "--no-renames", "-z", parents[0], commit))
        files = tuple(path for path in names.split("\0") if path)
        return Fix(commit, parents[0], message.strip(), date, files)

    def patch(self, fix: Fix, files: Sequence[str]) -> str:
        """What the commit did to these files."""
        return self._run(("diff", *_DIFF, fix.parent, fix.commit, "--", *files))

    def check_out(self, commit: str, target: Path, files: Sequence[str] | None = None) -> None:
        """Write a commit's files below a folder, to the byte.

        Args:
            files: Only these; those that the commit does not have are removed.
        """
        index = {"GIT_INDEX_FILE": str(target.with_name(f"{target.name}.index"))}
        self._run(("read-tree", commit), index)
        target.mkdir(exist_ok=True)
        prefix = f"--prefix={target}/"
        if files is None:
            self._run(("checkout-index", "--all", "--force", prefix), index)
            return
        listed = self._run(("ls-files", "-z", "--", *files), index).split("\0")
        there = [path for path in files if path in listed]
        if there:
            self._run(("checkout-index", "--force", prefix, "--", *there), index)
        for path in set(files) - set(there):
            (target / path).unlink(missing_ok=True)

    def _run(self, argv: Sequence[str], extra: dict[str, str] = {}, own: bool = True) -> str:  # noqa: B006  read only
        variables = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            **extra,
        }
        if own:
            variables["GIT_DIR"] = str(self._folder)
            variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(self._objects)
            variables["GIT_WORK_TREE"] = str(self._folder)
        config = [word for setting in _CONFIG for word in ("-c", setting)]
        try:
            done = subprocess.run(
                [self._program, *config, *argv],
                env=clean_environment(variables),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"git cannot read {self._root}: {error}.") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(f"git cannot read {self._root}: {said[-1] if said else argv[0]}.")
        return done.stdout.decode("utf-8", "surrogateescape")


@contextmanager
def opened(root: Path) -> Iterator[Upstream]:
    """The history of the repository at `root`.

    Raises:
        InputError: It is none, or git is missing.
    """
    program, git = system_program("git", root), git_folder(root)
    if program is None:
        raise InputError("git is not installed.")
    if git is None:
        raise InputError(f"{root} is no git repository.")
    objects = (common_folder(git) / "objects").resolve()
    if not objects.is_dir() or ":" in str(objects):
        raise InputError(f"The objects of {root} cannot be read at {objects}.")
    folder = Path(tempfile.mkdtemp(prefix="parity-new-"))
    try:
        for name in ("objects", "refs", "info"):
            (folder / name).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "info" / "attributes").write_text("* -text -ident -filter !eol\n")
        yield Upstream(root, program, folder, objects)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
