"""Function-level tasks: the canonical file passes its check, all else does not."""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.replay.instance import Instance
from agent.replay.sources.loading import load
from tests.agent.replay import rows
from tests.agent.replay.judging import function, judge

SETS = (rows.HUMANEVAL, rows.MBPP, rows.QUIXBUGS)
PAIRS = "class Solution:\n    def pairs(self, nums: List[int]):\n        return [tuple(nums)]\n"


def loaded(tmp_path: Path, row: Mapping[str, object]) -> Instance:
    done = load(rows.written(tmp_path, row))
    assert not done.skipped
    return done.instances[0]


@pytest.mark.parametrize("row", SETS, ids=["humaneval", "mbpp", "quixbugs"])
def test_the_canonical_file_is_right_and_the_start_is_not(
    tmp_path: Path, row: Mapping[str, object]
) -> None:
    instance = loaded(tmp_path, row)
    assert judge(instance, function(instance).solution, tmp_path)
    assert not judge(instance, function(instance).start, tmp_path)
    assert function(instance).entry_point == "double"
    assert "double" in instance.problem


@pytest.mark.parametrize("row", [*SETS, rows.CALLED], ids=["humaneval", "mbpp", "quixbugs", "lcb"])
@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.exit(0)\n",
        "import os\nos._exit(0)\n",
        "import sys\ndef double(*a):\n    sys.exit(0)\n",
        "import atexit, os\natexit.register(os._exit, 0)\n",
        "def double(a):\n    class Same:\n        def __eq__(self, other): raise SystemExit\n"
        "    return Same()\n",
        "print(open('/proc/self/cmdline').read().split(chr(0))[0])\n",
        "def double(a:\n",
        "",
    ],
)
def test_an_answer_that_ends_early_is_wrong(
    tmp_path: Path, row: Mapping[str, object], code: str
) -> None:
    assert not judge(loaded(tmp_path, row), code, tmp_path)


def test_what_the_answer_prints_does_not_count_and_does_not_harm(tmp_path: Path) -> None:
    instance = loaded(tmp_path, rows.HUMANEVAL)
    noisy = "print('f00d')\ndef helper(a): return a\ndef double(a):\n    print(a)\n    return a * 2"
    assert judge(instance, noisy, tmp_path)


def test_an_answer_that_lost_a_helper_of_the_tests_is_judged_all_the_same(tmp_path: Path) -> None:
    instance = loaded(tmp_path, rows.HUMANEVAL)
    assert judge(instance, "def double(a):\n    return a + a\n", tmp_path)


def test_a_stub_of_mbpp_keeps_the_head_and_hides_the_code(tmp_path: Path) -> None:
    start = function(loaded(tmp_path, rows.MBPP)).start
    assert start.startswith("def double(a, by=2):\n")
    assert "helper" not in start
    assert "Write a function that doubles." in start


def packed(cases: list[dict[str, str]]) -> str:
    """As the set packs its private cases."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


PRIVATE = [{"input": "[5, 6]", "output": "[[5, 6]]", "testtype": "functional"}]


@pytest.mark.parametrize("private", ["", json.dumps(PRIVATE), packed(PRIVATE)])
def test_a_called_function_of_livecodebench(tmp_path: Path, private: str) -> None:
    instance = loaded(tmp_path, {**rows.CALLED, "private_test_cases": private})
    assert judge(instance, PAIRS, tmp_path)
    assert not judge(instance, function(instance).start, tmp_path)
    learnt = PAIRS.replace("[tuple(nums)]", "[[1, 2]]")
    assert judge(instance, learnt, tmp_path) == (private == "")
    assert (instance.id, instance.difficulty) == ("lcb-2777", "easy")


def test_private_cases_that_are_code_are_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    evil = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    instance = loaded(tmp_path, {**rows.CALLED, "private_test_cases": evil})
    assert not judge(instance, PAIRS, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("print(sum(map(int, input().split())))", True),
        ("print(sum(map(float, input().split())), end='')", True),
        ("print(3); print()", True),
        ("print(3); print(4)", False),
        ("print(12)", False),
        ("import sys; print(3); sys.exit(1)", False),
        ("", False),
    ],
)
def test_a_printing_program_of_livecodebench(tmp_path: Path, code: str, right: bool) -> None:
    assert judge(loaded(tmp_path, rows.PRINTED), code, tmp_path) is right


TASKS = os.environ.get("PARITY_TASKS")


@pytest.mark.skipif(not TASKS, reason="PARITY_TASKS does not name a folder of sets")
@pytest.mark.parametrize(
    ("name", "count"),
    [("HumanEval.jsonl.gz", 164), ("sanitized-mbpp.json", 427), ("quixbugs.jsonl", 40)],
)
def test_whole_sets(tmp_path: Path, name: str, count: int) -> None:
    instances = load(str(Path(TASKS or "") / "function-level" / name)).instances

    def both(instance: Instance) -> tuple[bool, bool]:
        place = tmp_path / instance.id
        place.mkdir()
        right = judge(instance, function(instance).solution, place)
        try:
            return right, judge(instance, function(instance).start, place)
        except subprocess.TimeoutExpired:  # some of QuixBugs' faults do not end
            return right, False

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(both, instances[1 :: count // 12]))
    assert len(instances) == count
    assert set(outcomes) == {(True, False)}
