"""The toolbox: a bad call is a result, never an exception."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pydantic import Field

from tools.action import FileChange
from tools.base import Arguments, Cancel, Effect, Prepared, Tool, Toolbox, ToolResult
from tools.errors import Cancelled, ToolError
from tools.files import WriteFile
from tools.workspace import Workspace


class EchoArguments(Arguments):
    text: str = Field(description="what to say")
    times: int = Field(default=1, ge=1)


class Echo(Tool[EchoArguments]):
    name = "echo"
    description = "Say it."
    Args = EchoArguments
    effect = Effect.READ
    bodies = ("text",)

    def run(self, args: EchoArguments, cancel: Cancel) -> ToolResult:
        if cancel.is_set():
            raise Cancelled
        if args.text == "refuse":
            raise ToolError("Say something else.\nAnything.")
        if args.text == "disk":
            raise OSError(28, "No space left on device")
        if args.text == "bug":
            raise KeyError("bug")
        return ToolResult(args.text * args.times, "echo")


@pytest.fixture
def box() -> Toolbox:
    return Toolbox.of([Echo()])


def call(box: Toolbox, name: str = "echo", **arguments: object) -> ToolResult:
    return box.call(name, arguments, threading.Event())


def test_runs(box: Toolbox) -> None:
    assert call(box, text="ab", times=2) == ToolResult("abab", "echo")


def test_an_unknown_tool_lists_those_there_are(box: Toolbox) -> None:
    result = call(box, "shout")
    assert (result.ok, result.output) == (
        False,
        "There is no tool named 'shout'. The tools are: echo.",
    )


@pytest.mark.parametrize(
    "arguments",
    [{}, {"text": 1}, {"text": "a", "times": 0}, {"text": "a", "volume": 3}, {"text": None}],
)
def test_arguments_that_do_not_fit_are_explained(
    box: Toolbox, arguments: dict[str, object]
) -> None:
    result = box.call("echo", arguments, threading.Event())
    assert not result.ok
    assert result.output.startswith("echo was not run: ")
    assert result.output.endswith("It takes: text, times.")


def test_a_failure_is_a_result_of_one_line_for_the_user(box: Toolbox) -> None:
    result = call(box, text="refuse")
    assert result == ToolResult(
        "Say something else.\nAnything.", "echo: Say something else.", ok=False
    )
    assert not call(box, text="disk").ok


def test_a_prepared_call_does_nothing_until_it_is_carried_out(tmp_path: Path) -> None:
    tools = Toolbox.of([WriteFile(Workspace(tmp_path))])
    arguments = {"path": "a.txt", "content": "one\n"}
    prepared = tools.prepare("write_file", arguments)
    arguments["content"] = "two\n"
    assert not (tmp_path / "a.txt").exists()
    assert isinstance(prepared, Prepared)
    assert not prepared.same(tools.prepare("write_file", arguments))
    assert isinstance(prepared.action, FileChange)
    assert (prepared.action.path, prepared.action.basis) == ("a.txt", "")
    assert prepared.carry_out(threading.Event()).ok
    assert (tmp_path / "a.txt").read_text() == "one\n"
    assert isinstance(tools.prepare("write_file", {}), ToolResult)


def test_a_bug_and_an_interrupt_are_not_results(box: Toolbox) -> None:
    with pytest.raises(KeyError):
        call(box, text="bug")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        box.call("echo", {"text": "a"}, cancel)


def test_the_spec_says_what_a_model_must_know(box: Toolbox) -> None:
    (spec,) = box.specs
    assert (spec.name, spec.parameters, spec.required, spec.bodies) == (
        "echo",
        ("text", "times"),
        ("text",),
        ("text",),
    )
    assert spec.schema["additionalProperties"] is False
