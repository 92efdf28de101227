"""From settings to an agent: its tools, its steering, its limits, what it is told and may do.

Owns the choice of the parts of a turn, with a screen or without. Must not know any tool's, model's
or steering's inside, nor who watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent.approval import Approver, Gate, Mode
from agent.config import Configuration, Settings
from agent.costs import Costing
from agent.errors import InputError
from agent.instructions import Instructions, room
from agent.limits import Limits
from agent.loop import Agent
from agent.models.base import EditFormat, Model, Steering
from agent.project import Project
from agent.redaction import Redactor
from agent.rules import RuleFile
from agent.session import state_folder
from agent.steering.free import Free
from agent.steering.moves import Steering as SteeringProtocol
from tools.base import Tool, Toolbox
from tools.files import ReadFile, WriteFile
from tools.outline import Index, Outline
from tools.search import Search
from tools.shell import Run
from tools.testing.commands import TestCommand, missing_program, parse_command
from tools.testing.find_tests import find_command
from tools.tests import RunTests
from tools.workspace import Workspace

SANDBOXED = False
"""Whether commands run in a sandbox that holds: there is none yet."""
OUTLINE_TOKENS = 800
"""The most that one outline takes of the window."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """An agent, and what its user is told of it before it begins."""

    agent: Agent
    steering: Steering
    tests: str
    """The command that runs them; empty when there is none."""
    test_origin: str
    """Where the command comes from: `--test-command`, `found: pytest.ini`, a project's file."""
    notices: tuple[str, ...]


def open_gate(mode: Mode, approver: Approver, workspace: Workspace, project: Project) -> Gate:
    """What is permitted: by the mode, and by what was allowed for good in this project."""
    kept = RuleFile(state_folder(), project.root)
    return Gate(mode, approver, workspace.root, SANDBOXED, list(kept.read()), kept)


def assemble(
    workspace: Workspace,
    model: Model,
    configuration: Configuration,
    project: Project,
    gate: Gate,
    redactor: Redactor,
    steering: Steering | None = None,
) -> Assembly:
    """Put an agent together.

    Args:
        project: Whose instructions it is told, those that are trusted.
        redactor: Knows what must not be told.
        steering: Who takes the steps; None: as suits the model. In plan mode it is the model.

    Raises:
        InputError: The test command of the settings cannot be run.
    """
    settings = configuration.settings
    chosen = Steering.FREE if gate.mode is Mode.PLAN else steering or model.spec.steering
    tests = _test_command(workspace, settings)
    index = _LazyIndex(workspace)
    # A guided model is only ever asked for whole symbols.
    guided = chosen is Steering.GUIDED
    edit_format = EditFormat.SYMBOL if guided else model.spec.edit_format
    toolbox = Toolbox.of(_tools(workspace, model, tests, index, settings, edit_format))
    instructions = _instructions(workspace, model, project, chosen)
    agent = Agent(
        model,
        toolbox,
        workspace,
        _steering(chosen, workspace, model, toolbox, index, tests is not None, gate.mode),
        Limits(settings.max_steps, settings.max_tokens, settings.max_seconds, settings.max_usd),
        costing=Costing(settings.watts, settings.usd_per_kwh),
        gate=gate,
        instructions=instructions,
        redactor=redactor,
    )
    return Assembly(
        agent,
        chosen,
        str(tests or ""),
        _test_origin(tests, configuration),
        instructions.notices(),
    )


def _steering(
    kind: Steering,
    workspace: Workspace,
    model: Model,
    toolbox: Toolbox,
    index: Callable[[], Index],
    has_tests: bool,
    mode: Mode,
) -> SteeringProtocol:
    match kind:
        case Steering.FREE:
            planning = mode is Mode.PLAN
            forms = index if model.spec.forms else None
            return Free(workspace, toolbox.specs, forms, has_tests and not planning, planning)
        case Steering.GUIDED:
            # 30 ms; not needed where the model takes the steps
            from agent.steering.guided import Guided

            return Guided(workspace, index, model.spec, model.count, has_tests)


def _instructions(
    workspace: Workspace, model: Model, project: Project, steering: Steering
) -> Instructions:
    files = project.instructions(workspace.files())
    if steering is Steering.GUIDED:  # it never reads a tool's result, where others are told
        files = tuple(file for file in files if "/" not in file.name)
    return Instructions(files, room(model.spec, steering))


def _test_command(workspace: Workspace, settings: Settings) -> TestCommand | None:
    if not settings.test_command:
        return find_command(workspace.root, workspace.files())
    tests = parse_command(settings.test_command)
    if program := missing_program(tests, workspace.root):
        raise InputError(f"The test command cannot be run: there is no program {program}.")
    return tests


def _test_origin(tests: TestCommand | None, configuration: Configuration) -> str:
    """Where the command comes from that runs the tests; the user should see a project's choice."""
    origin = configuration.origins["test_command"]
    if tests is None or origin in ("default", "flag"):
        return tests.origin if tests else ""
    return origin


def _tools(
    workspace: Workspace,
    model: Model,
    tests: TestCommand | None,
    index: Callable[[], Index],
    settings: Settings,
    edit_format: EditFormat,
) -> Iterator[Tool[Any]]:
    yield ReadFile(workspace)
    yield Search(workspace)
    yield Outline(index, OUTLINE_TOKENS, model.count)
    match edit_format:
        case EditFormat.SYMBOL:
            from tools.edit import ReplaceSymbol  # 10 ms; not for those that write whole files

            yield ReplaceSymbol(workspace)
        case EditFormat.SEARCH_REPLACE:
            from tools.edit import Edit  # as above

            yield Edit(workspace)
        case EditFormat.WHOLE_FILE:
            pass
    yield WriteFile(workspace)
    if tests is not None:
        yield RunTests(workspace.root, tests, settings.test_seconds)
    yield Run(workspace.root)


class _LazyIndex:
    """The index of a workspace, built at its first use and kept up with the edits since."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._index: Index | None = None
        self._seen: dict[str, bytes | None] = {}
        """The changed files as the index knows them."""

    def __call__(self) -> Index:
        now = {change.path: change.after for change in self._workspace.changes()}
        if self._index is None:
            self._index = Index.build(self._workspace, state_folder() / "index")
        elif now != self._seen:
            self._index.refresh({*now, *self._seen})
        self._seen = now
        return self._index
