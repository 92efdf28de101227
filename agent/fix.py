"""`agent fix`: one turn without a screen.

Owns the assembly of a headless run. Must not know any tool's, model's or steering's inside.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from agent import config
from agent.config import Settings
from agent.costs import Costing
from agent.equipment import Equipment
from agent.errors import ExitCode, InputError
from agent.events import Event, Notice, Said, TurnFinished, TurnStarted
from agent.limits import Limits
from agent.loop import Agent
from agent.models.base import EditFormat, Model, Steering
from agent.models.opening import open_model
from agent.printer import JsonPrinter, Printer, TextPrinter
from agent.recorded import Recorded, load
from agent.session import Session, SessionInfo, find_session, state_folder
from agent.steering.evidence import Case
from agent.steering.free import Free
from agent.steering.moves import Steering as SteeringProtocol
from agent.switching import Models, cost
from agent.work_tree import copied, find_root
from tools.base import Tool, Toolbox, ToolError
from tools.files import ReadFile, WriteFile
from tools.journal import Journal
from tools.outline import Index, Outline
from tools.sandbox import Sandbox, Tier, detect
from tools.search import Search
from tools.shell import Run
from tools.snapshots import Snapshots
from tools.testing.commands import TestCommand, missing_program, parse_command
from tools.testing.find_tests import find_command
from tools.tests import RunTests
from tools.workspace import Workspace

OUTLINE_TOKENS = 800
"""The most that one outline takes of the window."""


@dataclass(frozen=True, slots=True)
class FixOptions:
    """What the command line says."""

    issue: Path
    """`-` for standard input."""
    repo: Path
    resume: str | None
    """The id of a session to go on with."""
    steering: str | None
    """None: the model's own."""
    dry_run: bool
    output: Path | None
    as_json: bool
    flags: Mapping[str, Any]
    """Settings given as options; None for those that were not."""


def fix_issue(options: FixOptions) -> ExitCode:
    """Conduct one turn and report it.

    Raises:
        AgentError: What was given cannot be used, or the model cannot be opened.
    """
    task = _read_issue(options.issue)
    if options.output and not options.output.absolute().parent.is_dir():
        raise InputError(f"There is no folder for the patch {options.output}.")
    root = find_root(options.repo)
    settings = config.load(options.flags, os.environ, config.user_file()).settings
    before = _session_to_resume(options.resume, root) if options.resume else None
    with ExitStack() as stack:
        stack.enter_context(_told_to_the_user())
        models = Models(lambda name, start: open_model(_naming(settings, name), start=start))
        stack.callback(models.close)
        model = models.get(settings.model)
        successor = models.get(settings.escalate, start=False) if settings.escalate else None
        if successor is model:
            raise InputError("The model to escalate to is the one that is asked first.")
        session = Session.reopen(before) if before else Session.create(root, task, state_folder())
        stack.callback(session.close)
        cancel = stack.enter_context(_interruptible())
        tree = stack.enter_context(copied(root)) if options.dry_run else root
        # What is written to a copy is not the tree's to undo.
        if options.dry_run:
            journal, kept = None, Path(stack.enter_context(TemporaryDirectory(prefix="parity-")))
        else:
            journal, kept = Journal(session.info.journal), state_folder() / "snapshots"
        snapshots = Snapshots(tree, kept, session.info.id)
        stack.callback(lambda: snapshots.close(tidy=not cancel.is_set()))
        workspace = Workspace(tree, journal, snapshots)
        steering = Steering(options.steering) if options.steering else model.spec.steering
        sandbox = detect(workspace.root, hidden=(state_folder(), config.user_file()))
        tests = _test_command(workspace, settings)
        equip = _Equipping(workspace, tests, settings, sandbox)
        recorded = load(before) if before else Recorded()
        agent = _agent(workspace, equip(model, steering), settings, recorded)
        if successor is not None:
            agent.successors.append(equip(successor, successor.spec.steering))
        printer = _printer(options.as_json)

        def report(event: Event) -> None:
            notice = session.record(event)
            printer.show(event)
            if notice is not None:
                printer.show(notice)

        start = TurnStarted(
            task,
            model.spec.name,
            steering.value,
            str(tree),
            str(tests or ""),
            tests.origin if tests else "",
            sandbox.tier.value,
        )
        for event in (start, *_warning(sandbox), *_taken_up(agent, recorded)):
            report(event)
        finished: TurnFinished | None = None
        for event in agent.run(task, cancel):
            if isinstance(event, TurnFinished):
                finished = event
                patch = _leave_patch(options, session.info, finished)
            report(event)
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        if finished.changed and options.dry_run:
            print(f"Nothing was changed. The patch is {patch}.", file=sys.stderr)
        elif finished.changed:
            where = "" if options.repo == Path() else f" --repo {shlex.quote(str(options.repo))}"
            print(f"To take it back: agent undo{where}", file=sys.stderr)
        return finished.status.exit_code


