"""What the prompt asks of a session: messages, commands, shell lines.

Owns how each is carried out, and what a model is told of it with the next message. Must not know
how anything looks, nor how a prompt is read.

A command is `action_command_<name>(arguments)`, or `action_<name>()` where it takes none, of the
screen or of the application.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from textual import events, on
from textual.message import Message

from agent.conversation import Conversation
from agent.errors import InputError
from agent.events import Said
from agent.messages import AssistantMessage
from agent.mode import Mode
from agent.printer import costs
from agent.wanted import Wanted
from tools.base import Cancel
from tools.process import Finished
from tools.text import shown
from tui import commands
from tui.blocks.shell_line import ShellLine
from tui.engine import Opened, Reported, Rested
from tui.screens.control import ControlScreen
from tui.shell_lines import ShellEnded, ShellLines, ShellStarted, ShellWrote
from tui.widgets.panel import Panel
from tui.widgets.prompt import Prompt
from tui.widgets.transcript import Transcript


@dataclass
class Shown(Message):
    """An answer to a command, of several lines."""

    title: str
    text: str


@dataclass
class Patched(Message):
    """An answer to a command: changes of files, as `git apply` takes them."""

    title: str
    patch: str


class CommandScreen(ControlScreen):
    """A session that is told what to do by a prompt."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.conversation: Conversation | None = None
        """Set while a session is open; to be looked at only."""
        self.shell_lines = ShellLines(self.post_message)
        self._shown: ShellLine | None = None
        """The shell line at work."""
        self.given: list[Message] = []
        """What was sent before the session was open, oldest first."""
        self._notes: list[str] = []
        """What the model is told with the next message."""
        self._answer = ""

    # Messages, and the session that takes them.

    async def open(self, wanted: Wanted) -> None:
        self.conversation, self._answer = None, ""
        self._notes.clear()
        await super().open(wanted)

    @on(Opened)
    def _session_opened(self, message: Opened) -> None:
        self.conversation = message.conversation
        said = (m.text for m in message.conversation.agent.history[::-1]
                if isinstance(m, AssistantMessage) and m.text)  # fmt: skip
        self._answer = next(said, "")
        self.query_one(Prompt).opened(message.conversation)

    @on(Prompt.Submitted)
    def _message_given(self, message: Prompt.Submitted) -> None:
        if self.opening:
            self.given.append(message)
            return
        text = message.text
        if self.conversation is not None:
            from tui.completion import made_plain  # with what it reads, only at the first message

            text, named = made_plain(text, self.conversation.workspace.root)
            self._notes += [named] if named else []
        self.at_work = True
        self.engine.run(text, tuple(self._notes))
        self._notes.clear()

    def take_given(self) -> None:
        """What was sent before the session was open is taken now."""
        for message in self.given:
            self.post_message(message)
        self.given.clear()

    def on_key(self, event: events.Key) -> None:
        """What is written in the conversation answers a question, or is meant for the prompt."""
        if not event.is_printable or event.key in self.active_bindings:
            return
        event.stop()
        questions = (panel for panel in self.query(Panel) if panel.display)
        if (question := next(questions, None)) is not None:
            question.take(event)
        elif event.character:
            self.query_one(Prompt).focus().take_in(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Wherever the focus is."""
        event.stop()
        self.query_one(Prompt).take_in(event.text)

    @on(Panel.Typed)
    def _typed_ahead(self, message: Panel.Typed) -> None:
        self.query_one(Prompt).take_in(message.text)

    @on(Prompt.Hurried)
    def _hurried(self) -> None:
        self.engine.interrupt()

    @on(Reported)
    def _heard(self, message: Reported) -> None:
        match message.event:
            case Said(AssistantMessage(text=text)) if text:
                self._answer = text

    def action_interrupt(self) -> None:
        """Stop the shell line, else the turn, with what waits for its end; at rest, go back."""
        if self.shell_lines.stop():
            return
        self.query_one(Prompt).take_back()
        super().action_interrupt()

    @on(Rested)
    def _prompt_rested(self) -> None:
        self.query_one(Prompt).rested()

    # Shell lines.

    @on(Prompt.ShellGiven)
    def _shell_given(self, message: Prompt.ShellGiven) -> None:
        if (conversation := self._at_hand()) is None:
            return
        root, sandbox = conversation.workspace.root, conversation.sandbox
        self._begun(self.shell_lines.run(message.line, root, sandbox, told=message.told))

    @on(ShellStarted)
    def _shell_started(self, message: ShellStarted) -> None:
        self._shown = self.query_one(Transcript).shell(message.line)

    @on(ShellWrote)
    def _shell_wrote(self, message: ShellWrote) -> None:
        if self._shown is not None:
            self._shown.write(message.text)

    @on(ShellEnded)
    def _shell_ended(self, message: ShellEnded) -> None:
        if self._shown is not None:
            self._shown.end(message.code, message.seconds)
        self._shown = None
        if message.told and self.conversation is not None:
            self._notes.append(self.conversation.redactor.text(message.note))

    def _begun(self, begun: bool) -> None:
        if not begun:
            self.tell("A shell line is at work: Esc stops it.")

    # Commands.

    @on(Prompt.CommandGiven)
    async def _command_given(self, message: Prompt.CommandGiven) -> None:
        command, _ = commands.parse(f"/{message.name}")
        for node in (self, self.app):
            action = getattr(node, command.action, None)
            if action is not None:
                done = action(message.arguments)
            elif (action := getattr(node, f"action_{command.name}", None)) is not None:
                done = action()
            else:
                continue
            if inspect.isawaitable(done):
                await done
            return
        self.tell(f"/{command.name} cannot be used here.")

    @on(Shown)
    def _answer_shown(self, message: Shown) -> None:
        self._answered(message.title, message.text)

    @on(Patched)
    def _patch_shown(self, message: Patched) -> None:
        self.query_one(Transcript).changes(message.title, message.patch)

    def _answered(self, title: str, text: str) -> None:
        line = self.query_one(Transcript).shell(title, opened=True)
        line.write(text)
        line.end(0, 0.0)

    def action_command_plan(self, arguments: str) -> None:
        self.set_mode(Mode.PLAN)
        if arguments:
            self.query_one(Prompt).send(arguments)

    def action_command_undo(self, arguments: str) -> None:
        self.engine.do(self.undo)

    def action_command_diff(self, arguments: str) -> None:
        def diff(conversation: Conversation) -> None:
            patch = conversation.workspace.patch()
            nothing = Shown("/diff", "Nothing is changed.")
            self.post_message(Patched("/diff", patch) if patch else nothing)

        self.engine.do(diff)

    def action_command_compact(self, arguments: str) -> None:
        def compact(conversation: Conversation) -> None:
            compacted = conversation.compact()
            if compacted is None:
                raise InputError("There is nothing yet that could be left out.")
            self.post_message(Reported(compacted))

        self.engine.do(compact)

    def action_command_test(self, arguments: str) -> None:
        if (conversation := self._at_hand()) is None:
            return
        toolbox = conversation.agent.toolbox
        if "run_tests" not in toolbox.tools:
            self.tell("There are no tests that can be run; --test-command names them.")
            return

        def work(cancel: Cancel, heard: Callable[[bytes], object]) -> Finished:
            started = time.monotonic()
            result = toolbox.call("run_tests", {"only": arguments or None}, cancel)
            heard(result.output.encode())
            seconds = time.monotonic() - started
            return Finished((), 0 if result.ok else 1, result.output, seconds)

        line = f"/test {arguments}".strip()
        self._begun(self.shell_lines.start(line, work, told=True))

    def action_command_cost(self, arguments: str) -> None:
        usage = self.measures.usage
        tokens = (
            f"{usage.prompt:,} prompt tokens ({usage.reused:,} reused), {usage.output:,} written"
        )
        self._answered("/cost", "\n".join((tokens, *costs(self.measures.cost))))

    async def action_command_clear(self, arguments: str) -> None:
        await self.open(dataclasses.replace(self.wanted, resume=None))

    def action_command_copy(self, arguments: str) -> None:
        if not self._answer:
            self.tell("There is no answer to copy yet.")
            return
        self.app.copy_to_clipboard(self._answer)

    def action_command_trust(self, arguments: str) -> None:
        def listed(conversation: Conversation) -> None:
            lines = list(_standings(conversation.project.root))
            self.post_message(Shown("/trust", "\n".join(lines)))

        self.engine.do(listed)

    def action_command_doctor(self, arguments: str) -> None:
        def work(cancel: Cancel, heard: Callable[[bytes], object]) -> Finished:
            from agent.doctor import State, examined  # 30 ms; only needed for this

            started, lines = time.monotonic(), []
            marks = {State.GOOD: "✓", State.WEAK: "!", State.BAD: "✗"}
            for finding in examined(self.wanted.folder):
                remedy = f"\n    → {finding.remedy}" if finding.remedy else ""
                line = f"{marks[finding.state]} {finding.name:<16} {finding.detail}{remedy}\n"
                lines.append(line)
                heard(line.encode())
                if cancel.is_set():
                    break
            return Finished((), 0, "".join(lines), time.monotonic() - started)

        self._begun(self.shell_lines.start("/doctor", work, told=False))

    def action_command_quit(self, arguments: str) -> None:
        self.app.exit()

    def _at_hand(self) -> Conversation | None:
        if self.conversation is None:
            self.tell("The session is not open yet.")
        return self.conversation


def _standings(root: Path) -> Iterable[str]:
    """What of a folder would tell the agent something, and whether it may."""
    # With what they load, only for this
    from agent.session import state_folder
    from agent.trust import TrustStore, project_files
    from tools.workspace import Workspace

    files = project_files(Workspace(root))
    if not files:
        yield "There is nothing to trust: no settings, no AGENTS.md or CLAUDE.md."
        return
    trust = TrustStore(state_folder()).of(root)
    for file in files:
        yield f"{shown(file.name)} ({trust.standing(file)})"
    yield f"`agent trust {shown(str(root))}` shows and trusts them."
