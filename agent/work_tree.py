"""Where a turn works: the work tree that a folder is in, or a copy of it.

Looks at files alone: no git is run, and nothing that the repository configures. Must not know what
is done there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import InputError
from tools.git_folder import other_tree
from tools.workspace import Workspace


def find_root(folder: Path) -> Path:
    """The work tree that `folder` is in, else the folder itself.

    Raises:
        InputError: There is no such folder, it is a bare repository, or git has been told that
            the repository's files are elsewhere.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    real = folder.resolve()
    for place in (real, *real.parents):
        if (place / ".git").exists():
            if elsewhere := other_tree(place):
                raise InputError(
                    f"In the repository {place} git writes to other files, those of {elsewhere}: "
                    "take core.worktree out of its configuration, or work there."
                )
            return place
        if (place / "HEAD").is_file() and (place / "objects").is_dir():
            raise InputError(f"{folder} is a bare repository: it has no files to work on.")
    return real


@contextmanager
def copied(root: Path, named: Iterable[str] = ()) -> Iterator[Path]:
    """A copy of the tree's files, without those that are ignored, that is gone afterwards.

    Args:
        named: Files, relative, that are copied also when they are ignored.
    """
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        target = Path(folder).resolve() / root.name
        wanted = filter(lambda path: (root / path).is_file(), named)
        for path in dict.fromkeys((*Workspace(root).files(), *wanted)):
            copy = target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy, follow_symlinks=False)
        target.mkdir(exist_ok=True)
        for name in (".venv", "venv"):  # ignored as a rule, and what the tests run with
            if (root / name / "pyvenv.cfg").is_file() and not (target / name).exists():
                (target / name).symlink_to(root / name)
        yield target
