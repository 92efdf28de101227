"""Which places a command may see and which it may change, worked out once for a workspace.

Owns the lists of places. Must not know how a tier hides or protects them. Trusts nothing that the
repository says of itself: a place that it points to is shown only if the place points back.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass

# Not the methods of a path, which raise for what is behind a folder that may not be entered.
from os.path import exists, isdir, isfile
from pathlib import Path

from tools.git_folder import common_folder, git_folder
from tools.workspace import SETTINGS_FOLDER

_HIDDEN = ("/home", "/root", "/run", "/tmp", "/var/tmp", "/Users", "/private/tmp")
"""Homes; sockets and keys of what runs; what others left lying about."""
_SERVICES = ("/var/lib/lxd", "/var/lib/incus", "/var/snap/lxd")
"""Sockets elsewhere whose owners do what they are told, as root."""
_SYSTEM_SECRETS = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private"),
    *("/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key"),
)
_TOOLS = (
    *(".pyenv", ".rbenv", ".nodenv", ".nvm", ".volta", ".bun", ".deno", ".asdf", ".sdkman"),
    *(".rustup", ".cargo/bin", ".cargo/registry", ".cargo/git", "go/bin", "go/pkg", ".opam"),
    *(".local/bin", ".local/lib", ".local/share/uv/python", ".local/share/uv/tools"),
    *(".local/share/pipx/venvs", ".local/pipx/venvs", ".local/share/mise/installs"),
    *(".local/share/fnm", ".local/share/pnpm", ".m2/repository"),
)
"""Folders of a home that hold programs and what they are built from, and no keys."""
_PRIVATE = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config", ".cache", ".mozilla"),
    *(".password-store", ".pki", ".local", ".local/share", ".local/state", "Library", "snap"),
    *(".netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".bash_history"),
    *(".zsh_history", ".python_history", ".vault-token", ".cargo/credentials.toml"),
)
"""Of a home: never shown whole, whatever points there."""

_TOLD_BY = {"RUSTUP_HOME": ".rustup", "PYTHONUSERBASE": ".local", "GOPATH": "go"}
"""Variables by which programs find their folder of a home that is not HOME."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The places of one workspace; all are real paths."""

    root: Path
    hidden: tuple[Path, ...]
    """Folders and files that exist and that no command sees, outer ones first."""
    readable: tuple[Path, ...]
    """Beneath hidden ones and seen nevertheless, outer ones first."""
    protected: tuple[Path, ...]
    """In the root, and read-only; some do not exist, some may be links."""
    asked: tuple[Path, ...]
    """What the user wants commands to read, secrets too."""

    @property
    def holds_home(self) -> bool:
        """Whether the root is a home, or holds one: then a home cannot be hidden as a whole."""
        return any(home.is_relative_to(self.root) for home in homes())


def make_policy(
    root: Path,
    readable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    environ: Mapping[str, str] = os.environ,
) -> Policy:
    """The policy for commands in `root`.

    Args:
        readable: What the user wants to be seen besides.
        hidden: Our own state, above all: hidden wherever it lies.
        environ: Where PATH and the environment in use are named.
    """
    root = root.resolve()
    own_homes = homes()
    state = tuple(path.resolve() for path in hidden if exists(path))
    asked = tuple(
        path
        for path in (path.resolve() for path in readable if exists(path))
        if not _lies_in(path, state)
    )
    places = [*map(Path, (*_HIDDEN, *_SERVICES, *_SYSTEM_SECRETS)), *own_homes, *state]
    if any(home.is_relative_to(root) for home in own_homes):
        places += [home / name for home in own_homes for name in _PRIVATE]
    unseen = {place.resolve() for place in places if _can_be_seen(place)} - {root, *asked}
    git = _git_folders(root)
    seen = {*_interpreters(root, environ), *_programs(own_homes, environ), *git}
    # To show what holds a private place would show that too.
    private = (*own_homes, *state, *(home / name for home in own_homes for name in _PRIVATE))
    too_much = {place for path in private for place in (path, *path.parents)}
    seen = {path for path in seen if path.resolve() not in too_much} | {*asked}
    seen = {path for path in seen if _lies_in(path, unseen) and not _lies_in(path, (root,))}
    own = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    # What this very process and the user run from, and the next start: no command may change it.
    links = [(root / name).resolve() for name in (".git", SETTINGS_FOLDER)]
    environments = [*_environments(root, environ)]
    links += (path.resolve() for path in environments)
    inside = [path for path in (*environments, *links, *git, *own) if root in path.parents]
    shown = {*seen, root}
    return Policy(
        root,
        _outer_first(
            place for place in unseen if place in own_homes or _around(place, unseen, shown) is None
        ),
        _outer_first(place for place in seen if _around(place, shown, unseen) is None),
        tuple(dict.fromkeys((root / ".git", root / SETTINGS_FOLDER, *inside))),
        asked,
    )


