"""Draws the pictures of the screen, `docs/screen*.svg`, by the application itself.

Owns what is done before each picture is taken. A scripted model works on a copy of an example
through the real loop, with real files and tests; nothing of the picture is drawn by hand.

    .venv/bin/python docs/screen_pictures.py [--size 80x24] [--theme light] [NAME …]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.events import TurnFinished  # noqa: E402
from agent.mode import Mode  # noqa: E402  from this checkout, installed or not
from agent.replay.following import State  # noqa: E402
from agent.replay.standing import is_at_work  # noqa: E402
from agent.session import sessions, state_folder  # noqa: E402
from agent.wanted import Wanted  # noqa: E402
from tui.app import ParityApp  # noqa: E402
from tui.engine import Asked, Opened, Reported  # noqa: E402
from tui.widgets.panel import QUIET, Panel  # noqa: E402
from tui.widgets.prompt import Prompt  # noqa: E402
from tui.widgets.replay_rows import ReplayRows  # noqa: E402

EXAMPLE = "wrong_formula"
TASK = "Tax is too high on invoices with a discount. Find out why and mend it."
DEMO = ROOT / "docs" / "demo.toml"
"""The script; before its first words the model is shown to think."""
THOUGHT = "The total is right without a discount, so the order of the two steps is suspect."
HASTY = """
steering = "free"
price_as = "claude-haiku-4-5"
[[step]]
text = "I look at the function."
[[step.call]]
tool = "read_file"
path = "solution.py"
[[step]]
text = "The least of them comes first once they are sorted."
[[step.call]]
tool = "replace_symbol"
path = "solution.py"
symbol = "answer"
code = '''
def answer(numbers):
    return sorted(numbers)[0]
'''
[[step]]
text = "Done."
delay = 2
"""
FUNCTIONS = {
    "smallest": "min(numbers)",
    "largest": "max(numbers)",
    "total": "sum(numbers)",
    "least-even": "min(n for n in numbers if n % 2 == 0)",
    "mean": "sum(numbers) / len(numbers)",
    "median": "sorted(numbers)[len(numbers) // 2]",
    "first-in-order": "sorted(numbers)[0]",
    "range": "max(numbers) - min(numbers)",
    "how-many": "len(numbers)",
    "last": "numbers[-1]",
}
REPLAY = (
    "/replay lists.jsonl --model gold --model scripted:./hasty.toml -o lists -w 3 --no-validate"
)
PATIENCE = 60.0
"""Seconds after which a view has failed."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture."""

    name: str
    keys: tuple[str, ...] = ()
    """Pressed before it is taken."""
    size: tuple[int, int] = (100, 32)
    theme: str = "dark"
    mode: Mode = Mode.AUTO
    model: str = ""
    """Empty: the one that plays the script."""
    task: str = TASK
    """Empty: nothing is said."""
    until: type[TurnFinished] | type[Asked] | None = TurnFinished
    """What is waited for; None: that the session is open, or cannot be."""
    allowed: int = 0
    """How many questions are answered with yes before it is taken."""
    ended: int = 0
    """How many attempts of a replay have ended before it is taken."""


VIEWS = (
    View("screen", size=(100, 38)),
    View("screen-light", theme="light"),
    View("screen-approval", mode=Mode.ASK, until=Asked, allowed=1),
    View("screen-figures", keys=("f3",)),
    View("screen-models", keys=("f4",)),
    View("screen-sessions", keys=("ctrl+o",)),
    View("screen-replay", size=(100, 26), task=REPLAY, until=None, ended=9),
    View("screen-help", keys=("question_mark",), size=(100, 40), task="", until=None),
    View("screen-first-run", model="qwen2.5-coder-1.5b", task="", until=None),
)


async def take(view: View, repository: Path, script: Path) -> str:
    """The picture of a view, as SVG."""
    model = view.model or f"scripted:{script}"
    app = ParityApp(Wanted(repository, {"model": model}, mode=view.mode), {})
    app.theme = view.theme
    happened: list[object] = []

    def note(message: object) -> None:
        happened.append(message.event if isinstance(message, Reported) else message)

    async with app.run_test(size=view.size, message_hook=note) as pilot:
        if view.task:
            await _until(pilot, lambda: any(isinstance(it, Opened) for it in happened))
            prompt = app.screen.query_one(Prompt)
            prompt.focus()
            prompt.write(view.task)
            await pilot.press("enter")
        if view.ended:
            await _replayed(pilot, view.ended)
        if view.until is not None:
            await _until(pilot, partial(_times, happened, view.until))
        await pilot.pause(1.0)
        for answered in range(1, view.allowed + 1):
            await pilot.press("y")
            await _until(pilot, partial(_times, happened, Asked, answered))
            await pilot.pause(1.0)
        for key in view.keys:
            await pilot.press(key)
        await pilot.pause(1.5)
        return app.export_screenshot(title=f"agent · {repository.name}")


