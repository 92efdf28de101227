"""What a step costs beside the model and the tools: history, events, record, printing, the tree.

Plays a script of reads, searches and changes on a small repository and reads the session's record:
the time from one step's start to the next's, without what the model and the tools took.

    python benchmarks/overhead.py
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT = 15.0
"""Milliseconds that the median may be."""
FILES = 10
MODULE = '''\
"""Module {number}."""

FACTOR = 0


def scaled(value: int) -> int:
    """`value` times the factor, and {number}."""
    return value * FACTOR + {number}
'''
TEST = "from module_0 import scaled\n\n\ndef test_scaled():\n    assert scaled(1) == 1\n"


def calls(steps: int) -> Iterator[dict[str, Any]]:
    """Different calls, as a model at work makes them: it reads, looks and changes."""
    for number in range(steps):
        path = f"module_{number % FILES}.py"
        match number % 3:
            case 0:
                yield {"tool": "read_file", "path": path, "start": 1 + number // FILES}
            case 1:
                yield {"tool": "search", "pattern": f"FACTOR|{number}"}
            case _:
                code = MODULE.format(number=number % FILES).replace("= 0", f"= {number}")
                yield {"tool": "write_file", "path": path, "content": code}


def script(steps: int) -> str:
    """The calls as a script, one a step."""
    written = []
    for call in calls(steps):
        written.append('[[step]]\ntext = "Next I look at this."\n[[step.call]]')
        written += [f"{name} = {json.dumps(value)}" for name, value in call.items()]
    return "\n".join([*written, '[[step]]\ntext = "Done."\n'])


def make_repository(folder: Path) -> None:
    folder.mkdir()
    for number in range(FILES):
        (folder / f"module_{number}.py").write_text(MODULE.format(number=number))
    (folder / "test_module.py").write_text(TEST)
    (folder / "ISSUE.md").write_text("# The factors are wrong\n")
    author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    sign = ("-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*author, *sign, "commit", "-qm", "as found")):
        subprocess.run(("git", *command), cwd=folder, check=True)


def overheads(record: Path) -> list[tuple[str, float]]:
    """For each step that another follows: its tool, and the milliseconds that nobody else took."""
    found = []
    began, others, tool = 0.0, 0.0, ""
    for line in record.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        match event["event"]:
            case "step_started":
                if began:
                    found.append((tool, (event["at"] - began - others) * 1e3))
                began, others, tool = event["at"], 0.0, ""
            case "step_finished":
                others += event["seconds"]
            case "tool_finished":
                others += event["seconds"]
                tool = event["call"]["name"] if event["origin"] == "model" else tool
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument(
        "--agent",
        default=shlex.quote(str(Path(sys.executable).with_name("agent"))),
        help="how the agent is started; by default the one beside this Python",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_repository(folder / "repository")
        (folder / "script.toml").write_text(script(options.steps))
        command = [*shlex.split(options.agent), "fix", "ISSUE.md", "--yes"]
        command += ["--model", f"scripted:{folder / 'script.toml'}"]
        command += ["--steering", "free", "--max-steps", str(options.steps + 1)]
        done = subprocess.run(
            command,
            cwd=folder / "repository",
            env={**os.environ, "PARITY_STATE": str(folder / "state")},
            capture_output=True,
            text=True,
            check=False,
        )
        records = list((folder / "state" / "sessions").glob("*/record.jsonl"))
        if not records:
            sys.exit(done.stderr)
        found = overheads(records[0])
    if len(found) != options.steps:
        sys.exit(f"{len(found)} of {options.steps} steps were played:\n{done.stdout}{done.stderr}")
    print(f"{'milliseconds a step':<22}{'steps':>6}{'median':>8}{'most':>8}")
    for tool in [*dict.fromkeys(tool for tool, _ in found), ""]:
        spent = [one for name, one in found if tool in ("", name)]
        median, most = statistics.median(spent), max(spent)
        print(f"{tool or 'all':<22}{len(spent):>6}{median:>8.1f}{most:>8.1f}")
    print(f"median of all, at most {LIMIT:g}: {'yes' if median <= LIMIT else 'NO'}")


if __name__ == "__main__":
    main()
