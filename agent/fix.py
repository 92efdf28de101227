"""`agent fix` and `agent undo`: one turn without a screen, and taking it back.

Owns the assembly of a headless run. Must not know any tool's, model's or steering's inside.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tools.edit import Edit, ReplaceSymbol
from tools.outline import Index, Outline

from agent import config
from agent.config import Settings
from agent.errors import ExitCode, InputError
from agent.events import TurnFinished, TurnStarted
from agent.loop import Agent, Limits
from agent.models.base import EditFormat, Model, Steering
from agent.models.opening import open_model
from agent.printer import JsonPrinter, Printer, TextPrinter
from agent.session import Session, SessionInfo, sessions, state_folder
from agent.steering.free import Free
from agent.steering.guided import Guided
from agent.steering.moves import Steering as SteeringProtocol
from tools.base import Tool, Toolbox
from tools.files import ReadFile, WriteFile
from tools.find_tests import TestCommand, find_command, parse_command
from tools.journal import Journal
from tools.search import Search
from tools.shell import Run
from tools.tests import RunTests
from tools.undo import undo
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
    root = find_root(options.repo)
    settings = config.load(options.flags, os.environ, config.user_file()).settings
    with ExitStack() as stack:
        model = stack.enter_context(_closing(open_model(settings)))
        session = Session.create(root, task, state_folder())
        stack.callback(session.close)
        cancel = stack.enter_context(_interruptible())
        tree = stack.enter_context(_copy(root)) if options.dry_run else root
        workspace = Workspace(tree, Journal(session.info.journal))
        steering = Steering(options.steering) if options.steering else model.spec.steering
        agent, tests = _assemble(workspace, model, steering, settings)
        printer = _printer(options.as_json)
        start = TurnStarted(
            task, model.spec.name, steering.value, str(tree), str(tests) if tests else ""
        )
        session.record(start)
        printer.show(start)
        finished: TurnFinished | None = None
        for event in agent.run(task, cancel):
            session.record(event)
            printer.show(event)
            if isinstance(event, TurnFinished):
                finished = event
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        _leave(options, session.info, finished)
        return finished.status.exit_code


def undo_session(name: str | None, repo: Path, confirm: Callable[[str], bool]) -> ExitCode:
    """Take back a session's changes, listed first.

    Raises:
        InputError: There is no such session, or nothing to take back.
    """
    root = find_root(repo)
    info = _session_to_undo(name, root)
    for path in _written(info):
        print(f"  {path}", file=sys.stderr)
    if not confirm(f"Take back what session {info.id} wrote to these files?"):
        return ExitCode.FAILED
    kept = False
    for restored in undo(info.journal, info.root):
        kept = kept or restored.outcome == "kept"
        print(f"{restored.outcome}  {restored.path}")
    if kept:
        print("Files marked kept have your own later edits in the same lines.", file=sys.stderr)
        return ExitCode.FAILED
    (info.folder / "undone").touch()
    return ExitCode.VERIFIED


def find_root(folder: Path) -> Path:
    """The work tree that `folder` is in, else the folder itself.

    Raises:
        InputError: There is no such folder, or it is a bare repository.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    real = folder.resolve()
    for place in (real, *real.parents):
        if (place / ".git").exists():
            return place
    if (real / "HEAD").is_file() and (real / "objects").is_dir():
        raise InputError(f"{folder} is a bare repository: it has no files to work on.")
    return real


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
    index = _LazyIndex(workspace)
    toolbox = Toolbox.of(_tools(workspace, model, tests, index, settings))
    limits = Limits(settings.max_steps, settings.max_tokens, settings.max_seconds, settings.max_usd)
    chosen: SteeringProtocol
    match steering:
        case Steering.FREE:
            chosen = Free(workspace, toolbox.specs, index, tests is not None)
        case Steering.GUIDED:
            chosen = Guided(workspace, index, model.spec, model.count, tests is not None)
    return Agent(model, toolbox, workspace, chosen, limits), tests


def _tools(
    workspace: Workspace,
    model: Model,
    tests: TestCommand | None,
    index: Callable[[], Index],
    settings: Settings,
) -> Iterator[Tool[Any]]:
    yield ReadFile(workspace)
    yield Search(workspace)
    yield Outline(index, OUTLINE_TOKENS, model.count)
    match model.spec.edit_format:
        case EditFormat.SYMBOL:
            yield ReplaceSymbol(workspace)
        case EditFormat.SEARCH_REPLACE:
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
    return TextPrinter(
        sys.stdout, sys.stderr, colour=live and "NO_COLOR" not in os.environ, live=live
    )


def _leave(options: FixOptions, info: SessionInfo, finished: TurnFinished) -> None:
    """Write the patch where it was wanted and say how to undo the change."""
    patch = options.output or info.folder / "changes.patch"
    if finished.patch or options.output:
        try:
            patch.write_text(finished.patch, encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise InputError(f"The patch {patch} cannot be written: {error.strerror}.") from error
    if not finished.changed:
        return
    if options.dry_run:
        print(f"Nothing was changed. The patch is {patch}.", file=sys.stderr)
    else:
        where = "" if Path.cwd() == info.root else f" --repo {info.root}"
        print(f"To take it back: agent undo{where}", file=sys.stderr)


def _written(info: SessionInfo) -> list[str]:
    """The files that a session wrote."""
    if not info.journal.is_dir():
        return []
    return sorted({write.path for write in Journal(info.journal).writes()})


def _session_to_undo(name: str | None, root: Path) -> SessionInfo:
    for info in sessions(state_folder()):
        if name is not None and info.id != name:
            continue
        if name is None and (info.root != root or (info.folder / "undone").exists()):
            continue
        if _written(info):
            return info
        if name is not None:
            raise InputError(f"Session {name} changed nothing.")
    wanted = f"session {name}" if name else f"session that changed {root}"
    raise InputError(f"There is no {wanted} to undo.")


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the program at once."""
    cancel = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _copy(root: Path) -> Iterator[Path]:
    """A copy of the tree's files, without those that are ignored, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        target = Path(folder).resolve() / root.name
        for path in Workspace(root).files():
            copy = target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy, follow_symlinks=False)
        target.mkdir(exist_ok=True)
        yield target


@contextmanager
def _closing(model: Model) -> Iterator[Model]:
    try:
        yield model
    finally:
        model.close()
