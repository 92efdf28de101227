"""The `agent` command: its subcommands, and the one place that puts the parts together.

Must stay quick to import: what a subcommand needs is imported inside it.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.errors import AgentError, ExitCode, InputError

if TYPE_CHECKING:
    from agent.fix import FixOptions


_GROUPS = {
    "keys": ("agent.keys_command", "Set, list and remove keys."),
    "models": ("agent.models.commands", "List, fetch, show and plan models."),
    "replay": ("agent.replay.commands", "Replay benchmark tasks on models, and measure."),
    "sessions": ("agent.sessions_command", "List, search, show, fork, export, play sessions."),
    "report": ("agent.replay.commands", "Show what replays came to."),
}
"""Commands elsewhere: the module that has each under its name, and a line of help."""


class _Group(click.Group):
    """Loads a group of commands when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_GROUPS])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _GROUPS:
            module, _ = _GROUPS[name]
            group: click.Command = getattr(importlib.import_module(module), name)
            return group
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self.summary(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def summary(self, name: str) -> str:
        """One line of help, without importing a group for it."""
        if name in _GROUPS:
            return _GROUPS[name][1]
        return self.commands[name].get_short_help_str(limit=60)


_repo = click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="The repository, or a folder in it. Default: the current folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of the table.")
_yes = click.option("--yes", "-y", is_flag=True, help="Never ask; take the answer to be yes.")
_model = click.option(
    "--model",
    help="A catalogue name, local (the best that fits), a .gguf file, claude, claude-…, "
    "http://HOST:PORT, ollama:NAME or scripted:FILE.",
)
_mode = click.option(
    "--mode",
    type=click.Choice(["plan", "ask", "edit", "auto"]),
    help="What happens unasked: only reading (plan), nothing else (ask), edits (edit), "
    "sandboxed commands too (auto). Default: ask; auto for `fix`.",
)


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="parity-agent", prog_name="agent")
@_repo
@_model
@_mode
@click.option("--continue", "last", is_flag=True, help="Go on with the session last at work here.")
@click.option("--resume", metavar="SESSION", help="Go on with a session.")
@click.option("--plain", is_flag=True, help="Line by line, without a screen.")
@click.pass_context
def cli(
    ctx: click.Context,
    /,
    repo: Path,
    last: bool,
    resume: str | None,
    plain: bool,
    **flags: Any,  # noqa: ANN401  the options that are settings, by their names
) -> None:
    """A coding agent for your terminal, with a model on your own machine.

    Without a command: an interactive session in the current folder's repository.
    """
    if ctx.invoked_subcommand is None:
        from agent.interactive import converse  # the whole agent and the screen

        raise SystemExit(converse(repo, flags, last=last, resume=resume, plain=plain))


