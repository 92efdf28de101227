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
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from agent import config
from agent.config import Settings
from agent.errors import ExitCode, InputError
from agent.events import Said, TurnFinished, TurnStarted
from agent.loop import Agent, Limits
from agent.messages import AssistantMessage
from agent.models.base import EditFormat, Model, Steering
from agent.models.opening import open_model
from agent.models.tally import Tally
from agent.printer import JsonPrinter, Printer, TextPrinter
from agent.session import Session, SessionInfo, state_folder
from agent.steering.free import Free
from agent.steering.moves import Steering as SteeringProtocol
from agent.work_tree import copied, find_root
from tools.base import Tool, Toolbox, ToolError
from tools.files import ReadFile, WriteFile
from tools.journal import Journal
from tools.outline import Index, Outline
from tools.search import Search
from tools.shell import Run
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
    with ExitStack() as stack:
        stack.enter_context(_told_to_the_user())
        model = stack.enter_context(_closing(open_model(settings)))
        session = Session.create(root, task, state_folder())
        stack.callback(session.close)
        tally = stack.enter_context(closing(Tally(state_folder())))
        cancel = stack.enter_context(_interruptible())
        tree = stack.enter_context(copied(root)) if options.dry_run else root
        # What is written to a copy is not the tree's to undo.
        workspace = Workspace(tree, None if options.dry_run else Journal(session.info.journal))
        steering = Steering(options.steering) if options.steering else model.spec.steering
        agent, tests = _assemble(workspace, model, steering, settings)
        printer = _printer(options.as_json)
        start = TurnStarted(
            task,
            model.spec.name,
            steering.value,
            str(tree),
            str(tests or ""),
            tests.origin if tests else "",
        )
        session.record(start)
        printer.show(start)
        finished: TurnFinished | None = None
        for event in agent.run(task, cancel):
            session.record(event)
            if isinstance(event, Said) and isinstance(event.message, AssistantMessage):
                tally.count(event.message)
            if isinstance(event, TurnFinished):
                finished = event
                patch = _leave_patch(options, session.info, finished)
            printer.show(event)
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        if finished.changed and options.dry_run:
            print(f"Nothing was changed. The patch is {patch}.", file=sys.stderr)
        elif finished.changed:
            where = "" if options.repo == Path() else f" --repo {shlex.quote(str(options.repo))}"
            print(f"To take it back: agent undo{where}", file=sys.stderr)
        return finished.status.exit_code


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


def _assemble(
    workspace: Workspace, model: Model, steering: Steering, settings: Settings
) -> tuple[Agent, TestCommand | None]:
    tests = (
        parse_command(settings.test_command)
        if settings.test_command
        else find_command(workspace.root, workspace.files())
    )
    if settings.test_command and tests and (program := missing_program(tests, workspace.root)):
        raise InputError(f"The test command cannot be run: there is no program {program}.")
    index = _LazyIndex(workspace)
    # A guided model is only ever asked for whole symbols.
    guided = steering is Steering.GUIDED
    edit_format = EditFormat.SYMBOL if guided else model.spec.edit_format
    toolbox = Toolbox.of(_tools(workspace, model, tests, index, settings, edit_format))
    limits = Limits(settings.max_steps, settings.max_tokens, settings.max_seconds, settings.max_usd)
    chosen: SteeringProtocol
    match steering:
        case Steering.FREE:
            forms = index if model.spec.forms else None
            chosen = Free(workspace, toolbox.specs, forms, tests is not None)
        case Steering.GUIDED:
            # 30 ms; not needed where the model takes the steps
            from agent.steering.guided import Guided

            chosen = Guided(workspace, index, model.spec, model.count, tests is not None)
    return Agent(model, toolbox, workspace, chosen, limits), tests


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


@contextmanager
def _closing(model: Model) -> Iterator[Model]:
    try:
        yield model
    finally:
        model.close()
