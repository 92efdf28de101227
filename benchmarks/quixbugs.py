"""Runs the agent on the QuixBugs programs that have cases in JSON, one attempt each.

Every program becomes a git repository of its own with the faulty file, its tests and an issue;
`agent fix` works on it as a user would start it; then the tests, laid out afresh, are the judge.
The correct programs in the data are never read.

    python benchmarks/quixbugs.py --data quixbugs.jsonl --model qwen2.5-coder-1.5b
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EDIT_TOOLS = frozenset({"replace_symbol", "edit", "write_file"})
JUDGE_SECONDS = 60.0
GRACE_SECONDS = 60.0
"""What the agent may take beyond its own limit before it is ended from outside."""

TEST_FILE = """\
import json
from pathlib import Path

import pytest

from {name} import {name}

CASES = json.loads(Path(__file__).with_name("cases.json").read_text())


@pytest.mark.parametrize(("arguments", "expected"), CASES)
def test_{name}(arguments, expected):
    assert {left} == {right}
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One task, without its solution."""

    name: str
    source: str
    """The faulty file, its description at the end included."""
    description: str
    cases: list[Any]
    left: str
    """What is called, as an expression of the test."""
    right: str
    """What it is compared with."""


@dataclass(slots=True)
class Outcome:
    """What one run of the agent came to."""

    fixed: bool = False
    status: str = "no answer"
    """The agent's own word."""
    calls: int = 0
    """Tool calls of the model that could be read."""
    malformed: int = 0
    edits: int = 0
    applied: int = 0
    steps: int = 0
    prompt: int = 0
    """Tokens of all requests together."""
    evaluated: int = 0
    """Of them, those that the model had to read."""
    output: int = 0
    """Tokens."""
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def load(path: Path) -> list[Program]:
    """The programs with JSON cases, in the order of the file."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [program(row) for row in rows if row["json_testcases"] is not None]


def program(row: dict[str, Any]) -> Program:
    """One row of the data as a task; compares results as the row's own test does."""
    name, test = row["name"], row["pytest_file"]
    skipped = [
        ast.literal_eval(node.comparators[0])
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.List)
    ]
    cases = [case for case in row["json_testcases"] if case[0] not in skipped]
    left, right = f"{name}(*arguments)", "expected"
    if f"list({name}(" in test:
        left = f"list({left})"
    if "tuple(" in test:
        right = "[tuple(item) for item in expected]"
    if "pytest.approx" in test:
        right = "pytest.approx(expected, abs=arguments[-1])"
    return Program(name, row["buggy"], _description(row["buggy"]), cases, left, right)


def _description(source: str) -> str:
    last = ast.parse(source).body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant):
        return str(last.value.value).strip()
    return ""


