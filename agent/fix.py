"""`agent fix`: one turn without a screen.

Owns the course of a headless run and what it leaves behind. Must not know what an agent is made of.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from agent.approval import AllowAll, Approver, Nobody
from agent.conversation import Conversation
from agent.errors import ExitCode, InputError
from agent.events import ApprovalAnswered, TurnFinished
from agent.interrupting import interruptible
from agent.models.base import Steering
from agent.printer import JsonPrinter, Printer, open_printer
from agent.session import SessionInfo, find_session, state_folder
from agent.wanted import Wanted
from agent.work_tree import find_root
from tools.errors import ToolError
from tools.text import shown


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
    wanted = Wanted(
        options.repo,
        options.flags,
        Steering(options.steering) if options.steering else None,
        resume=_session(options),
        on_copy=options.dry_run,
        trust=options.trust,
        secrets=options.secrets,
    )
    with ExitStack() as stack:
        stack.enter_context(_told_to_the_user())
        conversation = Conversation(wanted, _approver(options))
        cancel = stack.enter_context(interruptible())
        stack.callback(lambda: conversation.close(tidy=not cancel.is_set()))
        printer: Printer = JsonPrinter(sys.stdout) if options.as_json else open_printer()
        finished: TurnFinished | None = None
        unasked = 0
        for event in conversation.run(task, cancel):
            match event:
                case TurnFinished():
                    finished = event
                    patch = _leave_patch(options, conversation, finished)
                case ApprovalAnswered(unattended=True):
                    unasked += 1
            with nullcontext() if finished is None else _read_or_not(sys.stdout):
                printer.show(event)
        if finished is None:
            raise RuntimeError("the turn did not say how it ended")
        with _read_or_not(sys.stderr):
            _tell_what_is_next(options, finished, patch, unasked)
        return finished.status.exit_code


@contextmanager
def _read_or_not(stream: TextIO) -> Iterator[None]:
    """The verdict on a turn stands also where its reader has gone, as `agent fix … | head` may."""
    try:
        yield
    except BrokenPipeError:
        # What is left in the stream's buffer is written at the very end.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


def _session(options: FixOptions) -> SessionInfo | None:
    """The session to go on with."""
    if options.resume is None:
        return None
    return find_session(options.resume, state_folder(), find_root(options.repo))


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


def _approver(options: FixOptions) -> Approver:
    if options.yes:
        return AllowAll()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Nobody()
    from agent.terminal_approver import TerminalApprover  # only where there is somebody to ask

    return TerminalApprover(sys.stdin, sys.stderr)


def _leave_patch(options: FixOptions, conversation: Conversation, finished: TurnFinished) -> Path:
    """Write the patch where it was wanted, else into the session; the place.

    What is to be applied holds the files' own bytes; where the tree was changed, the session's
    is a record and holds no key.
    """
    spare = conversation.session.info.folder / "changes.patch"
    for place in filter(None, (options.output, spare)):
        record = place is spare and not options.dry_run
        patch = finished.patch if record else conversation.workspace.patch()
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
