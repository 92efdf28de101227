"""`agent sessions`: the conversations that were had, and what can be done with them.

Owns the commands and the look of their lists. Must not know what a record holds.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent import session
from agent.durations import ago
from agent.errors import ExitCode, InputError
from agent.overview import Overview, at_work, overview, overviews, search
from agent.session import SessionInfo, state_folder
from agent.work_tree import find_root
from tools.text_filter import clip_line, printable

HEADING = 60
"""Characters of a title or a task."""
FORMATS = ("markdown", "html", "json", "atif", "swe-agent", "mini-swe-agent")

_repo = click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="The repository, or a folder in it. Default: the current folder.",
)
_all = click.option("--all", "everywhere", is_flag=True, help="Those of other repositories too.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON array.")
_id = click.argument("name", metavar="ID")


@click.group("sessions", invoke_without_command=True)
@_repo
@_all
@_json
@click.pass_context
def sessions(context: click.Context, repo: Path, everywhere: bool, as_json: bool) -> None:
    """List the sessions of a repository, the one last at work first.

    \b
    An ID may be cut where no other begins so; `last` is the one last at work here.
    """
    context.obj = repo
    if context.invoked_subcommand is None:
        root = None if everywhere else find_root(repo)
        _list(overviews(state_folder(), root), root, as_json)


@sessions.command("list")
@_repo
@_all
@_json
def list_sessions(repo: Path, everywhere: bool, as_json: bool) -> None:
    """List the sessions, as `agent sessions` alone does."""
    root = None if everywhere else find_root(repo)
    _list(overviews(state_folder(), root), root, as_json)


@sessions.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--text", is_flag=True, help="Look through all that was said, too.")
@_repo
@_all
def search_sessions(words: tuple[str, ...], text: bool, repo: Path, everywhere: bool) -> None:
    """List the sessions whose title and tasks hold all WORDS.

    The exit code is 1 if there is none.
    """
    root = None if everywhere else find_root(repo)
    found = False
    for hit in search(overviews(state_folder(), root), words, text=text):
        found = True
        click.echo(_line(hit.overview, with_root=root is None))
        if hit.excerpt:
            click.echo(f"    {printable(hit.excerpt)}")
    raise SystemExit(ExitCode.VERIFIED if found else ExitCode.FAILED)


@sessions.command("show")
@_id
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def show_session(context: click.Context, name: str, as_json: bool) -> None:
    """Show a session's turns: what was wanted, how it ended, which files changed."""
    from agent.recorded import load  # pydantic's 40 ms; the list does without

    info = _find(context, name)
    seen, turns = overview(info), load(info).turns
    if as_json:
        told = [
            {
                "turn": turn.number,
                "task": turn.task,
                "started": _iso(turn.when),
                "model": turn.model,
                "status": turn.status,
                "summary": turn.summary,
                "changed": list(turn.changed),
            }
            for turn in turns
        ]
        click.echo(json.dumps({**_plain(seen), "turns": told}, indent=2))
        return
    click.echo(printable(seen.heading))
    click.echo(f"{info.id} in {printable(str(info.root))}")
    now = time.time()
    click.echo(f"started {ago(now - _seconds(info.started))}, last at work {ago(now - seen.last)}")
    if seen.forked:
        click.echo(f"forked from {printable(seen.forked)}")
    click.echo(
        f"{printable(seen.model) or '-'}, {_status(seen)}, {_dollars(seen) or 'nothing paid'}"
    )
    for turn in turns:
        task = clip_line(turn.task.partition("\n")[0], HEADING)
        click.echo(f"\n{turn.number:>3}  {printable(task)}")
        ended = f"{turn.status}: {turn.summary}" if turn.status else "unfinished"
        click.echo(f"     {printable(ended)}")
        for path in turn.changed:
            click.echo(f"     changed {printable(path)}")


@sessions.command("rename")
@_id
@click.argument("title")
@click.pass_context
def rename_session(context: click.Context, name: str, title: str) -> None:
    """Give a session a TITLE."""
    given = " ".join(title.split())
    if not given:
        raise InputError("The title is empty.")
    session.rename(_find(context, name), given)


