"""Keeps the tasks in a file, one JSON object a line."""

import json
from pathlib import Path

from taskbook.task import Task


class BrokenFile(Exception):
    """The file is no list of tasks; names the line."""


def save(tasks: list[Task], path: Path) -> None:
    lines = [
        json.dumps({"number": task.number, "title": task.title, "done": task.done})
        for task in tasks
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def load(path: Path) -> list[Task]:
    """Read what `save` wrote; a file that does not exist holds no tasks."""
    if not path.exists():
        return []
    tasks = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            tasks.append(Task(entry["number"], entry["title"], entry["done"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenFile(f"{path}, line {number}: {error}") from error
    return tasks
