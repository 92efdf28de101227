"""The commands that a prompt takes after a `/`: their names, what they take and what they do.

Owns the list, its search and the reading of a line. Must not carry any of them out:
`screens.commands`, or the application, has `action_command_<name>(arguments)` for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from tui.fuzzy import Haystack, Match


class CommandRefused(Exception):
    """There is no such command, or it cannot be given so; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    """One line."""
    arguments: str = ""
    """A hint of what follows the name, as `[NAME]`; empty: nothing does."""
    at_rest: bool = False
    """Whether it must wait until no turn is at work."""
    also: tuple[str, ...] = ()
    """What other programs call it; taken as well."""

    @property
    def action(self) -> str:
        """The method that carries it out; it takes what follows the name as one text."""
        return f"action_command_{self.name}"

    @property
    def needs(self) -> bool:
        """Whether it is of no use without its arguments."""
        return bool(self.arguments) and not self.arguments.startswith("[")

    def check(self, arguments: str, *, at_work: bool) -> None:
        """
        Raises:
            CommandRefused: It lacks its arguments, or a turn is at work.
        """
        if self.needs and not arguments:
            raise CommandRefused(f"/{self.name} takes {self.arguments}.")
        if self.at_rest and at_work:
            raise CommandRefused(f"/{self.name} waits for the end of the turn: Esc interrupts it.")


COMMANDS = (
    Command("help", "The keys and the commands"),
    Command("model", "Choose the model that goes on, or name it", "[NAME]", also=("models",)),
    Command(
        "mode",
        "What may be done without asking",
        "[plan|ask|edit|auto]",
        also=("permissions", "approvals"),
    ),
    Command("plan", "Describe what would be done, change nothing", "[TASK]"),
    Command("undo", "Take back the last turn's changes of files", at_rest=True),
    Command(
        "rewind",
        "Return to an earlier turn, with its files",
        at_rest=True,
        also=("checkpoint", "restore"),
    ),
    Command("diff", "What this session has changed"),
    Command("test", "Run the project's tests", "[TEST]", at_rest=True),
    Command(
        "compact", "Shorten the conversation now", at_rest=True, also=("compress", "summarize")
    ),
    Command("cost", "Tokens, dollars and watt-hours so far", also=("usage", "tokens")),
    Command("figures", "Show or hide the panel of figures", also=("context", "stats")),
    Command("clear", "Begin a new session", at_rest=True, also=("new", "reset")),
    Command("sessions", "The sessions there are", also=("history",)),
    Command("resume", "Go on with an earlier session", "[ID]", at_rest=True, also=("continue",)),
    Command("fork", "Go on in a copy of this session", at_rest=True),
    Command("rename", "Give this session a name", "NAME"),
    Command("export", "Write this session to a file", "[FORMAT] [FILE]"),
    Command("play", "Watch a recorded session", "[ID]", at_rest=True),
    Command("replay", "Replays: watch one, or begin one", "[DIR | TASKS …]"),
    Command("copy", "Copy the last answer"),
    Command("theme", "Choose the colours", "[NAME]"),
    Command("trust", "What of this folder is trusted"),
    Command("doctor", "Is this machine ready", also=("status",)),
    Command("quit", "Leave; the session can be resumed", also=("exit", "q")),
)
_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.also)}
_ELSEWHERE = {
    "add-dir": "A session works in one repository: `agent --repo DIR` names it.",
    "config": "`agent config` shows the settings, and where each came from.",
    "editor": "Ctrl+G opens what you write in your own editor.",
    "init": "An AGENTS.md in the repository is read once it is trusted: /trust.",
    "login": "/model asks for a key where a Claude model lacks it.",
    "logout": "`agent keys remove ANTHROPIC_API_KEY` forgets the key.",
    "memory": "An AGENTS.md in the repository is read once it is trusted: /trust.",
    "review": "Say in words what is to be reviewed.",
    "settings": "`agent config` shows the settings, and where each came from.",
    "stop": "Esc interrupts the turn at work.",
    "terminal-setup": "Ctrl+J begins a new line in every terminal.",
    "vim": "Ctrl+G opens what you write in your own editor.",
}
"""What does here what is a command in other programs."""
_NAMES = Haystack([command.name for command in COMMANDS], ordered=True)
_HELP = Haystack([command.help for command in COMMANDS], ordered=True)


def parse(line: str) -> tuple[Command, str]:
    """The command that a line gives, and what follows its name.

    Raises:
        CommandRefused: It gives none.
    """
    name, _, arguments = line.strip().removeprefix("/").partition(" ")
    command = _BY_NAME.get(name.lower())
    if command is None:
        if (instead := _ELSEWHERE.get(name.lower())) is not None:
            raise CommandRefused(f"There is no command /{name}. {instead}")
        near = get_close_matches(name.lower(), [each.name for each in COMMANDS], 3, 0.6)
        near = near or [found.name for found, _ in search(name, 3)]
        told = ", ".join(f"/{each}" for each in near)
        hint = f"Nearest: {told}." if told else "/help lists those there are."
        raise CommandRefused(f"There is no command /{name}. {hint}")
    return command, arguments.strip()


def search(query: str, limit: int = len(COMMANDS)) -> list[tuple[Command, Match]]:
    """The commands that a few letters may mean, best first; their marks are in the names."""
    found = {hit.index: hit for hit in _NAMES.search(query, limit)}
    for at, command in enumerate(COMMANDS):
        if query and any(name.startswith(query.lower()) for name in command.also):
            found.setdefault(at, Match(at, ()))
    if len(query) > 2:  # a word of what it does will do too
        for hit in _HELP.search(query, limit):
            if hit.tier < 3:
                found.setdefault(hit.index, Match(hit.index, ()))
    return [(COMMANDS[at], hit) for at, hit in found.items()][:limit]
