"""Files with one function: judged, and held to their limits."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from agent.replay.environments.base import Outcome
from agent.replay.environments.function import Bounds, FunctionEnvironment, gold_patch
from agent.replay.instance import FunctionTask, Instance
from tools.errors import Cancelled
from tools.patch import file_patch

RIGHT = "def add(value):\n    return value + 1\n"
CHECK = """\
import sys

FOLDER, TOKEN = sys.argv[1:]
sys.path.append(FOLDER)
import solution

assert solution.add(1) == 2
print(TOKEN)
"""
TASK = FunctionTask("solution.py", "def add(value):\n    raise NotImplementedError\n", RIGHT, CHECK)
INSTANCE = Instance("one", "Mend it.", TASK)
ENVIRONMENT = FunctionEnvironment(Bounds(cpu_seconds=2, seconds=5, memory=512 << 20))


def patch_to(text: str) -> str:
    return gold_patch(replace(TASK, solution=text))


def outcome(text: str) -> tuple[Outcome, str]:
    grade = ENVIRONMENT.grade(INSTANCE, patch_to(text), Event())
    assert grade.fail_to_pass == {"check": grade.outcome is Outcome.RESOLVED}
    return grade.outcome, grade.log


def test_a_right_answer_is_resolved() -> None:
    grade = ENVIRONMENT.grade(INSTANCE, gold_patch(TASK), Event())
    assert (grade.outcome, grade.log) == (Outcome.RESOLVED, "[exit code 0]\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def add(value):\n    return value\n", "AssertionError"),
        ("import sys\nsys.exit(0)\n", "exit code 0"),
        ("import os\nos._exit(0)\n", "exit code 0"),
        ("print('0' * 32)\nraise SystemExit\n", "exit code 0"),
        ("held = []\nwhile True: held.append(bytearray(1 << 24))\n", "MemoryError"),
        ("open('big', 'wb').write(bytes(1 << 26))\n", "File too large"),
    ],
)
def test_what_does_not_pass_is_unresolved(text: str, told: str) -> None:
    found, log = outcome(text)
    assert found is Outcome.UNRESOLVED
    assert told in log


@pytest.mark.parametrize("text", ["while True: pass\n", "import time\ntime.sleep(60)\n"])
def test_what_does_not_end_is_killed(text: str) -> None:
    started = time.monotonic()
    found, _ = outcome(text)
    assert found is Outcome.TIMEOUT
    assert time.monotonic() - started < 10


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import os\nwhile True: os.fork()\n", "killed: more than 64 processes"),
        (
            "import os, time\nfor _ in range(3): os.fork()\n"
            "held = b'x' * (200 << 20)\ntime.sleep(60)\n",
            "killed: more than 512 MiB of memory",
        ),
        ("while True: print('x' * 1_000_000)\n", "killed: more than 64 MiB written"),
    ],
)
def test_what_takes_too_much_is_killed(text: str, told: str) -> None:
    started = time.monotonic()
    found, log = outcome(text)
    assert found is Outcome.UNRESOLVED
    # A machine that is busy may get to it only when the processor's time is up.
    assert told in log
    assert time.monotonic() - started < 10


def test_patches_that_do_not_fit_are_told_apart() -> None:
    assert ENVIRONMENT.grade(INSTANCE, " \n", Event()).outcome is Outcome.EMPTY
    stranger = file_patch("solution.py", b"def other():\n    pass\n", RIGHT.encode(), 0o644, 0o644)
    assert ENVIRONMENT.grade(INSTANCE, stranger, Event()).outcome is Outcome.UNAPPLIED
    outside = gold_patch(TASK).replace("solution.py", "../../escaped.py")
    assert ENVIRONMENT.grade(INSTANCE, outside, Event()).outcome is Outcome.UNAPPLIED


def test_instances_that_cannot_be_judged_are_unfit() -> None:
    assert ENVIRONMENT.validate(INSTANCE, Event()) == ""
    wrong = replace(INSTANCE, task=replace(TASK, solution="def add(value):\n    return 5\n"))
    assert "canonical solution does not pass" in ENVIRONMENT.validate(wrong, Event())
    done = replace(INSTANCE, task=replace(TASK, start=RIGHT))
    assert ENVIRONMENT.validate(done, Event()) == "the file passes as it is"


def test_the_agent_gets_the_file_and_nothing_of_the_check() -> None:
    with ENVIRONMENT.work_tree(INSTANCE, Event()) as tree:
        assert [path.name for path in tree.root.iterdir() if path.name != ".git"] == ["solution.py"]
        log = subprocess.run(
            ("git", "log", "--format=%s"), cwd=tree.root, capture_output=True, text=True, check=True
        )
        assert log.stdout == "start\n"
        around = [Path(place) for place in tree.root.parent.iterdir()]
    assert around == [tree.root]
    assert not tree.root.exists()


def test_judging_can_be_cancelled() -> None:
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        ENVIRONMENT.grade(INSTANCE, gold_patch(TASK), cancel)
