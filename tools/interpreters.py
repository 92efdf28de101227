"""Which Python runs a repository's code, and what is installed there.

Runs nothing that the repository holds: its own interpreters are judged by their files. Must not
know what is run.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.process import clean_environment, system_path, system_program


def python_for(root: Path, names: Sequence[str] = ()) -> tuple[str, dict[str, str]]:
    """The interpreter that runs the repository's tests, and where it finds installed modules.

    The repository's own environment, then the active one, then `python3`, if they have pytest;
    else our own interpreter, which does.

    Args:
        names: Top-level modules to look for besides pytest.

    Returns:
        The interpreter's path, and for each module it has installed the place.
    """
    for folder in environments(root):
        installed = installed_in(folder, ("pytest", *names))
        if "pytest" in installed:
            return str(folder / "bin" / "python"), installed
    if python := system_program("python3", root):
        found = dict(_probe(python, system_path(root), ("pytest", *names)))
        if "pytest" in found:
            return python, found
    return sys.executable, {}


def environments(root: Path) -> Iterator[Path]:
    """Virtual environments to run the repository in, its own first, then the active one."""
    active = os.environ.get("VIRTUAL_ENV")
    for folder in (root / ".venv", root / "venv", *([Path(active)] if active else [])):
        if (folder / "bin" / "python").exists():
            yield folder


def installed_in(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Where a virtual environment has these modules, by its files."""
    places = sorted(folder.glob("lib*/python*/site-packages"))
    found: dict[str, str] = {}
    for name in names:
        for place in places:
            for candidate in (place / name, place / f"{name}.py"):
                if candidate.exists():
                    found.setdefault(name, str(candidate))
    return found


_PROBE = """
import importlib.machinery, json, os, re, site, sys
folders = [*site.getsitepackages([sys.base_prefix]), site.getusersitepackages()]
own = os.path.dirname(os.path.dirname(sys.executable))
if os.path.isfile(os.path.join(own, "pyvenv.cfg")):
    with open(os.path.join(own, "pyvenv.cfg")) as file:
        shared = re.search(r"(?im)^include-system-site-packages\\s*=\\s*true", file.read())
    sys.prefix = own
    folders = site.getsitepackages([own]) + (folders if shared else [])
found = {}
for name in sys.argv[1:]:
    spec = importlib.machinery.PathFinder.find_spec(name, folders)
    if spec is not None:
        found[name] = spec.origin or list(spec.submodule_search_locations or [""])[0]
print(json.dumps(found))
"""


@functools.cache
def _probe(python: str, path: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    try:
        done = subprocess.run(
            # -S: what is installed as editable would let code of the repository start with it.
            [python, "-I", "-S", "-c", _PROBE, *names],
            cwd="/",  # the current folder comes first on the path
            env=clean_environment({"PATH": path}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
    return tuple((str(name), str(place)) for name, place in found.items())


def project_path(root: Path) -> dict[str, str]:
    """Variables that put the programs of the repository's own virtual environment first."""
    for name in (".venv", "venv"):
        if (root / name / "pyvenv.cfg").is_file():
            programs = f"{root / name / 'bin'}{os.pathsep}{clean_environment()['PATH']}"
            return {"PATH": programs, "VIRTUAL_ENV": str(root / name)}
    return {}