@cli.command()
@click.argument("issue", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@_repo
@_model
@click.option("--escalate", metavar="MODEL", help="Goes on when the first model gives up.")
@click.option("--resume", metavar="SESSION", help="Go on with a session; the issue is what is new.")
@click.option(
    "--effort",
    type=click.Choice(["low", "medium", "high", "xhigh", "max"]),
    help="How much a Claude model puts into an answer.",
)
@click.option("--steering", type=click.Choice(["free", "guided"]), help="Who takes the steps.")
@_mode
@click.option("--test-command", help="How the tests are run. Default: found.")
@click.option("--max-steps", type=int, help="The most answers of the model. Default: 100.")
@click.option("--max-tokens", type=int, help="The most tokens read and written.")
@click.option("--max-seconds", type=float, help="The most seconds.")
@click.option("--max-usd", type=float, help="The most dollars.")
@click.option("--dry-run", is_flag=True, help="Work on a copy; leave a patch, not a change.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the patch to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="One event a line on stdout.")
@click.option(
    "--trust",
    is_flag=True,
    help="Trust the repository's settings and instructions, this time.",
)
@click.option(
    "--read-secret",
    "secrets",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="Let the model read this file, which is withheld as it may hold secrets.",
)
@_yes
def fix(
    issue: Path,
    repo: Path,
    resume: str | None,
    steering: str | None,
    dry_run: bool,
    output: Path | None,
    as_json: bool,
    yes: bool,
    trust: bool,
    secrets: tuple[Path, ...],
    **flags: Any,  # noqa: ANN401  the options that are settings, by their names
) -> None:
    """Repair a repository as ISSUE describes; `-` reads the issue from standard input.

    \b
    Exit codes: 0 verified, or planned   1 failed
                2 bad input, or approval is needed and there is nobody to ask
                3 changed, nothing to verify with
                4 a limit was reached    5 the model is missing
                6 the model failed       130 interrupted
    """
    from agent.fix import FixOptions, fix_issue  # the whole agent

    options: FixOptions = FixOptions(
        issue, repo, resume, steering, dry_run, output, as_json, yes, flags, trust, secrets
    )
    raise SystemExit(fix_issue(options))


@cli.command()
@click.argument("session", required=False)
@_repo
@click.option("--list", "listed", is_flag=True, help="Show what can be taken back.")
@_yes
def undo(session: str | None, repo: Path, listed: bool, yes: bool) -> None:
    """Take back what the last session (or SESSION) changed; your later edits stay."""
    from agent.undoing import list_undoable, undo_session

    if listed:
        raise SystemExit(list_undoable(repo))
    raise SystemExit(undo_session(session, repo, _confirmer(yes)))


@cli.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("."))
@click.option("--list", "listing", is_flag=True, help="List what is trusted; ask nothing.")
@click.option("--remove", is_flag=True, help="Trust nothing of the folder any more.")
@_yes
def trust(path: Path, listing: bool, remove: bool, yes: bool) -> None:
    """Show and trust the settings and instructions of a folder.

    What is trusted is PATH's `.agent/config.toml` and its AGENTS.md or CLAUDE.md, those of folders
    below too, as they are now: one that changes is no longer loaded.
    """
    from agent.trusting import forget_folder, list_trusted, trust_folder

    if listing:
        raise SystemExit(list_trusted())
    raise SystemExit(forget_folder(path) if remove else trust_folder(path, _confirmer(yes)))


@cli.command()
@_repo
@_json
def config(repo: Path, as_json: bool) -> None:
    """Show every setting and where its value comes from."""
    from agent.showing import show_configuration

    raise SystemExit(show_configuration(repo, as_json))


@cli.command()
@_repo
@_json
def doctor(repo: Path, as_json: bool) -> None:
    """Show what this machine lacks, and how to mend it.

    The exit code is 0 if all that is needed holds, else 1.
    """
    from agent.doctor import examine

    raise SystemExit(examine(repo, as_json))


@cli.command()
@_repo
@_model
@_mode
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free.")
def serve(repo: Path, port: int, **flags: Any) -> None:  # noqa: ANN401  as for `fix`
    """Show the screen in a browser of this machine.

    The address that is printed holds a token: whoever has it works with your rights.
    """
    from agent.interactive import serve as serve_screen

    raise SystemExit(serve_screen(repo, flags, port=port))


def _confirmer(yes: bool) -> Callable[[str], bool]:
    def confirm(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError("This asks a question and there is no terminal: give --yes.")
        return click.confirm(question, default=False, err=True)

    return confirm


def _complain(message: str) -> None:
    from tools.text_filter import printable  # only needed here

    click.echo(f"error: {' '.join(printable(message).split())}", err=True)


def main(words: Sequence[str] | None = None, confirm: Callable[[str], bool] | None = None) -> None:
    """Run the command; every error that a user can cause is one line and an exit code.

    Args:
        words: What follows `agent`; None: as the process was given.
        confirm: Asks the user, for `replay`; None: in the terminal.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as `>&-` does
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  kept
    if isinstance(sys.stdout, io.TextIOWrapper):  # it may be ASCII; what it lacks is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli.main(words, prog_name="agent", standalone_mode=False, obj=confirm)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(ExitCode.BAD_INPUT) from None
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f" See `{context.command_path} --help`." if context else ""
        _complain(error.format_message() + hint)
        raise SystemExit(ExitCode.BAD_INPUT) from None
    except AgentError as error:
        _complain(str(error))
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of our output has gone, as `agent … | head`
        sys.stderr.close()
        raise SystemExit(ExitCode.FAILED) from None
    except OSError as error:  # a disk that is full, a folder of ours that cannot be written
        _complain(str(error))
        raise SystemExit(ExitCode.FAILED) from None
