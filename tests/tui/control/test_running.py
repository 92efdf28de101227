"""A command at work, watched on the screen: the real loop, a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.mode import Mode
from tests.tui.control.conftest import Drive, Person
from tests.tui.test_transcript import shown

WAITS = """
[[step]]
[[step.call]]
tool = "run"
argv = ["sh", "-c", "echo so far; while ! [ -e go ]; do sleep 0.02; done; echo done"]
[[step]]
text = "That is all."
"""


def test_what_a_command_prints_is_seen_while_it_runs(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("Run it.")
        await person.until(lambda: "so far" in shown(person.pilot))
        assert person.screen.at_work
        (Path(person.root) / "go").touch()
        await person.rest()
        assert "That is all." in shown(person.pilot)

    drive(behave, WAITS, Mode.AUTO)


def test_an_interruption_leaves_the_last_words(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("Run it.")
        await person.until(lambda: "so far" in shown(person.pilot))
        await person.press("escape")
        await person.rest()
        assert "so far" in shown(person.pilot)
        assert "interrupted" in shown(person.pilot)

    drive(behave, WAITS, Mode.AUTO)


@pytest.mark.parametrize("words", ["echo one; echo two", "printf one; printf two"])
def test_a_shell_line_of_the_users_is_seen_while_it_runs(drive: Drive, words: str) -> None:
    async def behave(person: Person) -> None:
        await person.send(f"!{words}; while ! [ -e go ]; do sleep 0.02; done")
        # Nothing that was said waits for what is said next.
        await person.until(lambda: "two" in shown(person.pilot).split("sleep", 1)[-1])
        (Path(person.root) / "go").touch()
        await person.until(lambda: not person.screen.shell_lines.at_work)

    drive(behave, WAITS)
