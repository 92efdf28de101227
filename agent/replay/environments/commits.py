"""A repository of one commit, which holds a tree and nothing that came after it.

Owns how it is made and that it is exact. Must not know where the tree comes from, nor what is
done to it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from agent.replay.environments.base import Unavailable
from agent.replay.environments.keeping import made_once
from agent.replay.environments.mirrors import Mirrors, flat
from agent.replay.environments.programs import Git, last_line
from tools.base import Cancel

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COPY = (
    'printf "%s\\n" "$1" | git --git-dir="$2" pack-objects --revs --stdout -q --threads=1 '
    '| git --git-dir="$3" index-pack --stdin'
)
"""The objects of a tree alone: with a commit's name the history could be asked for."""
_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding -export-subst\n"
"""What the repository's own attributes would change on the way from an object to a file."""
_DATE = "2000-01-01T00:00:00Z"
_IDENTITY = {"GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE}


class Commits:
    """Commits as repositories of their own; each is taken out of its clone once and kept."""

    def __init__(self, git: Git, mirrors: Mirrors, cache: Path) -> None:
        """
        Args:
            cache: Where what was taken out of clones is kept.
        """
        self._git = git
        self._mirrors = mirrors
        self._cache = cache

    def check_out(self, store: Path, folder: Path, cancel: Cancel) -> None:
        """Make a folder a repository of one commit, its files those of the commit, to the byte.

        Args:
            store: The commit, as `kept` has it.

        Raises:
            Unavailable: The commit's objects are damaged.
            Cancelled: `cancel` was set.
        """
        folder.mkdir()
        shutil.copytree(store, folder / ".git", symlinks=True)
        self._git.must(("read-tree", "HEAD"), folder, cancel)
        self._git.must(("checkout-index", "-a", "-f", "-q"), folder, cancel)
        # Refreshed, an entry that stays unlike its file is one that was not written as it is.
        done = self._git.run(("update-index", "-q", "--refresh"), folder, cancel)
        if done.code != 0:
            raise Unavailable(f"The files of {store.name} are not as they should be here.")

    def commit(self, folder: Path, cancel: Cancel) -> None:
        """Take all that lies in a tree into its one commit."""
        self._git.must(("add", "-A"), folder, cancel)
        argv = ("commit", "-q", "--amend", "--no-verify", "--allow-empty", "-m", "base")
        done = self._git.run(argv, folder, cancel, env=_IDENTITY)
        if done.code != 0:
            raise Unavailable(f"git commit failed in {folder}: {last_line(done)}.")

    def kept(self, repo: str, commit: str, cancel: Cancel) -> Path:
        """A commit as it is kept: a folder that has the commit's full name.

        Raises:
            Unavailable: There is no such repository or commit, or its objects are damaged.
            Cancelled: `cancel` was set.
        """
        clone = None
        if _FULL.fullmatch(commit) is None:
            clone, commit = self._mirrors.holding(repo, commit, cancel)
        place = self._cache / flat(repo) / commit
        with made_once(place, cancel) as folder:
            if folder is not None:
                if clone is None:
                    clone, commit = self._mirrors.holding(repo, commit, cancel)
                self._take_out(clone, commit, folder, cancel)
        return place

    def _take_out(self, clone: Path, commit: str, folder: Path, cancel: Cancel) -> None:
        git = self._git
        tree = git.must(("rev-parse", f"{commit}^{{tree}}"), clone, cancel).strip()
        inner = git.must(("rev-parse", "--absolute-git-dir"), clone, cancel).strip()
        # As a tree's `.git` will be: told where it is, git makes one that is not bare.
        git.must(("init", "-q", "--template=", str(folder / "tree")), folder, cancel)
        made = folder / "tree" / ".git"
        script = ("sh", "-c", _COPY, "sh", tree, inner, str(made))
        done = git.shell(script, folder, cancel)
        if done.code != 0:
            raise Unavailable(f"The clone {clone} cannot be read: {last_line(done)}.")
        (made / "info").mkdir(exist_ok=True)
        (made / "info" / "attributes").write_text(_ATTRIBUTES)
        done = git.run(("commit-tree", tree, "-m", "base"), made.parent, cancel, env=_IDENTITY)
        if done.code != 0:
            raise Unavailable(f"The clone {clone} cannot be read: {last_line(done)}.")
        git.must(("update-ref", "HEAD", done.output.strip()), made.parent, cancel)
        if git.must(("rev-parse", "HEAD^{tree}"), made.parent, cancel).strip() != tree:
            raise Unavailable(f"The tree of {commit} could not be taken out of {clone}.")
        for each in made.iterdir():
            each.rename(folder / each.name)
        shutil.rmtree(folder / "tree")
