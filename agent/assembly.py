"""From settings to an agent: its tools, its steering, its limits, what it is told and may do.

Owns the choice of the parts of a turn, with a screen or without. Must not know any tool's, model's
or steering's inside, nor who watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.approval import Approver, Gate
from agent.config import Configuration, Settings
from agent.config_file import user_file
from agent.costs import Costing
from agent.equipment import Equipment
from agent.errors import InputError
from agent.instructions import Instructions, room
from agent.limits import Limits
from agent.loop import Agent
from agent.mode import Mode
from agent.models.base import EditFormat, Model, Steering
from agent.project import Project
from agent.recorded import Recorded
from agent.redaction import Redactor
from agent.rules import RuleFile
from agent.secrets import keys_folder
from agent.session import state_folder
from agent.steering.evidence import Case
from agent.steering.free import Free
from agent.steering.moves import Steering as SteeringProtocol
from tools.base import Tool, Toolbox
from tools.files import ReadFile, WriteFile
from tools.outline import Index, Outline
from tools.sandbox import Furnished, Sandbox, detect
from tools.search import Search
from tools.shell import Run
from tools.testing.commands import TestCommand, missing_program, parse_command
from tools.testing.find_tests import find_command
from tools.tests import RunTests
from tools.todo import Todo
from tools.workspace import Workspace

OUTLINE_TOKENS = 800
"""The most that one outline takes of the window."""


def open_gate(
    mode: Mode, approver: Approver, workspace: Workspace, project: Project, sandbox: Sandbox
) -> Gate:
    """What is permitted: by the mode, and by what was allowed for good in this project."""
    kept = RuleFile(state_folder(), project.root)
    return Gate(mode, approver, workspace.root, sandbox.holds, list(kept.read()), kept)


def open_sandbox(
    root: Path,
    settings: Settings,
    named: Iterable[str] = (),
    variables: Mapping[str, str] = {},
) -> Sandbox:
    """What keeps the commands of a tree in.

    Args:
        named: Files, relative, that the user wants to be read though they may hold secrets.
        variables: What the commands find in their environment besides.
    """
    file = user_file()
    sandbox = detect(
        root,
        readable=(*settings.sandbox_read, *(root / name for name in named)),
        hidden=(state_folder(), file, keys_folder(file)),
    )
    return Furnished(sandbox, variables) if variables else sandbox


class Assembler:
    """Gives each model of a session its tools and its steering, over one workspace."""

    def __init__(
        self,
        workspace: Workspace,
        configuration: Configuration,
        project: Project,
        gate: Gate,
        redactor: Redactor,
        sandbox: Sandbox,
        talk: bool = False,
    ) -> None:
        """
        Args:
            project: Whose instructions a model is told, those that are trusted.
            redactor: Knows what must not be told.
            talk: Whether a turn may end with an answer alone, nothing changed.

        Raises:
            InputError: The test command of the settings cannot be run.
        """
        self._workspace = workspace
        self._configuration = configuration
        self._settings = configuration.settings
        self._project = project
        self._gate = gate
        self._redactor = redactor
        self._sandbox = sandbox
        self._talk = talk
        self._tests = _test_command(workspace, self._settings)
        self._index = _LazyIndex(workspace)
        self._case = Case()

    @property
    def tests(self) -> str:
        """The command that runs them; empty when there is none."""
        return str(self._tests or "")

    @property
    def test_origin(self) -> str:
        """Where the command comes from: `--test-command`, `found: pytest.ini`, a project's file."""
        origin = self._configuration.origins["test_command"]
        if self._tests is None or origin in ("default", "flag"):
            return self._tests.origin if self._tests else ""
        return origin

    def steering_of(self, model: Model, wanted: Steering | None = None) -> Steering:
        """Who takes the steps: as wanted, else as suits the model; the model in plan mode."""
        return Steering.FREE if self._planning else wanted or model.spec.steering

    def agent(self, model: Model, steering: Steering | None, recorded: Recorded) -> Agent:
        """An agent that begins with a model.

        Args:
            steering: Who takes the steps; None: as suits the model.
            recorded: The conversation that it goes on with.
        """
        settings, first = self._settings, self.equip(model, steering)
        agent = Agent(
            model,
            first.toolbox,
            self._workspace,
            first.steering,
            Limits(settings.max_steps, settings.max_tokens, settings.max_seconds, settings.max_usd),
            recorded.messages,
            Costing(settings.watts, settings.usd_per_kwh),
            self._gate,
            first.instructions,
            self._redactor,
        )
        for name, usage in recorded.usage.items():
            agent.context.learn(name, usage)
        return agent

    def equip(self, model: Model, steering: Steering | None = None) -> Equipment:
        """A model with the tools and the steering that suit it."""
        workspace, index, has_tests = self._workspace, self._index, self._tests is not None
        kind = self.steering_of(model, steering)
        # A guided model is only ever asked for whole symbols.
        guided = kind is Steering.GUIDED
        # Nor does a weak model that is let free keep a list.
        listing = model.spec.steering is Steering.FREE and not guided
        edit_format = EditFormat.SYMBOL if guided else model.spec.edit_format
        toolbox = Toolbox.of(self._tools(model, edit_format, listing, guided))
        chosen: SteeringProtocol
        match kind:
            case Steering.FREE:
                forms = index if model.spec.forms else None
                tested = has_tests and not self._planning
                chosen = Free(
                    workspace,
                    toolbox.specs,
                    forms,
                    tested,
                    self._case,
                    self._planning,
                    self._talk,
                )
            case Steering.GUIDED:
                # 30 ms; not needed where the model takes the steps
                from agent.steering.bench import Bench
                from agent.steering.guided import Guided

                spec, count = model.spec, model.count
                bench = Bench(
                    workspace,
                    index,
                    spec,
                    count,
                    has_tests,
                    self._case,
                    lambda: self._gate.edits_ask,
                )
                chosen = Guided(bench, self._talk)
        return Equipment(model, toolbox, chosen, self._instructions(model, kind))

    @property
    def _planning(self) -> bool:
        return self._gate.mode is Mode.PLAN

    def _instructions(self, model: Model, steering: Steering) -> Instructions:
        files = self._project.instructions(self._workspace.files())
        if steering is Steering.GUIDED:  # it never reads a tool's result, where others are told
            files = tuple(file for file in files if "/" not in file.name)
        return Instructions(files, room(model.spec, steering))

    def _tools(
        self, model: Model, edit_format: EditFormat, listing: bool, guided: bool
    ) -> Iterator[Tool[Any]]:
        workspace, sandbox = self._workspace, self._sandbox
        yield ReadFile(workspace)
        yield Search(workspace)
        yield Outline(self._index, OUTLINE_TOKENS, model.count)
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
        if self._tests is not None:
            tests = RunTests(workspace.root, self._tests, self._settings.test_seconds, sandbox)
            yield tests
            if guided:
                from tools.mend import TryMends  # as above

                yield TryMends(workspace, tests)
        yield Run(workspace.root, sandbox)
        if listing:
            yield Todo()


def _test_command(workspace: Workspace, settings: Settings) -> TestCommand | None:
    if not settings.test_command:
        return find_command(workspace.root, workspace.files())
    tests = parse_command(settings.test_command)
    if program := missing_program(tests, workspace.root):
        raise InputError(f"The test command cannot be run: there is no program {program}.")
    return tests


class _LazyIndex:
    """The index of a workspace, built at its first use and kept up with the edits since."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._index: Index | None = None
        self._seen: dict[str, bytes | None] = {}
        """The changed files as the index knows them."""

    def __call__(self) -> Index:
        now = {
            change.path: change.after
            for change in self._workspace.changes()
            if change.path == change.path.encode(errors="replace").decode()  # others are not listed
        }
        if self._index is None:
            self._index = Index.build(self._workspace, state_folder() / "index")
        elif now != self._seen:
            self._index.refresh({*now, *self._seen})
        self._seen = now
        return self._index
