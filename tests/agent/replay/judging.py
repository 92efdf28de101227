"""Runs the check of a function-level task as its contract says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent.replay.instance import FunctionTask, Instance

TOKEN = "f00dfeed"


def function(instance: Instance) -> FunctionTask:
    assert isinstance(instance.task, FunctionTask)
    return instance.task


def judge(instance: Instance, code: str, place: Path) -> bool:
    """Whether a file is right."""
    task, folder = function(instance), place / "folder"
    folder.mkdir(exist_ok=True)
    (folder / task.path).write_text(code)
    (place / "check.py").write_text(task.check)
    done = subprocess.run(
        [sys.executable, "-I", str(place / "check.py"), str(folder), TOKEN],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.returncode == 0 and done.stdout.splitlines()[-1:] == [TOKEN]