def homes() -> tuple[Path, ...]:
    """The user's home as the environment and as the system has it; real paths."""
    found = [os.environ.get("HOME", "")]
    with suppress(KeyError):  # a user without an entry, as in containers
        found.append(pwd.getpwuid(os.getuid()).pw_dir)
    real = (Path(path).resolve() for path in found if os.path.isabs(path))
    return tuple(dict.fromkeys(path for path in real if isdir(path) and path != Path("/")))


def other_home(folder: Path) -> dict[str, str]:
    """Variables that make a folder the home, where the real one is there and cannot be read.

    To many programs a setting that they may not read is a reason to give up.
    """
    found = {"HOME": str(folder)}
    for home in homes()[:1]:
        found |= {name: str(home / kept) for name, kept in _TOLD_BY.items()}
    return found


def _can_be_seen(place: Path) -> bool:
    """What we may neither read nor enter, no command may either."""
    return os.access(place, os.R_OK) or os.access(place, os.X_OK)


def _lies_in(path: Path, places: Collection[Path]) -> bool:
    return path in places or any(around in places for around in path.parents)


def _around(place: Path, these: Set[Path], others: Set[Path]) -> Path | None:
    """The nearest of all places around one, if it is one of `these`."""
    nearest = next((path for path in place.parents if path in these or path in others), None)
    return nearest if nearest in these else None


def _outer_first(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted(paths, key=lambda path: (len(path.parts), path)))


def _interpreters(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Our own Python, the repository's and the active environment, with what they are made of."""
    yield Path(sys.prefix).resolve()
    yield Path(sys.base_prefix).resolve()
    for folder in _environments(root, environ):
        real = folder.resolve()
        yield real
        base = (real / "bin" / "python").resolve().parent.parent
        if any(base.glob("lib/python3*/os.py")):  # else it is no Python, whatever leads there
            yield base


def _environments(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """The virtual environments there are: the repository's and the active one; may be links."""
    folders = [root / ".venv", root / "venv"]
    if active := environ.get("VIRTUAL_ENV"):
        folders.append(Path(os.path.abspath(active)))
    yield from (folder for folder in folders if isfile(folder / "pyvenv.cfg"))


def _programs(own_homes: Sequence[Path], environ: Mapping[str, str]) -> Iterator[Path]:
    """What is on PATH, and the installations it belongs to."""
    for home in own_homes:
        for name in _TOOLS:
            if isdir(home / name):
                yield (home / name).resolve()
    for entry in environ.get("PATH", "").split(os.pathsep):
        folder = Path(entry)
        if not folder.is_absolute() or not _can_be_seen(folder):
            continue
        # Not resolved: it is looked for by this name.
        yield folder
        yield folder.resolve()
        whole = folder.resolve().parent
        marks = ("pyvenv.cfg", "conda-meta", "lib")
        if folder.name in ("bin", "condabin") and any(exists(whole / mark) for mark in marks):
            yield whole


def _git_folders(root: Path) -> tuple[Path, ...]:
    """The git directory and the common one, when they are this work tree's own."""
    found = git_folder(root)
    try:
        if found is None or not (found / "HEAD").is_file():
            return ()
        folder = found.resolve()
        common = common_folder(folder).resolve()
        if folder.is_relative_to(root) or _points_back(folder, root / ".git"):
            return (folder, common) if common != folder else (folder,)
    except (OSError, ValueError):  # none, or none that could be used
        pass
    return ()


def _points_back(folder: Path, entry: Path) -> bool:
    """Whether a git directory outside says that this work tree is its own.

    Else a `.git` made by a stranger could show commands the history of another repository.
    """
    with suppress(OSError):
        return Path((folder / "gitdir").read_text("utf-8").strip()).resolve() == entry.resolve()
    with suppress(OSError):
        config = (folder / "config").read_text("utf-8", "surrogateescape")
        if found := re.search(r"(?m)^\s*worktree\s*=\s*(.+?)\s*$", config):
            return (folder / found[1].strip('"')).resolve() == entry.parent.resolve()
    return False
