"""`agent keys`, and a keyring that works, fails, or never answers."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.command import Agent

NAME = "ANTHROPIC_API_KEY"
VALUE = "sk-ant-canary-0123456789"
RING = """
import os, sys, time
from pathlib import Path
from keyring.backend import KeyringBackend

PLACE = Path(os.environ["RING"])


class Ring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        BEHAVIOUR
        place = PLACE / f"{service}-{username}"
        return place.read_text() if place.exists() else None

    def set_password(self, service, username, password):
        BEHAVIOUR
        (PLACE / f"{service}-{username}").write_text(password)

    def delete_password(self, service, username):
        (PLACE / f"{service}-{username}").unlink()
"""


def ring(agent: Agent, behaviour: str) -> dict[str, str]:
    """The environment in which a keyring behaves so."""
    folder = agent.home / "ring"
    folder.mkdir()
    (folder / "their_ring.py").write_text(RING.replace("BEHAVIOUR", behaviour))
    return {
        "PYTHONPATH": str(folder),
        "PYTHON_KEYRING_BACKEND": "their_ring.Ring",
        "RING": str(folder),
    }


def test_a_key_is_set_listed_and_removed_and_never_shown(agent: Agent, plain: Path) -> None:
    done = agent.run("keys", "set", NAME, cwd=plain, stdin=f"{VALUE}\n")
    place = agent.home / "keys" / NAME
    assert done.code == 0, done.err
    assert place.read_text() == f"{VALUE}\n"
    listed = agent.run("keys", "list", cwd=plain)
    assert listed.out == f"{NAME}  {place}\n"
    rows = json.loads(agent.run("keys", "list", "--json", cwd=plain, OPENAI_API_KEY=VALUE).out)
    assert [(row["name"], row["origin"]) for row in rows] == [
        (NAME, str(place)),
        ("OPENAI_API_KEY", "environment"),
    ]
    removed = agent.run("keys", "remove", NAME, cwd=plain)
    assert removed.code == 0
    assert not place.exists()
    assert "canary" not in f"{done}{listed}{rows}{removed}"


@pytest.mark.parametrize(
    ("argv", "stdin", "told"),
    [
        (("set", NAME, VALUE), "", "never an argument"),
        (("set", VALUE), "", "no name of a key"),
        (("set", NAME), "", "is no key"),
        (("set", NAME), f"{VALUE} {VALUE}\n", "a blank in it"),
        (("set", NAME, "--keyring"), f"{VALUE}\n", "no keyring"),
        (("remove", NAME), "", f"No key {NAME} is kept; it is in the environment."),
    ],
)
def test_what_cannot_be_done_is_told_without_the_key(
    agent: Agent, plain: Path, argv: tuple[str, ...], stdin: str, told: str
) -> None:
    done = agent.run("keys", *argv, cwd=plain, stdin=stdin, **{NAME: VALUE})
    assert done.code == 2
    assert told in done.complaint
    assert "canary" not in done.out + done.err
    assert not (agent.home / "keys").exists()


def test_the_keyring_is_asked_last(agent: Agent, plain: Path) -> None:
    environ = ring(agent, "")
    done = agent.run("keys", "set", NAME, "--keyring", cwd=plain, stdin=f"{VALUE}\n", **environ)
    assert (done.code, done.out) == (0, f"{NAME} is kept in keyring.\n")
    assert agent.run("keys", "list", cwd=plain, **environ).out == f"{NAME}  keyring\n"
    both = agent.run("keys", "list", cwd=plain, **environ, **{NAME: VALUE})
    assert both.out == f"{NAME}  environment\n"
    removed = agent.run("keys", "remove", NAME, cwd=plain, **environ)
    assert removed.out == f"{NAME} is removed from keyring.\n"
    assert agent.run("keys", "list", cwd=plain, **environ).out == ""


@pytest.mark.parametrize(
    "behaviour", ["raise ValueError(password)", "time.sleep(60)", "sys.exit(9)"]
)
def test_a_keyring_that_fails_or_waits_stops_nothing(
    agent: Agent, plain: Path, behaviour: str
) -> None:
    environ = ring(agent, behaviour.replace("password", f"'{VALUE}'"))
    begun = time.monotonic()
    done = agent.run("keys", "list", cwd=plain, **environ)
    assert time.monotonic() - begun < 30
    assert (done.code, done.out) == (0, "")
    assert "canary" not in done.err
