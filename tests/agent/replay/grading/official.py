"""The official harness's own grading, to compare ours with: in a process of its own.

What it imports takes seconds, warns, and reads a `.env`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.replay.instance import RepositoryTask

needed = pytest.mark.skipif(
    importlib.util.find_spec("swebench") is None, reason="swebench is not installed"
)

_PARSE = """
import json, sys
from swebench.harness.log_parsers import PARSER_REGISTRY
cases = json.load(sys.stdin)
json.dump([PARSER_REGISTRY[name](log, None) for name, log in cases], sys.stdout)
"""
_JUDGE = """
import json, pathlib, sys
from swebench.harness.grading import get_eval_report
from swebench.types import TestSpec
found = []
for number, case in enumerate(json.load(sys.stdin)):
    place = pathlib.Path(f"{number}.log")
    place.write_text(case.pop("log"))
    spec = TestSpec(instance_id="x", image="", eval_script_list=[], repo="", version="", **case)
    prediction = {"instance_id": "x", "model_name_or_path": "m", "model_patch": "p"}
    found.append(get_eval_report(spec, prediction, str(place), True)["x"])
json.dump(found, sys.stdout)
"""


def statuses(cases: Sequence[tuple[str, str]], folder: Path) -> list[dict[str, str]]:
    """Of each parser and log, what became of the tests."""
    return list(_asked(_PARSE, [list(case) for case in cases], folder))


def reports(cases: Sequence[tuple[RepositoryTask, str]], folder: Path) -> list[dict[str, Any]]:
    """Of each task and log, the report."""
    asked = [
        {
            "FAIL_TO_PASS": list(task.fail_to_pass),
            "PASS_TO_PASS": list(task.pass_to_pass),
            "log_parser": task.log_parser,
            "eval_type": "fail_only" if task.fail_only else "pass_and_fail",
            "log": log,
        }
        for task, log in cases
    ]
    return list(_asked(_JUDGE, asked, folder))


def _asked(program: str, cases: object, folder: Path) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
