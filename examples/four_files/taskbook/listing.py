"""How the tasks are shown."""

from taskbook.task import Task


def ordered(tasks: list[Task]) -> list[Task]:
    """Open tasks first; otherwise in the order they were added."""
    return sorted(tasks, key=lambda task: (task.done, task.number))


def row(task: Task) -> str:
    box = "x" if task.done else " "
    return f"[{box}] {task.number:>2} {task.title}"


def render(tasks: list[Task]) -> str:
    if not tasks:
        return "Nothing to do."
    return "\n".join(row(task) for task in ordered(tasks))
