"""The contract between a tool and whoever calls it: specification, arguments, result, toolbox.

Owns the only place where a tool's failure becomes data. Must not know what any single tool does.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class ToolError(Exception):
    """A tool could not do what was asked; the message tells the model what to do instead."""


class Cancelled(Exception):
    """The user interrupted while a tool was at work."""


class Cancel(Protocol):
    """A flag that another thread may raise; `threading.Event` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to. The model reads `output`; the user sees `display`."""

    output: str
    display: str
    """One line without control characters, for the person who watches."""
    ok: bool = True
    changed: tuple[str, ...] = ()
    """Paths, relative to the workspace, whose bytes this call changed."""
    details: object = None
    """A value of the tool's own for callers in this process, as `tests.TestRun`; never sent."""


class Effect(StrEnum):
    """What a tool may do to the world; what needs permission and what is watched rests on it."""

    READ = "read"
    """Looks at files of the workspace."""
    EDIT = "edit"
    """Writes files of the workspace, by itself."""
    RUN = "run"
    """Starts programs, which may do anything that the sandbox lets them."""


class Arguments(BaseModel):
    """Base of every tool's arguments: unknown names are refused, values are not changed later."""

    # Built at the first call or question for its schema: most runs need a few of them.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


A = TypeVar("A", bound=Arguments)


class Tool(Generic[A]):
    """One thing a model may do.

    Subclasses set the class attributes and implement `run`; what they need (the workspace, a
    runner) is passed to their constructor.
    """

    name: str
    description: str
    """What it does and when to use it, in one or two sentences written for a model."""
    Args: type[A]
    effect: Effect
    bodies: tuple[str, ...] = ()
    """Arguments that hold text of several lines; text formats write them as fenced blocks."""

    def run(self, args: A, cancel: Cancel) -> ToolResult:
        """Do it.

        Raises:
            ToolError: It cannot be done; nothing was changed.
            Cancelled: `cancel` was set; what was started has been stopped.
        """
        raise NotImplementedError

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, _schema(self.Args), self.bodies)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON Schema of the arguments, an object."""
    bodies: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.schema.get("properties", {}))

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.schema.get("required", ()))


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools on offer, by name."""

    tools: Mapping[str, Tool[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, tools: Iterable[Tool[Any]]) -> Toolbox:
        return cls({tool.name: tool for tool in tools})

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self.tools.values())

    def call(self, name: str, arguments: Mapping[str, Any], cancel: Cancel) -> ToolResult:
        """Run one call. Never raises for a bad call: the failure is the result.

        Raises:
            Cancelled: `cancel` was set while the tool ran.
        """
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(self.tools)
            return _failure(name, f"There is no tool named {name!r}. The tools are: {known}.")
        try:
            args = tool.Args.model_validate(dict(arguments))
        except ValidationError as error:
            return _failure(name, _explain(tool, error))
        try:
            return tool.run(args, cancel)
        except (ToolError, OSError) as error:
            return _failure(name, str(error))


@functools.cache
def _schema(arguments: type[Arguments]) -> Mapping[str, Any]:
    return arguments.model_json_schema()


def _failure(name: str, message: str) -> ToolResult:
    first = message.splitlines()[0] if message else "failed"
    return ToolResult(output=message, display=f"{name}: {first}", ok=False)


def _explain(tool: Tool[Any], error: ValidationError) -> str:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg'].lower()}"
        for item in error.errors()
    )
    return f"{tool.name} was not run: {problems}. It takes: {', '.join(tool.spec.parameters)}."
