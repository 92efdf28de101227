"""`agent --plain`: a session line by line, for screen readers and dumb terminals.

Owns the prompt, the commands that begin with `/` and what is said around a turn. Must not know how
a turn is conducted, printed or approved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent import shell_line, shell_sign
from agent.approval import Approver, Nobody
from agent.conversation import Conversation
from agent.errors import AgentError, ExitCode, InputError
from agent.going_back import RewindReport
from agent.interrupting import interruptible
from agent.mode import Mode
from agent.printer import TextPrinter, switch_cost
from agent.session import state_folder
from agent.wanted import Wanted
from tools.errors import ToolError
from tools.text import shown
from tools.text_filter import clip_line

PROMPT = "> "
CONTINUED = "… "
_PULSE = 10.0
"""Seconds between two lines of what a command prints while it runs: each is read aloud."""
_TASK = 70
"""Characters of a task in a list."""


class _Left(Exception):
    """The user is done."""


def converse_plainly(wanted: Wanted) -> ExitCode:
    """Hold a conversation on this process's streams until its input ends.

    Returns:
        0, or 130 when a signal other than Ctrl-C ended it.

    Raises:
        AgentError: What is wanted cannot be had, or the model cannot be opened.
    """
    on_terminal = sys.stdin.isatty()
    with ExitStack() as stack:
        try:
            conversation = Conversation(wanted, _approver(on_terminal))
        except ToolError as error:
            raise InputError(str(error)) from error
        stack.callback(conversation.close)
        if on_terminal:
            with suppress(ImportError):
                import readline  # noqa: F401  gives `input` its keys; only on a terminal
        # Lines that are rewritten, and colours, are noise to a screen reader.
        printer = TextPrinter(sys.stdout, sys.stderr, colour=False, live=False, pulse=_PULSE)
        plain = _Plain(conversation, printer, on_terminal)
        plain.greet()
        try:
            while True:
                plain.take(plain.heard())
        except _Left:
            pass
        return ExitCode.INTERRUPTED if plain.ended else ExitCode.VERIFIED


def _approver(on_terminal: bool) -> Approver:
    if not on_terminal:
        return Nobody()
    from agent.terminal_approver import TerminalApprover  # only where there is somebody to ask

    return TerminalApprover(sys.stdin, sys.stderr)


@dataclass(slots=True)
class _Plain:
    """The conversation at a prompt."""

    conversation: Conversation
    printer: TextPrinter
    on_terminal: bool
    ended: bool = False
    """Whether a signal said that the terminal or the machine goes away."""
    _notes: list[str] = field(default_factory=list)
    """What the model is told with the next message."""

    def greet(self) -> None:
        conversation = self.conversation
        model = conversation.agent.model.spec.name
        mode = conversation.gate.mode.value
        self.tell(f"{model} in {conversation.workspace.root}, mode {mode}. /help lists commands.")
        turns = conversation.turns()
        if turns:
            count = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
            last = turns[-1]
            self.tell(f"Going on after {count}; the last: {_first_line(last.task)}")
            ended = ": ".join(filter(None, (last.status, last.summary)))
            self.tell(f"It ended so: {ended or 'it did not'}")

    def heard(self) -> str:
        """What is typed next; a line that ends in a backslash goes on in the next.

        Raises:
            _Left: The input has ended.
        """
        lines: list[str] = []
        while True:
            try:
                line = self._line(CONTINUED if lines else PROMPT)
            except KeyboardInterrupt:
                lines.clear()
                self.tell("")
                self.tell("Nothing was at work. To leave: /quit, or Ctrl-D.")
                continue
            if not line.endswith("\\"):
                return "\n".join([*lines, line]).strip()
            lines.append(line[:-1])

    def take(self, text: str) -> None:
        """Do what was typed; what is wrong with it is said, and the conversation goes on."""
        try:
            if text.startswith("/"):
                name, _, rest = text[1:].partition(" ")
                command = _COMMANDS.get(name)
                if command is None:
                    raise InputError(f"There is no command /{name}; /help lists them.")
                command.do(self, rest.strip())
            elif text.startswith(shell_sign.SIGN):
                self.shell(*shell_sign.read(text))
            elif text:
                self.turn(text)
        except (AgentError, ToolError) as error:
            self.tell(f"error: {error}")

    def turn(self, task: str) -> None:
        """One turn. Ctrl-C interrupts it and keeps the work."""
        notes = tuple(self._notes)
        self._notes.clear()
        with interruptible() as cancel:
            for event in self.conversation.run(task, cancel, notes):
                self.printer.show(event)
        self.ended = cancel.final
        if self.ended:
            raise _Left

    def shell(self, line: str, told: bool) -> None:
        """Have a shell run a line of the user's own. Ctrl-C stops it."""
        if not line:
            return
        conversation = self.conversation
        work = shell_line.running(line, conversation.workspace.root, conversation.sandbox)
        with interruptible() as cancel:
            ending, output = shell_line.told(work, cancel, self.say)
        self.tell(ending)
        if told:
            note = shell_line.note(line, ending, output)
            self._notes.append(conversation.redactor.text(note))
        self.ended = cancel.final
        if self.ended:
            raise _Left

    def tell(self, text: str) -> None:
        """Say a line; whatever stands in it, it steers no terminal."""
        print("\n".join(map(shown, text.split("\n"))), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """An answer to a command, on stdout."""
        print("\n".join(map(shown, text.split("\n"))), flush=True)

    def back(self, turn: int) -> None:
        """Return to before a turn, and say what became of the files."""
        report = self.conversation.rewind(turn)
        self.tell(_told(report))

    def _line(self, prompt: str) -> str:
        if self.on_terminal:
            sys.stderr.flush()
            try:
                return input(prompt)
            except EOFError:
                self.tell("")
                raise _Left from None
        line = sys.stdin.readline()
        if not line:
            raise _Left
        return line.rstrip("\n")


@dataclass(frozen=True, slots=True)
class _Command:
    """Something that can be done between two turns."""

    argument: str
    help: str
    do: Callable[[_Plain, str], None]


def _help(plain: _Plain, rest: str) -> None:
    for name, command in _COMMANDS.items():
        plain.say(f"{f'/{name} {command.argument}'.strip()}: {command.help}")
    plain.say("!LINE: a line for the shell, in the sandbox; !! keeps it from the model")
    plain.say("Anything else is for the model. A line that ends in \\ goes on in the next.")


def _model(plain: _Plain, name: str) -> None:
    conversation = plain.conversation
    if not name:
        plain.say(conversation.agent.upcoming.model.spec.name)
        return
    switched = conversation.switch(name)
    plain.tell(f"{switched.model} goes on: {switch_cost(switched)}.")


def _mode(plain: _Plain, name: str) -> None:
    if name:
        try:
            mode = Mode(name)
        except ValueError:
            raise InputError(f"There is no mode {name}: {', '.join(Mode)}.") from None
        plain.conversation.set_mode(mode)
    plain.say(plain.conversation.mode.value)


def _undo(plain: _Plain, rest: str) -> None:
    turns = plain.conversation.turns()
    if not turns:
        raise InputError("There is no turn to take back.")
    plain.back(turns[-1].number)


def _rewind(plain: _Plain, rest: str) -> None:
    if rest:
        if not rest.isdecimal():
            raise InputError("/rewind takes the number of a turn; alone it lists them.")
        plain.back(int(rest))
        return
    for turn in plain.conversation.turns():
        files = f"  changed {', '.join(turn.changed)}" if turn.changed else ""
        plain.say(f"{turn.number}  {turn.status or 'unfinished'}  {_first_line(turn.task)}{files}")


def _sessions(plain: _Plain, rest: str) -> None:
    from agent.overview import overviews  # reads every record; only when it is wanted
    from agent.sessions_command import print_sessions

    print_sessions(overviews(state_folder(), plain.conversation.session.info.root))


def _export(plain: _Plain, rest: str) -> None:
    from agent.export import Format, export  # only when it is wanted

    info = plain.conversation.session.info
    if not info.task:
        raise InputError("Nothing was said yet.")
    name, _, file = rest.partition(" ")
    try:
        kind = Format(name or "markdown")
    except ValueError:
        raise InputError(f"There is no format {name}: {', '.join(Format)}.") from None
    place = Path(file.strip() or f"{info.id}{kind.suffix}").expanduser()
    try:
        with place.open("x", encoding="utf-8") as target:
            target.write(export(info, kind))
    except OSError as error:
        raise InputError(f"The file {place} cannot be written: {error.strerror}.") from error
    plain.say(str(place))


def _quit(plain: _Plain, rest: str) -> None:
    raise _Left


_COMMANDS: Mapping[str, _Command] = {
    "help": _Command("", "list the commands", _help),
    "model": _Command("NAME", "let another model go on; alone, say which one does", _model),
    "mode": _Command("plan|ask|edit|auto", "what may be done unasked", _mode),
    "undo": _Command("", "take the last turn back, what was said and its changes", _undo),
    "rewind": _Command("N", "return to before turn N; alone, list the turns", _rewind),
    "sessions": _Command("", "list the sessions of this repository", _sessions),
    "export": _Command("FORMAT FILE", "write the session to a new file", _export),
    "quit": _Command("", "leave; the session can be gone on with", _quit),
}


def _told(report: RewindReport) -> str:
    lines = [f"{report.event.reason} It was: {_first_line(report.turn.task)}"]
    lines += [f"{file.outcome}  {shown(file.path)}" for file in report.files]
    if any(file.outcome == "kept" for file in report.files):
        lines.append("Files marked kept have your own later edits in the same lines.")
    return "\n".join(lines)


def _first_line(text: str) -> str:
    return clip_line(text.lstrip("# ").partition("\n")[0], _TASK)
