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
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from agent.approval import AllowAll, Approver, Mode, Nobody
from agent.assembly import Assembler, open_gate, open_sandbox
from agent.config import Settings
from agent.errors import ExitCode, InputError
from agent.events import ApprovalAnswered, Event, Notice, Said, TurnFinished, TurnStarted
from agent.loop import Agent
from agent.messages import AssistantMessage
from agent.models.base import Steering
from agent.models.opening import open_model
from agent.models.tally import Tally
from agent.printer import JsonPrinter, Printer, TextPrinter
from agent.project import Project, configure
from agent.recorded import Recorded, load
from agent.redaction import Redactor, known_values
from agent.secrets import user_keys
from agent.session import Session, SessionInfo, find_session, state_folder
from agent.switching import Models, cost
from agent.work_tree import copied, find_root
from tools.base import ToolError
from tools.journal import Journal
from tools.sandbox import Sandbox, Tier
from tools.snapshots import Snapshots
from tools.text import shown
from tools.workspace import Workspace


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
    before = _session_to_resume(options.resume, root) if options.resume else None
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
        models = Models(lambda name, start: open_model(_naming(settings, name), keys, start=start))
        stack.callback(models.close)
        model = models.get(settings.model)
        successor = models.get(settings.escalate, start=False) if settings.escalate else None
        if successor is model:
            raise InputError("The model to escalate to is the one that is asked first.")
        redactor = Redactor(known_values(os.environ, keys, root, named))
        session = (
            Session.reopen(before)
            if before
            else Session.create(root, redactor.text(task), state_folder())
        )
        stack.callback(session.close)
        tally = stack.enter_context(closing(Tally(state_folder())))
        cancel = stack.enter_context(_interruptible())
        tree = stack.enter_context(copied(root, named)) if options.dry_run else root
        # What is written to a copy is not the tree's to undo.
        if options.dry_run:
            journal, kept = None, Path(stack.enter_context(TemporaryDirectory(prefix="parity-")))
        else:
            journal, kept = Journal(session.info.journal), state_folder() / "snapshots"
        snapshots = Snapshots(tree, kept, session.info.id)
        stack.callback(lambda: snapshots.close(tidy=not cancel.is_set()))
        workspace = Workspace(tree, journal, snapshots, named)
        sandbox = open_sandbox(workspace.root, settings, named)
        gate = open_gate(mode, _approver(options), workspace, project, sandbox)
        assembler = Assembler(workspace, configuration, project, gate, redactor, sandbox)
        recorded = load(before) if before else Recorded()
        steering = Steering(options.steering) if options.steering else None
        agent = assembler.agent(model, steering, recorded)
        if successor is not None:
            agent.successors.append(assembler.equip(successor))
        printer = _printer(options.as_json)

        def report(event: Event) -> None:
            notice = session.record(event)
            printer.show(event)
            if notice is not None:
                printer.show(notice)

        start = TurnStarted(
            task,
            model.spec.name,
            assembler.steering_of(model, steering).value,
            str(tree),
            assembler.tests,
            assembler.test_origin,
            sandbox.tier.value,
        )
        report(redactor.scrub(start))
        notices = (
            *_warnings(sandbox),
            *project.notices(options.repo),
            *agent.instructions.notices(),
        )
        for event in (*map(Notice, notices), *_taken_up(agent, recorded)):
            report(redactor.scrub(event))
        finished: TurnFinished | None = None
        unasked = 0
        for event in agent.run(task, cancel):
            match event:
                case TurnFinished():
                    finished = event
                    patch = _leave_patch(options, session.info, finished, workspace)
                case ApprovalAnswered(unattended=True):
                    unasked += 1
                case Said(AssistantMessage() as message):
                    tally.count(message)
            report(event)
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        _tell_what_is_next(options, finished, patch, unasked)
        return finished.status.exit_code


def _warnings(sandbox: Sandbox) -> Iterator[str]:
    """What the user must know of a sandbox that is not the strongest."""
    if sandbox.tier is Tier.NONE:
        yield f"Commands run without a sandbox: {sandbox.weaker}"
    elif not sandbox.holds:
        yield f"The sandbox is a weaker one: {sandbox.promise}. {sandbox.weaker}"


def _tell_what_is_next(
    options: FixOptions, finished: TurnFinished, patch: Path, unasked: int
) -> None:
    """The lines after the verdict: how to take it back, what nobody was there to permit."""
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
    return info


def _taken_up(agent: Agent, recorded: Recorded) -> Iterator[Event]:
    """What is told of a conversation that goes on in a new process, where nothing is cached."""
    yield from map(Notice, recorded.notices)
    if recorded.lost is not None:
        yield Said(recorded.lost)
        yield Notice("The session ended while a tool was at work; the model is told so.")
    if agent.history:
        yield cost(agent.context, agent.history, agent.equipment)


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


def _leave_patch(
    options: FixOptions, info: SessionInfo, finished: TurnFinished, workspace: Workspace
) -> Path:
    """Write the patch where it was wanted, else into the session; the place.

    What is to be applied holds the files' own bytes; where the tree was changed, the session's
    is a record and holds no key.
    """
    spare = info.folder / "changes.patch"
    for place in filter(None, (options.output, spare)):
        record = place is spare and not options.dry_run
        patch = finished.patch if record else workspace.patch()
        if not patch and place is spare:
            break
        try:
            place.write_text(patch, encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            reason = f"The patch {place} cannot be written: {error.strerror}."
            print(f"error: {shown(reason)}", file=sys.stderr)
            continue
        return place
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
