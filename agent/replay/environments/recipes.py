"""Virtual environments: one for each recipe, built once and kept, and a thin one for each tree.

An editable install points an environment at its tree, so each tree has its own environment: made
by hand in some milliseconds, it holds what is installed in it and shows the recipe's beneath.
Owns both kinds. Must not know what is run in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.replay.environments.base import Unavailable
from agent.replay.environments.keeping import full, made_once
from agent.replay.environments.programs import last_line, network_variables
from agent.replay.environments.pythons import Python, find_python, find_uv
from agent.replay.instance import Recipe
from tools.base import Cancel
from tools.errors import Cancelled, ToolError
from tools.process import execute
from tools.sandbox import detect

_BUILDING = 1800.0
"""Seconds for one recipe's requirements."""
_PIP_CONFIGURATIONS = (".config/pip/pip.conf", ".pip/pip.conf", ".config/uv/uv.toml")
_SIGNS = tuple(
    re.compile(sign, re.IGNORECASE)
    for sign in (
        "no space left",
        r"\bbecause\b",
        "no matching distribution",
        r"^error\b",
        "^failed",
    )
)
"""Of the lines of an installer's output: the sooner, the nearer to the cause."""
_FORMAT = 1
"""Of what is built; another one is built anew."""
_PIP = "pip<24.1"
"""The last that installs what has a `setup.py` alone as recipes were made for: with the tree on
the path, where tests and linters look for modules."""
_TEMPLATE = "zz_template.pth"
"""Behind the names of what is installed: a tree's own modules come first."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment."""

    folder: Path
    python: Python
    beneath: Path
    """The recipe's own; `folder` itself for that."""

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def readable(self) -> tuple[Path, ...]:
        """What a sandbox must show for it to work."""
        return tuple(dict.fromkeys((self.folder, self.beneath, self.python.prefix)))

    @property
    def variables(self) -> dict[str, str]:
        """Of what is run in it."""
        path = os.environ.get("PATH", os.defpath)
        absolute = os.pathsep.join(filter(os.path.isabs, path.split(os.pathsep)))
        return {
            "PATH": f"{self.programs}{os.pathsep}{absolute}",
            "VIRTUAL_ENV": str(self.folder),
        }


class Recipes:
    """The environments of recipes. Safe to be used by several workers and processes at a time."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def choose(self, recipes: Sequence[Recipe]) -> tuple[Recipe, Python]:
        """The first recipe whose Python is here.

        Raises:
            Unavailable: None is.
        """
        if not recipes:
            raise Unavailable(
                "Its row says nothing of how its environment is made: use docker, or --recipes."
            )
        trouble = ""
        for recipe in recipes:
            try:
                return recipe, find_python(recipe.python)
            except Unavailable as error:
                trouble = trouble or str(error)
        raise Unavailable(trouble)

    def place(self, recipe: Recipe, python: Python) -> Path:
        """Where a recipe's environment lies; its name has all that decides what is in it."""
        stuff = [_FORMAT, _pip(recipe), python.version, str(python.prefix), recipe.requirements]
        digest = hashlib.sha256(json.dumps(stuff).encode()).hexdigest()[:12]
        name = re.sub(r"[^\w.-]+", "-", recipe.name).strip(".") or "recipe"
        return self._cache / f"{name}-{digest}"

    def built(self, recipe: Recipe, python: Python, cancel: Cancel) -> Installed:
        """A recipe's environment, with its requirements and pip.

        Raises:
            Unavailable: A requirement cannot be had or built.
            Cancelled: `cancel` was set.
        """
        place = self.place(recipe, python)
        with made_once(place, cancel) as folder:
            if folder is not None:
                wanted = tuple(filter(None, (_pip(recipe), *recipe.requirements)))
                self._build(folder, recipe.name, wanted, python, cancel)
        return Installed(place, python, place)

    def _build(
        self, folder: Path, name: str, wanted: Sequence[str], python: Python, cancel: Cancel
    ) -> None:
        wheels = self._cache / "wheels"
        wheels.mkdir(exist_ok=True)
        file = folder / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in wanted))
        own = str(folder / "bin" / "python")
        uv = find_uv()
        if uv:
            steps = [
                [*uv, "venv", "-q", "--allow-existing", "--no-project", "--python",
                 str(python.program), str(folder)],
                [*uv, "pip", "install", "-q", "--no-deps", "--compile-bytecode", "--python", own,
                 "-r", str(file)],
            ]  # fmt: skip
        else:
            bare = [] if wanted else ["--without-pip"]
            steps = [
                [str(python.program), "-m", "venv", *bare, str(folder)],
                [own, "-m", "pip", "install", "-q", "--no-deps", "-r", str(file)],
            ]
        if not wanted:
            del steps[1:]
        home = Path.home()
        files = [home / name for name in _PIP_CONFIGURATIONS if (home / name).is_file()]
        variables = {
            **network_variables(),
            **({"PIP_CONFIG_FILE": str(files[0])} if files and files[0].suffix == ".conf" else {}),
            "UV_CACHE_DIR": str(wheels / "uv"),
            "PIP_CACHE_DIR": str(wheels / "pip"),
            "UV_LINK_MODE": "copy",  # a sandbox shows the two as different file systems
            "PYTHONDONTWRITEBYTECODE": "",
        }
        programs = [Path(uv[0]).resolve()] if uv else []
        sandbox = detect(folder, readable=(python.prefix, *programs, *files))
        for argv in steps:
            try:
                done = execute(
                    argv, folder, timeout=_BUILDING, cancel=cancel, env=variables,
                    sandbox=sandbox, network=True, writable=(wheels,),
                )  # fmt: skip
            except ToolError as error:
                raise Unavailable(f"{name} cannot be built: {error}") from error
            if done.cancelled:
                raise Cancelled
            if done.code != 0:
                reason = _reason(done.output) or last_line(done)
                if full(folder):  # which installers tell in many ways, or not at all
                    reason = f"there is no space left in {folder.parent}"
                raise Unavailable(f"{name} cannot be built: {reason}.")


def _pip(recipe: Recipe) -> str:
    """The pip that an install asks for; empty: none."""
    return _PIP if "pip" in recipe.install else ""


def thin(beneath: Installed, folder: Path) -> Installed:
    """An environment that shows all of another one, and that can be installed into by itself."""
    below = beneath.folder
    minor = ".".join(beneath.python.version.split(".")[:2])
    places = Path("lib") / f"python{minor}" / "site-packages"
    (folder / places).mkdir(parents=True)
    shutil.copy(below / "pyvenv.cfg", folder)
    (folder / "bin").mkdir()
    for each in (below / "bin").iterdir():
        target = folder / "bin" / each.name
        if each.is_symlink():
            target.symlink_to(os.readlink(each))
            continue
        data = each.read_bytes()
        if data[:2] == b"#!" or each.name.startswith("activate"):
            # A script names the environment whose Python it is run by.
            target.write_bytes(data.replace(os.fsencode(below), os.fsencode(folder)))
            shutil.copymode(each, target)
        else:
            target.symlink_to(each)
    line = f"import site; site.addsitedir({str(below / places)!r})\n"
    (folder / places / _TEMPLATE).write_text(line)
    return Installed(folder, beneath.python, below)


def _reason(output: str) -> str:
    """The line of an installer's output that names what is wrong."""
    lines = [line.strip(" ×╰─▶├│") for line in output.splitlines()]
    for sign in _SIGNS:
        for line in lines:
            if sign.search(line):
                return line.rstrip(".")[:300]
    return ""
