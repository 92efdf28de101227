"""The to-do list as a model writes it."""

from __future__ import annotations

import threading

import pytest

from tools.base import Toolbox, ToolResult
from tools.errors import ToolError
from tools.todo import NAME, Item, State, Todo, TodoList, parse, told_in

WRITTEN = "[x] find it\n\n- [>] mend `mean`\n[ ] run the tests\n"


def call(items: str) -> ToolResult:
    return Toolbox.of([Todo()]).call(NAME, {"items": items}, threading.Event())


def test_a_list_is_read_as_it_is_written() -> None:
    todo = parse(WRITTEN)
    assert todo.items == (
        Item("find it", State.DONE),
        Item("mend `mean`", State.AT_WORK),
        Item("run the tests", State.OPEN),
    )
    assert parse(str(todo)) == todo
    assert todo.done == 1


def test_a_call_says_how_far_it_is() -> None:
    result = call(WRITTEN)
    assert (result.ok, result.display) == (True, "to-do 1 of 3: mend `mean`")
    assert isinstance(result.details, TodoList)


def test_a_line_that_is_no_item_is_refused_and_named() -> None:
    result = call("[x] one\nand another thing")
    assert not result.ok
    assert "'and another thing' is no item" in result.output


def test_an_endless_list_is_refused() -> None:
    with pytest.raises(ToolError, match="31 items are too many"):
        parse("[ ] more\n" * 31)


def test_an_item_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in call("[>] \x1b]52;c;aGk=\x07 paste").display


def test_arguments_without_a_list_tell_none() -> None:
    assert told_in({}) is None
    assert told_in({"items": "nonsense"}) is None