@sessions.command("fork")
@_id
@click.option("--turn", type=int, metavar="N", help="The last turn to keep. Default: all.")
@click.pass_context
def fork_session(context: click.Context, name: str, turn: int | None) -> None:
    """Make a session that begins with the conversation of another; print its id.

    Files stay as they are. What the other session changed is the other's to undo.
    """
    from agent.forking import fork

    click.echo(fork(_find(context, name), state_folder(), turn).id)


@sessions.command("export")
@_id
@click.option("--format", "kind", type=click.Choice(FORMATS), default="markdown", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file. Default: stdout."
)
@click.pass_context
def export_session(context: click.Context, name: str, kind: str, output: Path | None) -> None:
    """Write a session for people or programs: keys are redacted in it as in the record."""
    from agent.export import Format, export

    text = export(_find(context, name), Format(kind))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"The file {output} cannot be written: {error.strerror}.") from error


@sessions.command("play")
@_id
@click.option("--speed", type=float, default=1.0, help="2: twice as fast; 0: without waiting.")
@click.option("--plain", is_flag=True, help="Line by line, without the screen.")
@click.pass_context
def play_session(context: click.Context, name: str, speed: float, plain: bool) -> None:
    """Show a session again as it was shown, at the times that it took."""
    info, speed = _find(context, name), speed or math.inf
    if not plain and sys.stdin.isatty() and sys.stdout.isatty():
        from agent.interactive import watch  # the screen

        raise SystemExit(watch(info, speed))
    from agent.playback import played
    from agent.printer import open_printer

    printer = open_printer()
    for seconds, event in played(info.record, speed):
        if seconds:
            time.sleep(seconds)
        printer.show(event)


@sessions.command("delete")
@_id
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.pass_context
def delete_session(context: click.Context, name: str, yes: bool) -> None:
    """Delete a session; what it changed in files stays, and cannot be undone any more."""
    info = _find(context, name)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("This asks a question and there is no terminal: give --yes.")
        heading = printable(overview(info).heading)
        if not click.confirm(f"Delete {info.id} ({heading})?", default=False, err=True):
            raise SystemExit(ExitCode.FAILED)
    session.delete(info)


def print_sessions(those: Iterable[Overview]) -> None:
    """A line for each, without its repository."""
    for item in those:
        click.echo(_line(item, with_root=False))


def _find(context: click.Context, name: str) -> SessionInfo:
    repo = context.obj
    root = find_root(repo) if isinstance(repo, Path) else None
    return session.find_session(name, state_folder(), root)


def _list(those: Sequence[Overview], root: Path | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_plain(item) for item in those], indent=2))
        return
    for item in those:
        click.echo(_line(item, with_root=root is None))


def _line(item: Overview, *, with_root: bool) -> str:
    columns = [
        item.info.id,
        f"{_status(item):<12}",
        ago(time.time() - item.last),
        f"{item.turns} turn" + "s" * (item.turns != 1),
        item.model or "-",
        *filter(None, [_dollars(item)]),
        *([str(item.info.root)] if with_root else []),
        clip_line(item.heading, HEADING),
    ]
    return "  ".join(map(printable, columns))


def _status(item: Overview) -> str:
    if item.status:
        return item.status
    if not item.turns:
        return "taken back"
    return "at work" if at_work(item.info) else "unfinished"


def _dollars(item: Overview) -> str:
    """What was paid; empty where that is nothing."""
    from agent.printer import dollars

    if item.dollars is None:
        return "price unknown"
    return dollars(item.dollars) if item.dollars else ""


def _plain(item: Overview) -> dict[str, Any]:
    return {
        "id": item.info.id,
        "root": os.fspath(item.info.root),
        "title": item.title,
        "task": item.info.task,
        "started": item.info.started,
        "last": _iso(item.last),
        "model": item.model,
        "turns": item.turns,
        "status": _status(item),
        "usd": item.dollars,
        "forked": item.forked,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _seconds(iso: str) -> float:
    try:
        return datetime.fromisoformat(iso).timestamp()
    except ValueError:
        return 0.0
