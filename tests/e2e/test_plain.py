"""A session line by line: at a terminal, and from a pipe."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.command import PATIENCE, ROOT, Agent, heard, wait_for
from tests.e2e.repositories import PLAIN_FIX

CONVERSE = f"""
import sys
sys.path.append({str(ROOT)!r})
from pathlib import Path
from agent.approval import Mode
from agent.conversation import Wanted
from agent.plain import converse_plainly
from agent.session import find_session, state_folder
from agent.work_tree import find_root
_, model, mode, resume = sys.argv
before = find_session(resume, state_folder(), find_root(Path())) if resume else None
wanted = Wanted(Path(), {{"model": model}}, mode=Mode(mode), resume=before)
raise SystemExit(converse_plainly(wanted))
"""
SECOND = """
[[step]]
text = "I append."
[[step.call]]
tool = "write_file"
path = "new.txt"
content = "new\\n"
[[step]]
text = "Done."
"""
SLOW = '[[step]]\ntext = "Never said."\ndelay = 60.0\n'


@dataclass(slots=True)
class Terminal:
    """The session with a person before it."""

    process: subprocess.Popen[bytes]
    keyboard: int
    _shown: bytearray
    asked: int = 0
    """Prompts that were answered."""

    @property
    def shown(self) -> str:
        return self._shown.decode("utf-8", "replace")

    def says(self, text: str, times: int = 1) -> None:
        """Wait until it has said a text so many times."""
        wait_for(lambda: self.shown.count(text) >= times or self.process.poll() is not None)
        assert self.shown.count(text) >= times, self.shown

    def types(self, *lines: str) -> None:
        """Type lines, each when the prompt is there again."""
        for line in lines:
            self.asked += 1
            self.prompted()
            os.write(self.keyboard, f"{line}\n".encode())

    def prompted(self) -> None:
        """Wait for the prompt."""

        def there() -> bool:
            assert self.process.poll() is None, self.shown
            return len(re.findall(r"(?:^|\n)(?:> |… )", self.shown)) >= self.asked

        wait_for(there)

    def leaves(self) -> int:
        return self.process.wait(PATIENCE)


class Terminals:
    """Opens them."""

    def __init__(self, agent: Agent, folder: Path) -> None:
        self.agent, self.folder = agent, folder
        self.opened: list[Terminal] = []

    def __call__(self, script: str, mode: str = "auto", resume: str = "") -> Terminal:
        keyboard, device = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CONVERSE, self.agent.script(script), mode, resume],
            cwd=self.folder,
            env={**self.agent.environ, "TERM": "dumb"},
            preexec_fn=lambda: os.login_tty(device),
        )
        os.close(device)
        self.opened.append(Terminal(process, keyboard, heard(keyboard)))
        return self.opened[-1]


@pytest.fixture
def terminal(agent: Agent, plain: Path) -> Iterator[Terminals]:
    made = Terminals(agent, plain)
    yield made
    for one in made.opened:
        one.process.kill()
        one.process.wait()
        os.close(one.keyboard)


def test_a_conversation(terminal: Terminals, plain: Path) -> None:
    one = terminal(PLAIN_FIX + SECOND, "ask")
    one.types("/help", "value() should be 2")
    one.says("asks for approval")
    one.says("\r\n? ")
    os.write(one.keyboard, b"y\n")
    one.says("unverified: ")
    assert "return 2" in (plain / "app.py").read_text()
    one.types("/mode edit", "and a \\", "file", "/rewind")
    one.says("2  unverified  and a   changed new.txt")
    one.types("/undo", "/nothing", "/rewind x", "/model", "/mode x", "/export html out.html")
    one.says("removed  new.txt")
    one.says("out.html")
    assert not (plain / "new.txt").exists()
    one.types("/rewind 1", "/sessions", "/quit")
    assert one.leaves() == 0
    told = one.shown
    assert "There is no command /nothing" in told
    assert "There is no mode x: plan, ask, edit, auto." in told
    assert "restored  app.py" in told
    assert re.search(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{6}  taken back", told)
    assert "return 1" in (plain / "app.py").read_text()
    assert "\x1b" not in told
    assert (plain / "out.html").read_text().startswith("<!doctype html>")


def test_an_interrupted_turn_keeps_its_work_and_the_session(
    terminal: Terminals, plain: Path
) -> None:
    one = terminal(PLAIN_FIX.replace('[[step]]\ntext = "Done."\n', SLOW) + '[[step]]\ntext = "x"\n')
    one.types("value() should be 2")
    one.says("step 2")
    os.write(one.keyboard, b"\x03")
    one.says("interrupted: ")
    assert "return 2" in (plain / "app.py").read_text()
    one.asked += 1
    one.prompted()
    os.write(one.keyboard, b"half a line\x03")
    one.says("To leave: /quit")
    one.asked += 1
    one.prompted()
    os.write(one.keyboard, b"\x04")
    assert one.leaves() == 0


def test_it_goes_on_where_it_was_killed(terminal: Terminals, plain: Path) -> None:
    one = terminal(PLAIN_FIX + SECOND + SLOW)
    one.types("value() should be 2", "more", "/rewind 2", "wait")
    one.says("step 1", 3)
    os.kill(one.process.pid, signal.SIGKILL)
    one.leaves()
    two = terminal(SECOND, resume="last")
    two.says("Going on after 2 turns; the last: wait")
    two.types("go on", "/rewind")
    two.says("1  unverified  value() should be 2  changed app.py")
    two.says("3  unfinished  wait")
    two.says("4  unverified  go on  changed new.txt")
    two.types("/rewind 1", "/quit")
    assert two.leaves() == 0
    assert not (plain / "new.txt").exists()
    assert "return 1" in (plain / "app.py").read_text()


def test_a_shell_line_is_run_and_told(terminal: Terminals, plain: Path) -> None:
    one = terminal(SECOND)
    go = plain / "go"
    one.types("!echo so$((1+1))on; while ! [ -e go ]; do sleep 0.02; done; printf 'en''d'; exit 3")
    one.says("so2on")  # it is at work still
    go.touch()
    one.says("end\r\nexit code 3")
    one.types("!!echo kept", "!echo up$((1+1)); sleep 60")
    one.says("up2")
    one.asked += 1
    os.write(one.keyboard, b"\x03")
    one.says("stopped")
    os.write(one.keyboard, b"append\n")
    one.says("unverified: ")
    one.types("/export markdown told.md", "/quit")
    assert one.leaves() == 0
    told = (plain / "told.md").read_text()
    assert "I ran a command myself (exit code 3)" in told
    assert "so2on" in told
    assert "kept" not in told


def test_a_hang_up_saves_and_leaves(terminal: Terminals, plain: Path) -> None:
    one = terminal(PLAIN_FIX + SLOW)
    one.types("value() should be 2", "more")
    one.says("step 1", 2)
    os.kill(one.process.pid, signal.SIGHUP)
    assert one.leaves() == 130
    two = terminal(SECOND, resume="last")
    two.says("Going on after 2 turns; the last: more")
    two.types("/quit")
    assert two.leaves() == 0


def test_lines_from_a_pipe(agent: Agent, plain: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CONVERSE, agent.script(PLAIN_FIX), "auto", ""],
        cwd=plain,
        env=dict(agent.environ),
        input="value() should be 2\n/nothing\n/rewind\n",
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "There is no command /nothing" in done.stderr
    assert done.stdout.endswith("1  unverified  value() should be 2  changed app.py\n")
