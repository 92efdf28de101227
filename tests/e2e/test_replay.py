"""`agent replay` on small tasks: known patches, models that hang, crash and cost, killed runs."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.agent.replay.rows import SWEBENCH
from tests.e2e.command import Agent, Running, alive, children_of, wait_for

WRITE = "--trajectories"
HANGS = '[[step]]\ntext = "Let me think."\ndelay = 600\n'
COSTS = 'price_as = "claude-sonnet-5-5"\n' + '[[step]]\ntext = "There is nothing to do."\n' * 4


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "tasks.jsonl", 3)


def write_tasks(file: Path, count: int) -> Path:
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
    return file


def words(tasks: Path, *models: str, workers: int = 2) -> list[str]:
    named = [word for model in models for word in ("--model", model)]
    return ["replay", str(tasks), *named, "-o", "run", "--workers", str(workers), "--yes"]


def results(run: Path) -> dict[str, dict[str, Any]]:
    """What each attempt came to, by its place."""
    found = {}
    for file in sorted(run.glob("logs/run_evaluation/*/*/[!.]*/result.json")):
        found[str(file.parent.relative_to(run))] = json.loads(file.read_text())
    return found


def causes(run: Path) -> list[str]:
    return [row["cause"] for row in results(run).values()]


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    fresh: Sequence[int] = children_of(pid)
    while fresh:
        found += fresh
        fresh = [child for parent in fresh for child in children_of(parent)]
    return found


def test_known_patches_are_played_and_judged(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    done = agent.run(*words(tasks, "gold", "empty"), cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == "gold: 3 of 3 resolved\nempty: 0 of 3 resolved (3 no patch)\n"
    run = tmp_path / "run"
    predictions = json.loads((run / "gold" / "preds.json").read_text())
    assert predictions["Sums-2"]["model_name_or_path"] == "gold"
    assert "+    return value + 2" in predictions["Sums-2"]["model_patch"]
    report = json.loads((run / "gold" / "report.json").read_text())
    assert report["resolved_ids"] == ["Sums-0", "Sums-1", "Sums-2"]
    assert report["schema_version"] == 2
    place = run / "logs" / "run_evaluation" / "attempt-1" / "gold" / "Sums-1"
    record = [
        json.loads(line) for line in (place / "session" / "record.jsonl").read_text().splitlines()
    ]
    assert record[-1]["event"] == "turn_finished"
    assert json.loads((place / "report.json").read_text())["Sums-1"]["resolved"] is True
    assert not (agent.home / "state" / "sessions").exists()


def test_trajectories_are_written_for_other_programs(
    agent: Agent, tasks: Path, tmp_path: Path
) -> None:
    argv = [*words(tasks, "gold"), "--slice", ":1"]
    assert agent.run(*argv, cwd=tmp_path).code == 0
    formats = [word for name in ("atif", "swe-agent", "mini-swe-agent") for word in (WRITE, name)]
    place = tmp_path / "run" / "logs" / "run_evaluation" / "attempt-1" / "gold" / "Sums-0"
    done = agent.run(*argv, *formats, cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads((place / "Sums-0.json").read_text())["schema_version"] == "ATIF-v1.7"
    patch = (place / "patch.diff").read_text()
    for name in ("Sums-0.traj", "Sums-0.traj.json"):
        assert json.loads((place / name).read_text())["info"]["submission"] == patch
    assert json.loads((place / "Sums-0.traj.json").read_text())["instance_id"] == "Sums-0"
    (place / "session" / "record.jsonl").write_text("{")
    done = agent.run(*argv, *formats[:2], cwd=tmp_path)
    assert done.code == 0
    assert "Sums-0: gold: its trajectory cannot be told as atif: There is no record" in done.err


def test_the_report_reckons_with_the_users_settings(
    agent: Agent, tasks: Path, tmp_path: Path
) -> None:
    agent.run(*words(tasks, "gold"), "--slice", ":1", cwd=tmp_path)
    argv = ("report", "run", "--format", "json", "--usd-per-kwh", "0.6")
    done = agent.run(*argv, cwd=tmp_path, PARITY_WATTS="123", PARITY_USD_PER_KWH="0.55")
    assert done.code == 0, done.err
    month = json.loads(done.out)["break_even"]
    assert (month["watts"], month["usd_per_kwh"]) == (123, 0.6)


def test_a_run_that_is_done_is_not_done_again(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    agent.run(*words(tasks, "gold"), cwd=tmp_path)
    before = {place: row["started"] for place, row in results(tmp_path / "run").items()}
    done = agent.run(*words(tasks, "gold", "empty"), cwd=tmp_path)
    assert done.code == 0
    after = results(tmp_path / "run")
    assert len(after) == 6
    assert all(after[place]["started"] == started for place, started in before.items())
    done = agent.run(*words(tasks, "gold"), "--max-steps", "3", cwd=tmp_path)
    assert done.code == 2
    assert "other limits" in done.complaint


def test_a_model_that_hangs_stops_nothing(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    argv = words(tasks, agent.script(HANGS), "gold")
    done = agent.run(*argv, "--timeout", "4", "--no-validate", "--slice", ":2", cwd=tmp_path)
    assert done.code == 0, done.err
    assert sorted(causes(tmp_path / "run")) == [*["out of steps"] * 2, *["resolved"] * 2]
    assert "It was not done after 4 s." in done.err


def test_an_attempt_whose_process_is_killed_stops_nothing(
    agent: Agent, tasks: Path, tmp_path: Path
) -> None:
    argv = words(tasks, agent.script(HANGS), "gold", workers=2)
    running = agent.start(*argv, "--no-validate", "--slice", ":1", cwd=tmp_path)
    running.until("gold  resolved")
    (hanging,) = [pid for child in running.children() for pid in children_of(child)]
    os.kill(hanging, signal.SIGKILL)
    done = running.end()
    assert done.code == 0
    assert "Its process ended with signal 9" in done.err
    assert "0 of 0 resolved; 1 infrastructure, not counted" in done.out
    again = agent.run(*argv, "--no-validate", "--slice", ":1", cwd=tmp_path)
    assert again.code == 0  # it counts as ended, until `--retry`
    assert sorted(causes(tmp_path / "run")) == ["infrastructure", "resolved"]


def test_a_run_that_is_killed_goes_on(agent: Agent, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", 12)
    chance, kept = random.Random(6), 0
    for _ in range(10):
        running = agent.start(*words(tasks, "gold"), cwd=tmp_path)
        time.sleep(chance.uniform(0.3, 1.8))
        started = descendants(running.process.pid)
        running.process.kill()
        running.end()
        wait_for(lambda started=started: not any(map(alive, started)), 10)  # type: ignore[misc]
        now = len(results(tmp_path / "run"))
        assert now >= kept
        kept = now
    done = agent.run(*words(tasks, "gold"), cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == "gold: 12 of 12 resolved\n"
    whole = tmp_path / "whole"
    whole.mkdir()
    agent.run(*words(tasks, "gold"), cwd=whole)
    pieces, once = results(tmp_path / "run"), results(whole / "run")
    assert pieces.keys() == once.keys()
    for place, row in pieces.items():
        for name in ("instance", "model", "number", "status", "cause", "steps"):
            assert row[name] == once[place][name]
        same = [
            (folder / place / "patch.diff").read_bytes()
            for folder in (tmp_path / "run", whole / "run")
        ]
        assert same[0] == same[1]
    folder = tmp_path / "run" / "logs" / "run_evaluation" / "attempt-1" / "gold"
    assert not list(folder.glob(".*"))


def test_an_interrupted_run_says_how_to_go_on(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    argv = words(tasks, agent.script(HANGS), "gold", workers=4)
    running = agent.start(*argv, "--no-validate", cwd=tmp_path)
    running.until("gold  resolved", 3)
    sent = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    done = running.end()
    assert time.monotonic() - sent < 15
    assert done.code == 130
    assert "3 attempts are left (interrupted)" in done.err
    assert causes(tmp_path / "run") == ["resolved"] * 3
    assert not alive_children(running)


def alive_children(running: Running) -> bool:
    return any(map(alive, descendants(running.process.pid)))


def test_the_whole_run_has_a_limit(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    argv = [*words(tasks, agent.script(COSTS), workers=1), "--no-validate"]
    done = agent.run(*argv, "--slice", ":1", cwd=tmp_path)
    assert done.code == 0, done.err
    (first,) = results(tmp_path / "run").values()
    assert not any(first["usage"].values())  # a script's are estimates
    limit = 2.9 * first["cost"]["api_usd"]
    done = agent.run(*argv, "--total-usd", f"{limit}", cwd=tmp_path)
    assert done.code == 4, done.err
    assert "left (the limit was reached: $" in done.err
    ended = results(tmp_path / "run")
    assert len(ended) < 3
    assert {row["status"] for row in ended.values()} == {"failed"}  # none was cut short
    assert sum(row["cost"]["api_usd"] for row in ended.values()) <= limit
    done = agent.run(*argv, cwd=tmp_path)
    assert done.code == 0
    assert len(causes(tmp_path / "run")) == 3


def test_an_unfit_instance_is_told_and_not_counted(agent: Agent, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", 2)
    broken = tasks.read_text().replace("return value + 1", "return value + 7")
    tasks.write_text(broken)
    model = agent.script('[[step]]\ntext = "There is nothing to do."\n' * 4)
    done = agent.run(*words(tasks, model), cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Unfit, not counted: Sums-1: the canonical solution does not pass" in done.err
    assert done.out.endswith("0 of 1 resolved (1 no patch)\n")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("nowhere.jsonl", "--model", "gold"), "There is no file nowhere.jsonl"),
        (("tasks.jsonl", "--model", "scripted:none.toml"), "The script none.toml cannot be read"),
        (("tasks.jsonl", "--model", "gold", "--filter", "absent"), "None of the 3 tasks"),
        (("tasks.jsonl", "--model", "gold", "--slice", "x"), "The slice 'x' is not a:b."),
        (("bare.jsonl", "--model", "gold"), "No row says how its environment is made"),
    ],
)
def test_bad_input_is_one_line(
    agent: Agent, tasks: Path, tmp_path: Path, argv: tuple[str, ...], told: str
) -> None:
    (tmp_path / "bare.jsonl").write_text(json.dumps(SWEBENCH))
    done = agent.run("replay", *argv, "-o", "run", "--yes", cwd=tmp_path)
    assert done.code in (2, 5)
    assert told in done.complaint
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_one_line(agent: Agent, tasks: Path) -> None:
    argv = ("replay", tasks.name, "--model", "gold", "-o", f"{tasks.name}/run", "--yes")
    done = agent.run(*argv, cwd=tasks.parent)
    assert (done.code, "tasks.jsonl/run cannot be written: Not a directory" in done.complaint) == (
        2,
        True,
    )


def test_what_cannot_be_kept_stops_nothing(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "run" / "logs" / "run_evaluation" / "attempt-1" / "gold"
    agent.run(*words(tasks, "empty"), "--slice", ":1", cwd=tmp_path)
    blocked.write_text("")
    done = agent.run(*words(tasks, "gold", "empty"), cwd=tmp_path)
    assert done.code == 0, done.err
    assert "empty: 0 of 3 resolved (3 no patch)" in done.out
    assert "gold: 0 of 0 resolved; 3 infrastructure, not counted" in done.out
    assert "exit code 1: Not a directory. It cannot be kept: Not a directory." in done.err
    blocked.unlink()
    done = agent.run(*words(tasks, "gold", "empty"), cwd=tmp_path)
    assert "gold: 3 of 3 resolved" in done.out


def test_nobody_is_surprised(agent: Agent, tasks: Path, tmp_path: Path) -> None:
    argv = [word for word in words(tasks, "gold") if word != "--yes"]
    done = agent.run(*argv, cwd=tmp_path)
    assert done.code == 2
    assert "give --yes" in done.complaint
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("")
    done = agent.run(*argv, "--yes", cwd=tmp_path)
    assert "holds something else" in done.complaint
