"""The tool with which a model keeps a list of what it is going to do.

Owns the form of such a list. Must not know who shows it, nor what its items are about. Nothing is
kept here: the newest call is the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from tools.base import Arguments, Cancel, Effect, Tool, ToolResult
from tools.errors import ToolError
from tools.text import shown

NAME = "todo"
MOST = 30
"""Items that a list may have."""
LONGEST = 200
"""Characters of an item."""
_ITEM = re.compile(r"\s*(?:[-*]\s+)?\[(?P<mark>[ xX>~-])\]\s+(?P<text>\S.*)")


class State(StrEnum):
    """How far an item is; the value is its mark."""

    OPEN = " "
    AT_WORK = ">"
    DONE = "x"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do."""

    text: str
    state: State


@dataclass(frozen=True, slots=True)
class TodoList:
    """What is to be done, in order: `ToolResult.details` of the tool."""

    items: tuple[Item, ...]

    @property
    def done(self) -> int:
        return sum(item.state is State.DONE for item in self.items)

    def __str__(self) -> str:
        return "\n".join(f"[{item.state.value}] {item.text}" for item in self.items)


def parse(text: str) -> TodoList:
    """Read a list as a model writes it.

    Raises:
        ToolError: A line is no item, or there are too many.
    """
    items = []
    for line in filter(str.strip, text.splitlines()):
        match = _ITEM.fullmatch(line.rstrip())
        if match is None:
            raise ToolError(
                f"{line.strip()[:80]!r} is no item: write one a line, after `[ ]`, `[>]` or `[x]`."
            )
        mark = match["mark"].lower()
        state = {" ": State.OPEN, "x": State.DONE}.get(mark, State.AT_WORK)
        items.append(Item(match["text"][:LONGEST], state))
    if len(items) > MOST:
        raise ToolError(f"{len(items)} items are too many: {MOST} at most.")
    return TodoList(tuple(items))


def told_in(arguments: Mapping[str, Any]) -> TodoList | None:
    """The list in the arguments of a call of the tool; None where they hold none."""
    try:
        return parse(str(arguments["items"]))
    except (KeyError, ToolError):
        return None


class TodoArguments(Arguments):
    items: str = Field(description="one a line: `[ ] ` open, `[>] ` at work, `[x] ` done")


class Todo(Tool[TodoArguments]):
    """Takes the whole list anew at each call."""

    name = NAME
    description = "For work of several steps: show the user your list, whole, and tick it off."
    Args = TodoArguments
    effect = Effect.READ
    bodies = ("items",)

    def run(self, args: TodoArguments, cancel: Cancel) -> ToolResult:
        todo = parse(args.items)
        at_work = next((item.text for item in todo.items if item.state is State.AT_WORK), "")
        now = f": {shown(at_work)}" if at_work else ""
        return ToolResult(
            f"{todo.done} of {len(todo.items)} done.",
            f"to-do {todo.done} of {len(todo.items)}{now}",
            details=todo,
        )
