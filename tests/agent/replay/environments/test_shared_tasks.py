"""Real instances, of repositories that the user has clones of.

`PARITY_TASKS` names a file of rows, `PARITY_MIRRORS` a folder of clones; without them nothing is
run here. `PARITY_CACHE` names where environments are kept from run to run.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from agent.replay.environments.base import Outcome
from agent.replay.environments.local import LocalEnvironment
from agent.replay.instance import Instance, Recipe, RepositoryTask
from tests.agent.replay.grading import official

NAMED = {name: os.environ.get(f"PARITY_{name}", "") for name in ("TASKS", "MIRRORS", "CACHE")}
MOST = int(os.environ.get("PARITY_MOST", "3"))
"""How many instances, from the first."""

pytestmark = pytest.mark.skipif(
    not (NAMED["TASKS"] and NAMED["MIRRORS"]),
    reason="PARITY_TASKS and PARITY_MIRRORS name no real instances",
)


def _rows() -> list[Mapping[str, Any]]:
    if not NAMED["TASKS"]:
        return []
    lines = Path(NAMED["TASKS"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:MOST]]


def _instance(row: Mapping[str, Any]) -> Instance:
    env, gone = row["env"], frozenset(row.get("p2p_excluded", ()))
    recipe = Recipe(
        env["name"], env["python"], tuple(env.get("pip_freeze") or env["requirements"]),
        env["install_command"], env["test_command"], env["log_parser"], env["env_vars"],
        env["name_normalise"] or "",
    )  # fmt: skip
    task = RepositoryTask(
        row["repo"], row["base_commit"], row["patch"], row["test_patch"],
        _names(row["FAIL_TO_PASS"]),
        tuple(name for name in _names(row["PASS_TO_PASS"]) if name not in gone),
        recipes=(recipe,), log_parser=recipe.log_parser,
    )  # fmt: skip
    return Instance(row["instance_id"], row["problem_statement"], task)


def _names(value: str | list[str]) -> tuple[str, ...]:
    return tuple(json.loads(value) if isinstance(value, str) else value)


@official.needed
@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["instance_id"])
def test_the_gold_patch_alone_resolves_and_the_official_verdict_is_ours(
    row: Mapping[str, Any], tmp_path: Path
) -> None:
    instance = _instance(row)
    assert isinstance(instance.task, RepositoryTask)
    cache = Path(NAMED["CACHE"]) if NAMED["CACHE"] else tmp_path
    local = LocalEnvironment(cache, [Path(NAMED["MIRRORS"])])
    gold = local.grade(instance, instance.task.patch, Event())
    nothing = local.unpatched(instance, Event())
    assert (gold.outcome, nothing.outcome) == (Outcome.RESOLVED, Outcome.UNRESOLVED), gold.log
    cases = [(instance.task, grade.log) for grade in (gold, nothing)]
    reports = official.reports(cases, tmp_path)
    assert [report["resolved"] for report in reports] == [True, False]
    for grade, report in zip((gold, nothing), reports, strict=True):
        for ours, key in (
            (grade.fail_to_pass, "FAIL_TO_PASS"),
            (grade.pass_to_pass, "PASS_TO_PASS"),
        ):
            good = [test for test, passed in ours.items() if passed]
            assert good == report["tests_status"][key]["success"]
