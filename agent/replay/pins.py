"""What a repository's tests ran with, pinned: a Python and its packages.

Owns the choice of packages. Must not know what they are pinned for.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

from agent.errors import InputError
from tools.base import Cancel
from tools.errors import ToolError
from tools.process import execute
from tools.sandbox import Sandbox
from tools.workspace import Workspace

_SECONDS = 60.0
_OUTPUT = 1_000_000
_FILES = 5_000
"""Files of a tree whose imports are looked at."""
_ASK = """\
import importlib.metadata, json, re, sys
modules, own = set(sys.argv[2:]), sys.argv[1] == "own"
known, owners = {}, {}
def plain(name):
    return re.sub("[-_.]+", "-", name).lower()
for each in importlib.metadata.distributions():
    if each.read_text("direct_url.json") or not each.metadata["Name"]:
        continue  # it came from a folder: the project itself, as a rule
    name = plain(each.metadata["Name"])
    known.setdefault(name, each)
    tops = (each.read_text("top_level.txt") or "").split()
    for top in tops or {file.parts[0].split(".")[0] for file in each.files or ()}:
        owners.setdefault(top, []).append(name)
wanted = list(known) if own else [name for top in modules for name in owners.get(top, ())]
chosen = set()
while wanted:
    name = wanted.pop()
    if name in known and name not in chosen:
        chosen.add(name)
        for line in known[name].requires or ():
            if "extra ==" not in line:
                wanted.append(plain(re.match(r"[\\w.-]+", line).group()))
pins = ["{}=={}".format(name, known[name].version) for name in chosen - {"pip"}]
print(json.dumps(["{}.{}".format(*sys.version_info[:2]), sorted(pins)]))
"""


def pinned(python: str, tree: Path, sandbox: Sandbox, cancel: Cancel) -> tuple[str, list[str]]:
    """The version of a Python and what of its packages a tree needs.

    All that the repository's own environment has; of any other, pytest, what the tree's files
    import, and what those need.

    Args:
        tree: The files that were tested, with the repository's own environment, if it has one.
        sandbox: Keeps the Python in, which the repository may hold.

    Raises:
        InputError: The Python does not answer.
    """
    own = any(python == str(tree / name / "bin" / "python") for name in (".venv", "venv"))
    modules = () if own else sorted({"pytest", *_imported(tree)})
    argv = [python, "-I", "-c", _ASK, "own" if own else "some", *modules]
    try:
        done = execute(argv, tree, timeout=_SECONDS, cancel=cancel, limit=_OUTPUT, sandbox=sandbox)
    except ToolError as error:
        raise InputError(f"What is installed cannot be told: {error}") from error
    try:
        version, pins = json.loads(done.output)
    except ValueError:
        raise InputError(f"{python} does not say what is installed: {done.ending}.") from None
    return version, pins


def _imported(tree: Path) -> Iterator[str]:
    """Top-level modules that a tree's files import."""
    files = [path for path in Workspace(tree).files() if path.endswith(".py")]
    for path in files[:_FILES]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = ast.parse((tree / path).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
