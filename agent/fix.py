"""`agent fix`: one turn without a screen.

Owns the course of a headless run and what it leaves behind. Must not know what an agent is made of.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from agent.approval import AllowAll, Approver, Mode, Nobody
from agent.assembly import assemble, open_gate
from agent.errors import ExitCode, InputError
from agent.events import ApprovalAnswered, Event, Notice, Said, TurnFinished, TurnStarted
from agent.messages import AssistantMessage
from agent.models.base import Steering
from agent.models.opening import open_model
from agent.models.tally import Tally
from agent.printer import JsonPrinter, Printer, TextPrinter
from agent.project import Project, configure
from agent.redaction import Redactor, known_values
from agent.secrets import user_keys
from agent.session import Session, SessionInfo, state_folder
from agent.work_tree import copied, find_root
from tools.base import ToolError
from tools.journal import Journal
from tools.text import shown
from tools.workspace import Workspace


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
    yes: bool
    """Whether every question is answered with yes."""
    flags: Mapping[str, Any]
    """Settings given as options; None for those that were not."""
    trust: bool = False
    """Whether the repository's settings and instructions are trusted, for this run."""
    secrets: tuple[Path, ...] = ()
    """Files that may be read although they may hold secrets."""


def fix_issue(options: FixOptions) -> ExitCode:
    """Conduct one turn and report it.

    Raises:
        AgentError: What was given cannot be used, or the model cannot be opened.
    """
    task = _read_issue(options.issue)
    if options.output and not options.output.absolute().parent.is_dir():
        raise InputError(f"There is no folder for the patch {options.output}.")
    root = find_root(options.repo)
    with ExitStack() as stack:
        stack.enter_context(_told_to_the_user())
        project = Project(root, state_folder(), options.trust)
        configuration = configure(options.flags, os.environ, project.settings())
        settings = configuration.settings
        mode = settings.mode or Mode.AUTO
        if mode is Mode.PLAN and options.steering == Steering.GUIDED:
            raise InputError("In plan mode the model takes the steps: leave out --steering guided.")
        named = [Workspace(root).name(str(path.absolute())) for path in options.secrets]
        keys = user_keys()
        model = stack.enter_context(closing(open_model(settings, keys)))
        redactor = Redactor(known_values(os.environ, keys, root, named))
        session = Session.create(root, redactor.text(task), state_folder())
        stack.callback(session.close)
        tally = stack.enter_context(closing(Tally(state_folder())))
        cancel = stack.enter_context(_interruptible())
        tree = stack.enter_context(copied(root)) if options.dry_run else root
        # What is written to a copy is not the tree's to undo.
        journal = None if options.dry_run else Journal(session.info.journal)
        workspace = Workspace(tree, journal, named)
        gate = open_gate(mode, _approver(options), workspace, project)
        steering = Steering(options.steering) if options.steering else None
        made = assemble(workspace, model, configuration, project, gate, redactor, steering)
        printer = _printer(options.as_json)

        def report(event: Event) -> None:
            session.record(event)
            printer.show(event)

        start = TurnStarted(
            task, model.spec.name, made.steering.value, str(tree), made.tests, made.test_origin
        )
        report(redactor.scrub(start))
        for notice in (*project.notices(options.repo), *made.notices):
            report(Notice(notice))
        finished: TurnFinished | None = None
        unasked = 0
        for event in made.agent.run(task, cancel):
            match event:
                case TurnFinished():
                    finished = event
                    patch = _leave_patch(options, session.info, finished)
                case ApprovalAnswered(unattended=True):
                    unasked += 1
                case Said(AssistantMessage() as message):
                    tally.count(message)
            report(event)
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        if finished.changed and options.dry_run:
            print(f"Nothing was changed. The patch is {shown(str(patch))}.", file=sys.stderr)
        elif finished.changed:
            where = "" if options.repo == Path() else f" --repo {shlex.quote(str(options.repo))}"
            print(f"To take it back: agent undo{shown(where)}", file=sys.stderr)
        if unasked:
            calls = "1 call was" if unasked == 1 else f"{unasked} calls were"
            print(
                f"{calls} not approved, for there was nobody to ask: start it in a terminal, or "
                "allow everything with --yes.",
                file=sys.stderr,
            )
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


def _approver(options: FixOptions) -> Approver:
    if options.yes:
        return AllowAll()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Nobody()
    from agent.terminal_approver import TerminalApprover  # only where there is somebody to ask

    return TerminalApprover(sys.stdin, sys.stderr)


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
            reason = f"The patch {patch} cannot be written: {error.strerror}."
            print(f"error: {shown(reason)}", file=sys.stderr)
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