def _warning(sandbox: Sandbox) -> Iterator[Notice]:
    """What the user must know of a sandbox that is not the strongest."""
    if sandbox.tier is Tier.NONE:
        yield Notice(f"Commands run without a sandbox: {sandbox.weaker}")
    elif not sandbox.holds:
        yield Notice(f"The sandbox is a weaker one: {sandbox.promise}. {sandbox.weaker}")


@contextmanager
def _told_to_the_user() -> Iterator[None]:
    """Outside a turn a `ToolError` is about what the user gave: the tree, the test command."""
    try:
        yield
    except ToolError as error:
        raise InputError(str(error)) from error


def _read_issue(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"The issue {path} cannot be read: {error.strerror}.") from error
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise InputError(f"The issue {path} is empty: say what is wrong.")
    return text


def _naming(settings: Settings, model: str) -> Settings:
    return settings.model_copy(update={"model": model})


def _session_to_resume(name: str, root: Path) -> SessionInfo:
    info = find_session(name, state_folder())
    if info.root != root:
        raise InputError(f"Session {name} belongs to {info.root}, not to {root}.")
    (info.folder / "undone").unlink(missing_ok=True)
    return info


def _taken_up(agent: Agent, recorded: Recorded) -> Iterator[Event]:
    """What is told of a conversation that goes on in a new process, where nothing is cached."""
    yield from map(Notice, recorded.notices)
    if recorded.lost is not None:
        yield Said(recorded.lost)
        yield Notice("The session ended while a tool was at work; the model is told so.")
    if agent.history:
        yield cost(agent.context, agent.history, agent.equipment)


def _agent(workspace: Workspace, first: Equipment, settings: Settings, recorded: Recorded) -> Agent:
    limits = Limits(settings.max_steps, settings.max_tokens, settings.max_seconds, settings.max_usd)
    costing = Costing(settings.watts, settings.usd_per_kwh)
    agent = Agent(
        first.model, first.toolbox, workspace, first.steering, limits, recorded.messages, costing
    )
    for name, usage in recorded.usage.items():
        agent.context.learn(name, usage)
    return agent


def _test_command(workspace: Workspace, settings: Settings) -> TestCommand | None:
    tests = (
        parse_command(settings.test_command)
        if settings.test_command
        else find_command(workspace.root, workspace.files())
    )
    if settings.test_command and tests and (program := missing_program(tests, workspace.root)):
        raise InputError(f"The test command cannot be run: there is no program {program}.")
    return tests


class _Equipping:
    """Gives each model of a session its tools and its steering, over one workspace."""

    def __init__(
        self,
        workspace: Workspace,
        tests: TestCommand | None,
        settings: Settings,
        sandbox: Sandbox,
    ) -> None:
        self._workspace = workspace
        self._sandbox = sandbox
        self._tests = tests
        self._settings = settings
        self._index = _LazyIndex(workspace)
        self._case = Case()

    def __call__(self, model: Model, steering: Steering) -> Equipment:
        workspace, index, tests = self._workspace, self._index, self._tests
        # A guided model is only ever asked for whole symbols.
        guided = steering is Steering.GUIDED
        edit_format = EditFormat.SYMBOL if guided else model.spec.edit_format
        tools = _tools(workspace, model, tests, index, self._settings, edit_format, self._sandbox)
        toolbox = Toolbox.of(tools)
        chosen: SteeringProtocol
        match steering:
            case Steering.FREE:
                forms = index if model.spec.forms else None
                chosen = Free(workspace, toolbox.specs, forms, tests is not None, self._case)
            case Steering.GUIDED:
                # 30 ms; not needed where the model takes the steps
                from agent.steering.guided import Guided

                chosen = Guided(
                    workspace, index, model.spec, model.count, tests is not None, self._case
                )
        return Equipment(model, toolbox, chosen)


def _tools(
    workspace: Workspace,
    model: Model,
    tests: TestCommand | None,
    index: Callable[[], Index],
    settings: Settings,
    edit_format: EditFormat,
    sandbox: Sandbox,
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
        yield RunTests(workspace.root, tests, settings.test_seconds, sandbox)
    yield Run(workspace.root, sandbox)


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


def _printer(as_json: bool) -> Printer:
    if as_json:
        return JsonPrinter(sys.stdout)
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    colour = live and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return TextPrinter(sys.stdout, sys.stderr, colour=colour, live=live)


def _leave_patch(options: FixOptions, info: SessionInfo, finished: TurnFinished) -> Path:
    """Write the patch where it was wanted, else into the session; the place."""
    spare = info.folder / "changes.patch"
    for patch in filter(None, (options.output, spare)):
        if not finished.patch and patch is spare:
            break
        try:
            patch.write_text(finished.patch, encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            reason = f"error: The patch {patch} cannot be written: {error.strerror}."
            print(reason, file=sys.stderr)
            continue
        return patch
    return spare


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set; a second Ctrl-C ends the program at once."""
    cancel = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if cancel.is_set() and number != signal.SIGHUP:
            raise KeyboardInterrupt
        cancel.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else started by nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