async def _replayed(pilot: Pilot[Any], ended: int) -> None:
    """Have a replay begin, and wait until so many attempts have ended."""
    await _until(pilot, lambda: isinstance(pilot.app.focused, Panel))
    await pilot.pause(2 * QUIET)
    await pilot.press("y")
    rows = pilot.app.screen.query_one(ReplayRows)
    done = (State.RESOLVED, State.UNRESOLVED)
    await _until(pilot, lambda: sum(row.state in done for row in rows.rows) >= ended)
    await pilot.press(*["down"] * 4)


def _times(happened: list[object], kind: type, already: int = 0) -> bool:
    """Whether something happened more often than it had."""
    # Each widget that a message passes notes it anew.
    return len({id(it) for it in happened if isinstance(it, kind)}) > already


async def _until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come to that")
        await pilot.pause(0.05)


def draw(view: View, output: Path) -> None:
    """Take a picture with folders of its own, and write it."""
    with tempfile.TemporaryDirectory(prefix="parity-") as scratch:
        home = Path(scratch)
        repository = home / EXAMPLE
        ignored = shutil.ignore_patterns("__pycache__", ".*cache")
        shutil.copytree(ROOT / "examples" / EXAMPLE, repository, ignore=ignored)
        identity = ("-c", "user.name=you", "-c", "user.email=you@localhost")
        for git in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "Invoices"]):
            subprocess.run(["git", *git], cwd=repository, check=True)
        script = home / "demo.toml"
        thinking = f'[[step]]\nreasoning = "{THOUGHT}"\n'
        told = DEMO.read_text(encoding="utf-8").replace("[[step]]\n", thinking, 1)
        script.write_text(told, encoding="utf-8")
        (home / "hasty.toml").write_text(HASTY, encoding="utf-8")
        (home / "lists.jsonl").write_text("".join(map(_row, FUNCTIONS)), encoding="utf-8")
        os.chdir(home)
        os.environ |= {
            "PARITY_STATE": str(home / "state"),
            "PARITY_CONFIG": str(home / "config.toml"),
            "PARITY_MODELS": str(home / "models"),
        }
        picture = asyncio.run(take(view, repository, script))
        assert not view.task or view.ended or list(sessions(state_folder()))
        while is_at_work(home / "lists"):  # it stops in its own time
            time.sleep(0.1)
        os.chdir(ROOT)
    (output / f"{view.name}.svg").write_text(picture, encoding="utf-8")


def _row(name: str) -> str:
    """A function, in the format of HumanEval."""
    solution = f"    return {FUNCTIONS[name]}\n"
    told = name.replace("-", " ")
    check = "def check(candidate):\n    numbers = [5, 2, 9]\n"
    check += f"    assert candidate(numbers) == {FUNCTIONS[name]}\n"
    row = {
        "task_id": f"Lists/{name}",
        "prompt": f'def answer(numbers):\n    """The {told} of the numbers."""\n',
        "entry_point": "answer",
        "canonical_solution": solution,
        "test": check,
    }
    return json.dumps(row) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="of the pictures; default: all")
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    parser.add_argument("--size", help="columns and rows, as 80x24; default: each its own")
    parser.add_argument("--theme", help="of all; default: each its own")
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    columns, _, rows = (chosen.size or "").partition("x")
    failed = 0
    for view in VIEWS:
        if not chosen.names or view.name in chosen.names:
            if chosen.size:
                view = replace(view, size=(int(columns), int(rows)))
            if chosen.theme:
                view = replace(view, theme=chosen.theme)
            try:
                draw(view, chosen.output)
            except Exception as error:  # one view that fails leaves the others
                failed += 1
                print(f"{view.name}: {type(error).__name__}: {error}", file=sys.stderr)
            else:
                print(view.name)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
