"""What a task is."""

from dataclasses import dataclass


@dataclass
class Task:
    number: int
    """The order in which tasks were added, from one."""
    title: str
    done: bool = False

    def close(self) -> None:
        if self.done:
            raise ValueError(f"task {self.number} is done already")
        self.done = True
