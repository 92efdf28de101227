"""What a user can type."""

from taskbook.listing import render
from taskbook.task import Task


class BadCommand(Exception):
    """The message is for the user."""


def run(line: str, tasks: list[Task]) -> str:
    """Carry out one command on the list of tasks.

    Returns:
        What is shown to the user.

    Raises:
        BadCommand: The line cannot be understood, or there is no such task.
    """
    name, _, rest = line.strip().partition(" ")
    match name:
        case "add":
            return _add(rest.strip(), tasks)
        case "done":
            return _done(rest.strip(), tasks)
        case "list":
            return render(tasks)
        case _:
            raise BadCommand(f"unknown command: {name}")


def _add(title: str, tasks: list[Task]) -> str:
    if not title:
        raise BadCommand("a task needs a title")
    task = Task(len(tasks) + 1, title)
    tasks.append(task)
    return f"Added {task.number}: {task.title}"


def _done(number: str, tasks: list[Task]) -> str:
    for task in tasks:
        if str(task.number) == number:
            task.close()
            return f"Done: {task.title}"
    raise BadCommand(f"there is no task {number}")
