"""What a replay costs beside the environment, the tools, the model and the tests.

Plays the known patch of small functions, and prints of each attempt the seconds that none of those
took: its process, the session, the files that are kept. Beside it, what the whole run took.

    python benchmarks/replay.py
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
import time
from pathlib import Path
from typing import Any

LIMIT = 1.0
"""Seconds that the median may be."""


def write_tasks(file: Path, count: int) -> None:
    """Functions that add a number, in the format of HumanEval."""
    rows = [
        {
            "task_id": f"Sums/{number}",
            "prompt": f'def add(value):\n    """The value and {number}."""\n',
            "entry_point": "add",
            "canonical_solution": f"    return value + {number}\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
        }
        for number in range(count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def overhead(row: dict[str, Any]) -> float:
    """Seconds of an attempt that nobody else took."""
    others = row["model_seconds"] + row["tool_seconds"] + row["environment_seconds"]
    return float(row["seconds"] - others - row["grade"]["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--instances", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--agent",
        default=shlex.quote(str(Path(sys.executable).with_name("agent"))),
        help="how the agent is started; by default the one beside this Python",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tasks(folder / "tasks.jsonl", options.instances)
        command = [*shlex.split(options.agent), "replay", str(folder / "tasks.jsonl")]
        command += ["--model", "gold", "--output", str(folder / "run"), "--yes"]
        command += ["--workers", str(options.workers)]
        started = time.monotonic()
        done = subprocess.run(
            command,
            env={**os.environ, "PARITY_STATE": str(folder / "state")},
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.monotonic() - started
        files = (folder / "run").glob("logs/run_evaluation/*/*/*/result.json")
        rows = [json.loads(file.read_text()) for file in files]
    if done.returncode != 0 or len(rows) != options.instances:
        sys.exit(f"{len(rows)} of {options.instances} were replayed:\n{done.stdout}{done.stderr}")
    print(done.stdout, end="")
    parts = {
        "overhead": [overhead(row) for row in rows],
        "environment": [row["environment_seconds"] for row in rows],
        "tools": [row["tool_seconds"] for row in rows],
        "grading": [row["grade"]["seconds"] for row in rows],
        "all of an attempt": [row["seconds"] for row in rows],
    }
    print(f"{'seconds an instance':<22}{'median':>8}{'most':>8}")
    for part, spent in parts.items():
        print(f"{part:<22}{statistics.median(spent):>8.2f}{max(spent):>8.2f}")
    print(f"{'the whole run':<22}{whole / len(rows):>8.2f}")
    median = statistics.median(parts["overhead"])
    print(f"median overhead, at most {LIMIT:g}: {'yes' if median <= LIMIT else 'NO'}")


if __name__ == "__main__":
    main()
