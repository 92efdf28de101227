"""`agent replay` with a model on this machine, which is kept from attempt to attempt."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Agent, alive, children_of, wait_for
from tests.e2e.test_replay import causes, words, write_tasks

LIMITS = ("--no-validate", "--max-steps", "1")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "tasks.jsonl", 3)


def first_step(run: Path, instance: str) -> dict[str, Any]:
    (record,) = run.glob(f"logs/run_evaluation/*/smol*/{instance}/session/record.jsonl")
    rows = map(json.loads, record.read_text().splitlines())
    found: dict[str, Any] = next(row for row in rows if row.get("event") == "step_finished")
    return found


def test_the_next_attempt_has_what_the_model_has_read(
    agent: Agent, small_model: str, tasks: Path, tmp_path: Path
) -> None:
    done = agent.run(*words(tasks, small_model, "empty"), *LIMITS, "--slice", ":2", cwd=tmp_path)
    assert done.code == 0, done.err
    assert first_step(tmp_path / "run", "Sums-0")["usage"]["reused"] == 0
    assert first_step(tmp_path / "run", "Sums-1")["usage"]["reused"] > 0


def test_a_crash_costs_one_attempt(
    agent: Agent, small_model: str, tasks: Path, tmp_path: Path
) -> None:
    running = agent.start(*words(tasks, small_model, workers=1), *LIMITS, cwd=tmp_path)
    running.until("1/3")
    (runner,) = running.children()
    (child,) = children_of(runner)
    below = children_of(child)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not any(map(alive, below)), 10)
    done = running.end()
    assert done.code == 0, done.err
    assert causes(tmp_path / "run").count("infrastructure") == 1
    assert len(causes(tmp_path / "run")) == 3