def lay_out(task: Program, folder: Path) -> None:
    """Make the repository and commit it."""
    lay_out_tests(task, folder)
    (folder / f"{task.name}.py").write_text(task.source, encoding="utf-8")
    issue = (
        f"# `{task.name}` gives wrong results\n\n"
        f"The tests in `test_{task.name}.py` fail. What `{task.name}` should do:\n\n"
        f"{task.description}\n"
    )
    (folder / "ISSUE.md").write_text(issue, encoding="utf-8")
    author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    sign = ("-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*author, *sign, "commit", "-qm", "as found")):
        subprocess.run(("git", *command), cwd=folder, check=True)


def lay_out_tests(task: Program, folder: Path) -> None:
    test = TEST_FILE.format(name=task.name, left=task.left, right=task.right)
    (folder / f"test_{task.name}.py").write_text(test, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(task.cases), encoding="utf-8")


def test_command(task: Program) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", f"test_{task.name}.py"]


def judge(task: Program, folder: Path) -> bool:
    """Whether all tests pass, whatever the agent did to them."""
    lay_out_tests(task, folder)
    command = [*test_command(task), "-x", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=JUDGE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def attempt(task: Program, folder: Path, options: argparse.Namespace) -> Outcome:
    """Let the agent work on one program in a repository within `folder`, then judge."""
    repository = folder / task.name
    repository.mkdir()
    lay_out(task, repository)
    command = [
        *shlex.split(options.agent),
        *("fix", str(repository / "ISSUE.md"), "--repo", str(repository), "--model", options.model),
        *("--test-command", shlex.join(test_command(task)), "--json", "--yes"),
        *("--max-seconds", str(options.max_seconds), "--max-steps", str(options.max_steps)),
    ]
    begun = time.monotonic()
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PARITY_STATE": str(folder / "state")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=options.max_seconds + GRACE_SECONDS,
        )
        lines, errors = done.stdout.splitlines(), done.stderr.strip().splitlines()
    except subprocess.TimeoutExpired:
        lines, errors = [], ["had to be ended"]
    outcome = read(lines)
    outcome.seconds = time.monotonic() - begun
    if outcome.status == "no answer":
        outcome.problems += errors[-1:]
    if options.keep is not None:
        (options.keep / f"{task.name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    outcome.fixed = judge(task, repository)
    return outcome


def read(lines: Iterable[str]) -> Outcome:
    """The figures in a stream of events."""
    outcome = Outcome()
    for event in map(json.loads, lines):
        match event:
            case {"event": "step_finished", "malformed": malformed, "calls": calls}:
                outcome.calls += calls
                outcome.malformed += len(malformed)
                outcome.problems += malformed
            case {"event": "tool_finished", "origin": "model", "call": call, "result": result}:
                if call["name"] in EDIT_TOOLS:
                    outcome.edits += 1
                    outcome.applied += result["ok"]
                    outcome.problems += [] if result["ok"] else [result["display"]]
            case {"event": "turn_finished", "status": status, "totals": totals}:
                outcome.status = status
                outcome.steps = totals["steps"]
                outcome.prompt = totals["usage"]["prompt"]
                outcome.evaluated = totals["usage"]["evaluated"]
                outcome.output = totals["usage"]["output"]
    return outcome


def row(name: str, outcome: Outcome) -> str:
    verdict = "fixed" if outcome.fixed else "-"
    return (
        f"{name:<28}{verdict:<7}{outcome.status:<14}{outcome.steps:>6}"
        f"{outcome.calls:>5}/{outcome.calls + outcome.malformed:<4}"
        f"{outcome.applied:>4}/{outcome.edits:<4}"
        f"{outcome.prompt:>8}{outcome.evaluated:>8}{outcome.output:>7}{outcome.seconds:>8.1f}"
    )


def totals(outcomes: Sequence[Outcome]) -> Iterator[str]:
    calls = sum(each.calls for each in outcomes)
    malformed = sum(each.malformed for each in outcomes)
    edits = sum(each.edits for each in outcomes)
    applied = sum(each.applied for each in outcomes)
    fixed = sum(each.fixed for each in outcomes)
    wrong = sum(each.status == "verified" and not each.fixed for each in outcomes)
    yield f"fixed {fixed} of {len(outcomes)}; called verified and not fixed: {wrong}"
    yield f"tool calls well-formed: {_share(calls, calls + malformed)}"
    yield f"edits applied: {_share(applied, edits)}"
    yield f"answers that changed nothing or did not parse, and were never edits: {calls - edits}"
    yield (
        f"steps {sum(each.steps for each in outcomes)}, prompt tokens "
        f"{sum(each.prompt for each in outcomes)} "
        f"({sum(each.evaluated for each in outcomes)} evaluated), output tokens "
        f"{sum(each.output for each in outcomes)}, "
        f"{sum(each.seconds for each in outcomes):.0f} s"
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="quixbugs.jsonl")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--only", default="", help="names of programs, separated by commas")
    parser.add_argument("--limit", type=int, default=None, help="the first so many programs")
    parser.add_argument("--max-seconds", type=int, default=300, help="for each program")
    parser.add_argument("--max-steps", type=int, default=100, help="for each program")
    parser.add_argument(
        "--workers", type=int, default=1, help="programs at a time, on a GPU that has the room"
    )
    parser.add_argument("--keep", type=Path, default=None, help="a folder for the events")
    parser.add_argument(
        "--agent",
        default=shlex.quote(str(Path(sys.executable).with_name("agent"))),
        help="how the agent is started; by default the one beside this Python",
    )
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    tasks = load(options.data)
    if options.only:
        wanted = set(options.only.split(","))
        if unknown := wanted - {task.name for task in tasks}:
            sys.exit(f"There is no program with JSON cases named {', '.join(sorted(unknown))}.")
        tasks = [task for task in tasks if task.name in wanted]
    print(
        f"{'program':<28}{'judge':<7}{'agent':<14}{'steps':>6}{'calls':>7}   {'edits':>6}   "
        f"{'prompt':>7}{'read':>8}{'out':>7}{'s':>8}"
    )
    chosen = tasks[: options.limit]
    outcomes = []

    def run(task: Program) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            return attempt(task, Path(folder), options)

    with ThreadPoolExecutor(options.workers) as pool:
        for task, outcome in zip(chosen, pool.map(run, chosen), strict=True):
            outcomes.append(outcome)
            print(row(task.name, outcome), flush=True)
            for problem in outcome.problems:
                print(f"    {problem}", flush=True)
    print(*totals(outcomes), sep="\n")


if __name__ == "__main__":
    main()
