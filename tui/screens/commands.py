"""The commands of a prompt: `/mode`, `/diff`, `/cost` and the others.

Owns how each is carried out. Must not know how anything looks, nor how a prompt is read.

A command is `action_command_<name>(arguments)` here, of the screen or of the application, or
`action_<name>()` of those where it takes none.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.conversation import Conversation
from agent.errors import InputError
from agent.mode import Mode
from agent.printer import costs
from tools.base import Cancel, Heard
from tools.live import Piece
from tools.process import Finished
from tools.text import shown
from tui import commands
from tui.engine import Reported
from tui.widgets.prompt import Prompt
from tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from tui.screens.session import SessionScreen


class Commands:
    """Carries out what is given behind a `/`."""

    def __init__(self, screen: SessionScreen) -> None:
        self._screen = screen

    async def give(self, name: str, arguments: str) -> None:
        """Carry out a command."""
        command, _ = commands.parse(f"/{name}")
        for node in (self, self._screen, self._screen.app):
            action = getattr(node, command.action, None)
            if action is not None:
                done = action(arguments)
            elif (action := getattr(node, f"action_{command.name}", None)) is not None:
                done = action()
            else:
                continue
            if inspect.isawaitable(done):
                await done
            return
        self._screen.tell(f"/{command.name} cannot be used here.")

    def action_command_mode(self, arguments: str) -> None:
        """With the name of one, or to the next."""
        if not arguments:
            self._screen.modes.to_the_next()
        elif arguments in list(Mode):
            self._screen.modes.to(Mode(arguments))
        else:
            self._screen.tell(f"There is no mode {shown(arguments)}: {', '.join(Mode)}.")

    def action_command_model(self, arguments: str) -> None:
        """With its name, or to the list."""
        if arguments:
            self._screen.switching.to(arguments)
        else:
            self._screen.switching.choose()

    def action_command_plan(self, arguments: str) -> None:
        self._screen.modes.to(Mode.PLAN)
        if arguments:
            self._screen.query_one(Prompt).send(arguments)

    def action_command_undo(self, arguments: str) -> None:
        self._screen.going_back.undo()

    def action_command_diff(self, arguments: str) -> None:
        def show(patch: str) -> None:
            if patch:
                self._screen.query_one(Transcript).changes("/diff", patch)
            else:
                self._show("/diff", "Nothing is changed.")

        self._screen.engine.do(lambda conversation: conversation.workspace.patch(), show)

    def action_command_compact(self, arguments: str) -> None:
        def compact(conversation: Conversation) -> None:
            compacted = conversation.compact()
            if compacted is None:
                raise InputError("There is nothing yet that could be left out.")
            self._screen.post_message(Reported(compacted))

        self._screen.engine.do(compact)

    def action_command_test(self, arguments: str) -> None:
        if (conversation := self._screen.at_hand()) is None:
            return
        toolbox = conversation.agent.toolbox
        if "run_tests" not in toolbox.tools:
            self._screen.tell("There are no tests that can be run; --test-command names them.")
            return

        def work(cancel: Cancel, heard: Heard) -> Finished:
            started = time.monotonic()
            result = toolbox.call("run_tests", {"only": arguments or None}, cancel, heard)
            heard(f"\n{result.output}\n{result.display}\n".encode())
            seconds = time.monotonic() - started
            return Finished((), 0 if result.ok else 1, result.output, seconds)

        line = f"/test {arguments}".strip()
        self._screen.begun(self._screen.shell_lines.start(line, work, told=True))

    def action_command_cost(self, arguments: str) -> None:
        usage = self._screen.measures.usage
        tokens = (
            f"{usage.prompt:,} prompt tokens ({usage.reused:,} reused), {usage.output:,} written"
        )
        self._show("/cost", "\n".join((tokens, *costs(self._screen.measures.cost))))

    async def action_command_clear(self, arguments: str) -> None:
        screen = self._screen
        await screen.open(dataclasses.replace(screen.wanted, resume=None))

    def action_command_copy(self, arguments: str) -> None:
        if not self._screen.answer:
            self._screen.tell("There is no answer to copy yet.")
            return
        self._screen.app.copy_to_clipboard(self._screen.answer)

    def action_command_trust(self, arguments: str) -> None:
        def listed(conversation: Conversation) -> str:
            return "\n".join(_standings(conversation.project.root))

        self._screen.engine.do(listed, lambda text: self._show("/trust", text))

    def action_command_doctor(self, arguments: str) -> None:
        def work(cancel: Cancel, heard: Heard) -> Finished:
            from agent.doctor import State, examined  # 30 ms; only needed for this

            started, lines = time.monotonic(), []
            marks = {State.GOOD: "✓", State.WEAK: "!", State.BAD: "✗"}
            for finding in examined(self._screen.wanted.folder):
                remedy = f"\n    → {finding.remedy}" if finding.remedy else ""
                line = f"{marks[finding.state]} {finding.name:<16} {finding.detail}{remedy}\n"
                lines.append(line)
                heard(line.encode())
                if cancel.is_set():
                    break
            return Finished((), 0, "".join(lines), time.monotonic() - started)

        self._screen.begun(self._screen.shell_lines.start("/doctor", work, told=False))

    def action_command_quit(self, arguments: str) -> None:
        self._screen.app.exit()

    def _show(self, title: str, text: str) -> None:
        """Show an answer of several lines."""
        line = self._screen.query_one(Transcript).shell(title, opened=True)
        line.write(Piece(text))
        line.end(0, 0.0)


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
