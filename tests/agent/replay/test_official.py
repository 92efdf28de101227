"""The files of a run as the official package writes and reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from agent.replay.environments.base import Grade, Outcome
from agent.replay.official import instance_report, run_report, write_instance_report, write_official
from agent.replay.results import Attempt, Cause
from agent.replay.store import Listed, Plan, Store
from tests.agent.replay.attempts import attempt

_OFFICIAL = """
import json, sys
from swebench.harness.reporting import make_run_report
predictions = json.load(open("gold/preds.json"))
instances = [{"instance_id": name} for name in sys.argv[1:]]
make_run_report(predictions, instances, "attempt-1", report_dir="official")
"""


def every_kind() -> list[Attempt]:
    """One attempt of each kind that a report tells apart."""
    right = Grade(Outcome.RESOLVED, {"a": True}, {"b": True})
    wrong = replace(right, outcome=Outcome.UNRESOLVED, pass_to_pass={"b": False})
    return [
        attempt("right", grade=right),
        attempt("wrong", cause=Cause.BROKE_OTHERS, grade=wrong),
        attempt("empty", cause=Cause.NO_PATCH, patch="", grade=Grade(Outcome.EMPTY)),
        attempt("refused", cause=Cause.NOT_APPLIED, grade=Grade(Outcome.UNAPPLIED)),
        attempt("slow", cause=Cause.TIMED_OUT, grade=Grade(Outcome.TIMEOUT)),
        attempt("odd", cause=Cause.WRONG_FIX, grade=Grade(Outcome.INVALID)),
    ]


def kept(folder: Path) -> Store:
    store = Store(folder)
    names = [*(it.instance for it in every_kind()), "missing"]
    listed = (Listed(name, "repository", "Mend it.", "", 1, 1) for name in names)
    store.begin(Plan("tasks.jsonl", ("gold",), 1, "local"), listed)
    for made in every_kind():
        draft = store.draft("gold", made.instance, 1)
        write_instance_report(made, draft)
        store.keep(made, draft)
    write_official(store.read())
    return store


def test_a_report_has_the_tests_that_counted() -> None:
    report = instance_report(every_kind()[1])
    assert report is not None
    told = report["wrong"]
    assert isinstance(told, dict)
    assert told["resolved"] is False
    assert told["patch_successfully_applied"] is True
    assert told["tests_status"]["FAIL_TO_PASS"] == {"success": ["a"], "failure": []}
    assert told["tests_status"]["PASS_TO_PASS"] == {"success": [], "failure": ["b"]}


def test_what_never_got_to_its_tests_has_no_report() -> None:
    reports = {made.instance: instance_report(made) for made in every_kind()}
    assert [name for name, report in reports.items() if report is None] == [
        *("empty", "refused", "slow"),
    ]


def test_a_run_counts_each_instance_once() -> None:
    attempts = {made.instance: made for made in every_kind()}
    report = run_report([*attempts, "missing"], attempts)
    assert report["resolved_ids"] == ["right"]
    assert report["unresolved_ids"] == ["odd", "wrong"]
    assert report["error_ids"] == ["refused", "slow"]
    assert report["empty_patch_ids"] == ["empty"]
    assert report["incomplete_ids"] == ["missing"]
    assert report["total_instances"] == 7


def test_later_attempts_have_files_of_their_own(tmp_path: Path) -> None:
    store = kept(tmp_path / "run")
    store.begin(replace(store.plan(), attempts=2), [])
    made = attempt("right", number=2, patch="--- second\n")
    store.keep(made, store.draft("gold", "right", 2))
    write_official(store.read())
    predictions = json.loads((store.folder / "gold" / "preds-2.json").read_text())
    assert predictions["right"]["model_patch"] == "--- second\n"
    assert json.loads((store.folder / "gold" / "report-2.json").read_text())["incomplete_ids"]


@pytest.mark.skipif(find_spec("swebench") is None, reason="needs swebench")
def test_the_official_package_counts_the_same(tmp_path: Path) -> None:
    store = kept(tmp_path / "run")
    names = [item.id for item in store.instances()]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _OFFICIAL, *names],
        cwd=store.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    official = json.loads((store.folder / "official" / "gold.attempt-1.json").read_text())
    assert json.loads((store.folder / "gold" / "report.json").read_text()) == official
