"""A run's predictions and reports in the official package's formats.

Owns their layout: what swebench 5 writes, and what it and sb-cli read. Must not know how anything
was graded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent import private
from agent.replay.environments.base import Grade, Outcome
from agent.replay.results import Attempt, Cause
from agent.replay.store import Replay, slug

SCHEMA_VERSION = 2


def instance_report(attempt: Attempt) -> dict[str, object] | None:
    """What the official harness says of one attempt; None: it would leave no report."""
    grade = attempt.grade
    if grade is None or grade.outcome in (Outcome.EMPTY, Outcome.UNAPPLIED, Outcome.TIMEOUT):
        return None
    report: dict[str, object] = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": grade.outcome is not Outcome.INVALID,
        "resolved": grade.outcome is Outcome.RESOLVED,
        "infra_failure": bool(grade.infrastructure),
    }
    if grade.infrastructure:
        report["infra_failure_reason"] = grade.infrastructure.replace(" ", "_")
    if grade.outcome is not Outcome.INVALID:
        report["tests_status"] = _tests_status(grade)
    return {attempt.instance: report}


def predictions(attempts: Iterable[Attempt]) -> dict[str, dict[str, str]]:
    """`preds.json` of one model's attempts, one at each instance."""
    return {
        attempt.instance: {
            "model_name_or_path": slug(attempt.model),
            "instance_id": attempt.instance,
            "model_patch": attempt.patch.encode("utf-8", "replace").decode(),
        }
        for attempt in attempts
        if attempt.status
    }


def run_report(instances: Iterable[str], attempts: Mapping[str, Attempt]) -> dict[str, object]:
    """`MODEL.RUN.json`: counts, and the ids behind each.

    Args:
        attempts: By instance; one model's, one at each.
    """
    every = list(instances)
    submitted = {name: it for name, it in attempts.items() if it.status}
    empty = {name for name, it in submitted.items() if not it.patch.strip()}
    completed = {name for name, it in submitted.items() if instance_report(it)} - empty
    resolved = {name for name in completed if attempts[name].cause is Cause.NONE}
    failed = set(submitted) - empty - resolved
    infrastructure = {name for name in failed if attempts[name].cause is Cause.INFRASTRUCTURE}
    lists = {
        "completed": completed,
        "incomplete": set(every) - set(submitted),
        "empty_patch": empty,
        "submitted": set(submitted),
        "resolved": resolved,
        "unresolved": completed - resolved,
        "infra_failure": infrastructure,
        "ambiguous_failure": set[str](),
        "error": set(submitted) - empty - completed,
    }
    counted = (
        *("submitted", "completed", "resolved", "unresolved"),
        *("infra_failure", "ambiguous_failure", "empty_patch", "error"),
    )
    return {
        "total_instances": len(every),
        **{f"{name}_instances": len(lists[name]) for name in counted},
        **{f"{name}_ids": sorted(ids) for name, ids in lists.items()},
        "failure_reasons": {name: attempts[name].trouble for name in sorted(infrastructure)},
        "schema_version": SCHEMA_VERSION,
    }


def write_official(replay: Replay) -> None:
    """Write the predictions and the reports of a run into its folder, each attempt its own."""
    for model in replay.plan.models:
        for number in range(1, replay.plan.attempts + 1):
            own = {
                attempt.instance: attempt
                for attempt in replay.attempts
                if attempt.model == model and attempt.number == number
            }
            last = f"-{number}" if number > 1 else ""
            folder = replay.folder / slug(model)
            listed = [item.id for item in replay.instances]
            _write(folder / f"preds{last}.json", predictions(own.values()))
            _write(folder / f"report{last}.json", run_report(listed, own))


def write_instance_report(attempt: Attempt, folder: Path) -> None:
    """Write the report of one attempt, if it has one."""
    report = instance_report(attempt)
    if report is not None:
        _write(folder / "report.json", report)


def _tests_status(grade: Grade) -> dict[str, dict[str, list[str]]]:
    def sorted_in(tests: Mapping[str, bool]) -> dict[str, list[str]]:
        return {
            "success": [name for name, passed in tests.items() if passed],
            "failure": [name for name, passed in tests.items() if not passed],
        }

    nothing: dict[str, list[str]] = {"success": [], "failure": []}
    return {
        "FAIL_TO_PASS": sorted_in(grade.fail_to_pass),
        "PASS_TO_PASS": sorted_in(grade.pass_to_pass),
        "FAIL_TO_FAIL": nothing,
        "PASS_TO_FAIL": nothing,
    }


def _write(file: Path, value: object) -> None:
    private.write(file, json.dumps(value, indent=4).encode() + b"\n")
