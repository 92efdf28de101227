"""Two models without a model: `gold` plays an instance's gold patch, `empty` does nothing.

Owns their scripts, made for one work tree at a time. Must not know how a script is played.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.models.opening import Backend, backend
from agent.replay.environments.base import Unavailable, WorkTree
from agent.replay.environments.function import gold_patch
from agent.replay.instance import FunctionTask, Instance
from tools.editing.definitions import elision
from tools.process import clean_environment

GOLD, EMPTY = "gold", "empty"
PLAYED = (GOLD, EMPTY)
UNTESTED = "true"
"""The test command of a tree in which a known patch is played: grading it is what tests it."""
_PATIENCE = 60.0
"""Seconds for one step of git."""
_IDLE_STEPS = 5
"""A model that changed nothing is asked again, a few times."""
_Call = Mapping[str, str | Sequence[str]]


def is_script(model: str) -> bool:
    """Whether a model plays a script: nobody counted its tokens, they are estimates."""
    return model in PLAYED or backend(model) is Backend.SCRIPTED


def patch_of(instance: Instance) -> str:
    """The gold patch; empty if there is none."""
    task = instance.task
    if isinstance(task, FunctionTask):
        return gold_patch(task) if task.solution else ""
    return task.patch


def write_script(model: str, instance: Instance, tree: WorkTree, folder: Path) -> Path:
    """The script for a work tree, which is only looked at.

    Args:
        model: `gold` or `empty`.
        folder: Where the script and what it needs are put; commands in the tree can read it.

    Raises:
        Unavailable: The gold patch cannot be played here.
    """
    calls = list(_calls(instance, tree.root, folder)) if model == GOLD else []
    steps = ['steering = "free"\nedit_format = "whole_file"\n']
    steps += [_step("", call) for call in calls]
    steps += [_step("Done." if calls else "There is nothing to do.")] * _IDLE_STEPS
    script = folder / f"{model}.toml"
    script.write_text("\n".join(steps), encoding="utf-8")
    return script


def _calls(instance: Instance, root: Path, folder: Path) -> Iterator[_Call]:
    """Tool calls that make the changes of the gold patch.

    Files of text that stay where they are, or are new, are written; whatever else a patch can do
    (binaries, renames, modes, other encodings) git does, in a command.
    """
    patch = patch_of(instance)
    if not patch.strip():
        raise Unavailable(f"{instance.id} has no gold patch.")
    file = folder / "gold.patch"
    file.write_bytes(patch.encode("utf-8", "surrogateescape"))
    index = folder / "gold.index"
    _git(root, index, "read-tree", "HEAD")
    _git(root, index, "apply", "--cached", "--whitespace=nowarn", str(file))
    listed = _git(root, index, "diff-index", "--cached", "--no-renames", "--raw", "-z", "HEAD")
    words = os.fsdecode(listed).split("\0")
    contents: dict[str, str] = {}
    for head, path in zip(words[::2], words[1::2], strict=False):
        before, after, *_, kind = head.removeprefix(":").split()
        plain = kind in "AM" and after in (before, "100644")
        data = _git(root, index, "cat-file", "blob", f":{path}") if plain else b"\0"
        if not _can_be_written(root / path, data):
            yield {"tool": "run", "argv": ["git", "apply", "--whitespace=nowarn", str(file)]}
            return
        contents[path] = data.decode()
    for path, content in contents.items():
        if (root / path).exists():
            yield {"tool": "read_file", "path": path}
        yield {"tool": "write_file", "path": path, "content": content}


def _can_be_written(file: Path, after: bytes) -> bool:
    """Whether the tool writes just these bytes: text in UTF-8, its lines ended, and in one way."""
    before = b""
    if file.is_symlink():
        return False
    if file.exists():
        before = file.read_bytes()
    try:
        old, new = before.decode(), after.decode()
    except UnicodeDecodeError:
        return False
    odd = ("\0", "\r", "\ufeff")
    return new.endswith("\n") and not any(it in old + new for it in odd) and not elision(new, old)


def _git(root: Path, index: Path, *words: str) -> bytes:
    env = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_INDEX_FILE": str(index),
    }
    try:
        done = subprocess.run(
            ("git", *words),
            cwd=root,
            env=clean_environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git {words[0]}: {error}") from error
    if done.returncode != 0:
        last = (os.fsdecode(done.stderr).strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"The gold patch does not apply to its base: {last}")
    return done.stdout


def _step(text: str, call: _Call | None = None) -> str:
    lines = ["[[step]]", f"text = {_quoted(text)}"]
    if call is not None:
        lines += ["[[step.call]]", *(f"{name} = {_quoted(it)}" for name, it in call.items())]
    return "\n".join(lines) + "\n"


def _quoted(value: str | Sequence[str]) -> str:
    """A TOML string, or a list of them: JSON's quoting is TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
