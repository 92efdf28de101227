"""`agent keys`: set, list and remove keys.

Owns what is asked and shown. Must not know where a key is kept; never shows a value.
"""

from __future__ import annotations

import json
import os
import sys

import click

from agent.errors import InputError
from agent.secrets import check_name, user_keys


@click.group("keys")
def keys() -> None:
    """Keys of hosted models: from the environment, a file, the system's keyring."""


@keys.command("set")
@click.argument("name")
@click.argument("value", nargs=-1, metavar="")
@click.option("--keyring", is_flag=True, help="Keep it in the system's keyring, not in a file.")
def set_key(name: str, value: tuple[str, ...], keyring: bool) -> None:
    """Keep the key NAME, read from a hidden prompt or from standard input."""
    check_name(name)
    if value:
        raise InputError(
            "A key is never an argument, for other programs and the shell's history see those; "
            f"`agent keys set {name}` asks for it."
        )
    if sys.stdin.isatty():
        given = click.prompt(name, hide_input=True, err=True)
    else:
        given = sys.stdin.readline()
    click.echo(f"{name} is kept in {user_keys().keep(name, given, keyring)}.")


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_keys(as_json: bool) -> None:
    """The names of the keys and where each comes from, never their values."""
    rows = []
    for name in (known := user_keys()).names():
        try:
            found = known.find(name)
        except InputError as error:
            rows.append({"name": name, "origin": None, "problem": str(error)})
            continue
        if found is not None:
            rows.append({"name": name, "origin": found.origin, "problem": None})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    for row in [] if as_json else rows:
        click.echo(f"{row['name']}  {row['origin'] or row['problem']}")
    if not rows and not as_json:
        click.echo("There are no keys: `agent keys set NAME` keeps one.", err=True)


@keys.command("remove")
@click.argument("name")
def remove_key(name: str) -> None:
    """Forget the key NAME: its file and its entry in the keyring."""
    gone = user_keys().remove(name)
    if not gone:
        where = "; it is in the environment" if os.environ.get(name) else ""
        raise InputError(f"No key {name} is kept{where}.")
    click.echo(f"{name} is removed from {' and '.join(gone)}.")
