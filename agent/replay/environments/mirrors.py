"""Clones that work trees are taken from: those the user has, else ones of our own.

Owns where a clone is found and how one is made. Must not know what is taken from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.replay.environments.base import Unavailable
from agent.replay.environments.keeping import made_once
from agent.replay.environments.programs import Git, network_variables
from tools.base import Cancel
from tools.errors import Cancelled

_CLONING = 3600.0
"""Seconds for a clone, or for what it lacks."""


class Mirrors:
    """The clones of this machine. Safe to be used by several workers and processes at a time."""

    def __init__(self, git: Git, cache: Path, folders: Sequence[Path], host: str) -> None:
        """
        Args:
            cache: Where our own clones are kept.
            folders: Each holds clones, as `owner__name`, `owner/name` or `owner+name/repo`.
            host: What `/owner/name` is put behind to clone a repository.
        """
        self._git = git
        self._cache = cache
        self._folders = folders
        self._host = host

    def holding(self, repo: str, commit: str, cancel: Cancel) -> tuple[Path, str]:
        """A clone that has a commit, and the commit's full name.

        Args:
            repo: `owner/name`, or the path of a repository.

        Raises:
            Unavailable: There is none, and none can be made.
            Cancelled: `cancel` was set.
        """
        own = self._cache / f"{flat(repo)}.git"
        if os.path.isabs(repo):
            found = Path(repo) if _is_repository(Path(repo)) else None
            if found is None:
                raise Unavailable(f"There is no git repository {repo}.")
        else:
            found = next((each for folder in self._folders for each in _places(folder, repo)), None)
        if found is not None:
            if full := self._full_name(found, commit, cancel):
                return found, full
            raise Unavailable(
                f"The clone {found} has no commit {commit}, or cannot be read: fetch it there."
            )
        with made_once(own, cancel) as folder:
            if folder is not None:
                self._clone(repo, folder, cancel)
        full = self._full_name(own, commit, cancel)
        if not full:
            # Old pull requests are on no branch; hosts give them out by name.
            self._network(("fetch", "-q", f"{self._host}/{repo}", commit), own, cancel)
            full = self._full_name(own, commit, cancel)
        if not full:
            raise Unavailable(f"{self._host}/{repo} has no commit {commit}.")
        return own, full

    def _full_name(self, clone: Path, commit: str, cancel: Cancel) -> str:
        done = self._git.run(("rev-parse", "-q", "--verify", f"{commit}^{{commit}}"), clone, cancel)
        return done.output.strip() if done.code == 0 else ""

    def _clone(self, repo: str, folder: Path, cancel: Cancel) -> None:
        argv = ("clone", "-q", "--bare", "--template=", f"{self._host}/{repo}", str(folder))
        if trouble := self._network(argv, folder.parent, cancel):
            raise Unavailable(
                f"{repo} cannot be cloned: {trouble}. Name a folder that holds a clone: --mirrors."
            )

    def _network(self, argv: Sequence[str], cwd: Path, cancel: Cancel) -> str:
        """Run git as the user would, with his proxies and names of hosts; the complaint, if any."""
        done = self._git.run(
            argv, cwd, cancel, timeout=_CLONING, env=network_variables(), own=False
        )
        if done.cancelled:
            raise Cancelled
        return "" if done.code == 0 else _complaint(done.output) or done.ending


def flat(repo: str) -> str:
    """A repository's name as that of a file: `owner__name`."""
    return re.sub(r"[^\w.-]+", "__", repo).strip("_.") or "repository"


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ").rstrip(".")


def _places(folder: Path, repo: str) -> Iterator[Path]:
    """The clones of a repository in a folder, the plainest name first."""
    owner, _, name = repo.partition("/")
    stems = [folder / f"{owner}__{name}", folder / owner / name, folder / f"{owner}+{name}"]
    # Another owner's copy, which is named for the one it copies.
    stems += [*sorted(folder.glob(f"*+{owner}__{name}")), folder / "swe-bench" / f"{owner}__{name}"]
    for stem in stems:
        for place in (stem, stem.with_name(f"{stem.name}.git"), stem / "repo", stem / "repo.git"):
            if _is_repository(place):
                yield place


def _is_repository(place: Path) -> bool:
    bare = (place / "HEAD").is_file() and (place / "objects").is_dir()
    return bare or (place / ".git").exists()
