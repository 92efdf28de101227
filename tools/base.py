"""The contract between a tool and whoever calls it: specification, arguments, result, toolbox.

A call is prepared, which does nothing yet, and then carried out; between the two it can be shown
to somebody and permitted. Owns the only place where a tool's failure becomes data. Must not know
what any single tool does, nor who permits a call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.action import Action
from tools.errors import ToolError


class Cancel(Protocol):
    """A flag that another thread may raise; `threading.Event` is one."""

    def is_set(self) -> bool: ...


Heard = Callable[[bytes], object]
"""Is given what a program prints, as it comes, all of it, unfiltered."""


def unheard(data: bytes) -> None:
    """For a program whose output matters when it has ended."""


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

    Subclasses set the class attributes and implement `run`, with `action` if they run programs,
    or `propose`, if they can work out what they will do; what they need (the workspace, a runner)
    is passed to their constructor.
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
        return self.propose(args).carry_out(cancel, unheard)

    def action(self, args: A) -> Action | None:
        """What `run` would do; None for what only reads.

        Raises:
            ToolError: It cannot be done.
        """
        return None

    def propose(self, args: A) -> Proposal:
        """Work out what a call would do, and do nothing yet.

        Raises:
            ToolError: It cannot be done.
        """
        return Proposal(self.action(args), lambda cancel, heard: self.run(args, cancel))

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, _schema(self.Args), self.bodies)


class ProgramTool(Tool[A]):
    """A tool that runs a program, whose output can be heard while it runs."""

    effect = Effect.RUN

    def run(self, args: A, cancel: Cancel, heard: Heard = unheard) -> ToolResult:
        raise NotImplementedError

    def propose(self, args: A) -> Proposal:
        return Proposal(self.action(args), functools.partial(self.run, args))


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that can be done, and what it is."""

    action: Action | None
    carry_out: Callable[[Cancel, Heard], ToolResult]
    """Does what `action` says, or raises as `Tool.run` does."""
    narrow: Callable[[Collection[int]], Proposal] | None = None
    """Of the change of a file: the same with these of its hunks alone, counted from 0; raises
    `ToolError` where they cannot stand alone. None for what is done whole or not at all."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that was read and found possible, and was not carried out yet."""

    name: str
    effect: Effect
    args: Arguments
    proposal: Proposal

    @property
    def action(self) -> Action | None:
        return self.proposal.action

    def same(self, other: Prepared | ToolResult) -> bool:
        """Whether another preparation would do exactly the same."""
        return isinstance(other, Prepared) and (self.name, self.args, self.action) == (
            other.name,
            other.args,
            other.action,
        )

    def narrowed(self, hunks: Collection[int]) -> Prepared | ToolResult:
        """The same call with these hunks of its change alone; or the failure as its result."""
        if self.proposal.narrow is None:
            return failure(self.name, "Not done: it cannot be done in parts.")
        try:
            return replace(self, proposal=self.proposal.narrow(hunks))
        except ToolError as error:
            return failure(self.name, str(error))

    def carry_out(self, cancel: Cancel, heard: Heard = unheard) -> ToolResult:
        """Do what was prepared, and nothing else; a failure is the result.

        Args:
            heard: Is given what a program prints meanwhile.

        Raises:
            Cancelled: `cancel` was set while the tool ran.
        """
        try:
            return self.proposal.carry_out(cancel, heard)
        except (ToolError, OSError) as error:
            return failure(self.name, str(error))


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

    def prepare(self, name: str, arguments: Mapping[str, Any]) -> Prepared | ToolResult:
        """Read a call; what can be carried out, or the failure as its result."""
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(self.tools)
            return failure(name, f"There is no tool named {name!r}. The tools are: {known}.")
        try:
            args = tool.Args.model_validate(dict(arguments))
        except ValidationError as error:
            return failure(name, _explain(tool, error))
        try:
            return Prepared(name, tool.effect, args, tool.propose(args))
        except (ToolError, OSError) as error:
            return failure(name, str(error))

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        cancel: Cancel,
        heard: Heard = unheard,
    ) -> ToolResult:
        """Run one call. Never raises for a bad call: the failure is the result.

        Args:
            heard: Is given what a program prints meanwhile.

        Raises:
            Cancelled: `cancel` was set while the tool ran.
        """
        prepared = self.prepare(name, arguments)
        if isinstance(prepared, ToolResult):
            return prepared
        return prepared.carry_out(cancel, heard)


@functools.cache
def _schema(arguments: type[Arguments]) -> Mapping[str, Any]:
    return arguments.model_json_schema()


def failure(name: str, message: str) -> ToolResult:
    """The result of a call that was not carried out.

    Args:
        message: For the model; its first line is for the user too.
    """
    first = message.splitlines()[0] if message else "failed"
    return ToolResult(output=message, display=f"{name}: {first}", ok=False)


def _explain(tool: Tool[Any], error: ValidationError) -> str:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg'].lower()}"
        for item in error.errors()
    )
    return f"{tool.name} was not run: {problems}. It takes: {', '.join(tool.spec.parameters)}."
