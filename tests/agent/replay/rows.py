"""Rows as the sets have them, made up here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

SWEBENCH: Mapping[str, object] = {
    "repo": "owner/name",
    "instance_id": "owner__name-1",
    "base_commit": "0123456789abcdef0123456789abcdef01234567",
    "patch": "diff --git a/a.py b/a.py\n",
    "test_patch": "diff --git a/test_a.py b/test_a.py\n",
    "problem_statement": "It fails.",
    "hints_text": "Look there.",
    "version": "1.0",
    "FAIL_TO_PASS": '["test_a.py::test_b"]',
    "PASS_TO_PASS": '["test_a.py::test_c", "test_a.py::test_d"]',
}
ENV: Mapping[str, object] = {
    "name": "name-py311",
    "python": "3.11",
    "requirements": ["pytest==7.4.0"],
    "install_command": "pip install -e .",
    "test_command": "pytest -rA test_a.py",
    "log_parser": "parse_log_pytest",
    "env_vars": {"A": "1"},
    "name_normalise": None,
}
HUMANEVAL: Mapping[str, object] = {
    "task_id": "HumanEval/0",
    "prompt": 'def helper(a):\n    return a\n\n\ndef double(a):\n    """Twice `a`."""\n',
    "entry_point": "double",
    "canonical_solution": "    return helper(a) * 2\n",
    "test": "def check(candidate):\n    assert candidate(2) == helper(4)\n",
}
MBPP: Mapping[str, object] = {
    "task_id": 2,
    "prompt": "Write a function that doubles.",
    "code": "def helper(a):\r\n  return a\r\ndef double(a, by=2):\r\n  return helper(a) * by",
    "test_imports": ["import math"],
    "test_list": ["assert double(math.floor(2.5)) == 4", "assert double(0) == 0"],
}
QUIXBUGS: Mapping[str, object] = {
    "name": "double",
    "buggy": '\ndef double(a):\n    return a\n\n\n"""\nTwice `a`.\n"""\n',
    "correct": "\ndef double(a):\n    return a * 2\n",
    "json_testcases": [[[2], 4], [[0.5], 1.0000001]],
    "pytest_file": "import pytest\nfrom load_testdata import load_json_testcases\n\n"
    "if pytest.use_correct:\n    from correct_python_programs.double import double\nelse:\n"
    "    from python_programs.double import double\n\n"
    "testdata = load_json_testcases(double.__name__)\n\n\n"
    '@pytest.mark.parametrize("input_data,expected", testdata)\n'
    "def test_double(input_data, expected):\n"
    "    assert double(*input_data) == pytest.approx(expected, abs=0.01)\n",
}
CALLED: Mapping[str, object] = {
    "question_id": "2777",
    "question_content": "Pairs that add up.",
    "starter_code": "class Solution:\n    def pairs(self, nums: List[int]) -> List[List[int]]:\n"
    "        ",
    "difficulty": "easy",
    "metadata": json.dumps({"func_name": "pairs"}),
    "public_test_cases": json.dumps(
        [{"input": "[1, 2]", "output": "[[1, 2]]", "testtype": "functional"}]
    ),
    "private_test_cases": "",
}
PRINTED: Mapping[str, object] = {
    "question_id": "abc301_a",
    "question_content": "Add the numbers.",
    "starter_code": "",
    "difficulty": "medium",
    "metadata": "{}",
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
    "private_test_cases": "",
}


def written(folder: Path, *rows: Mapping[str, object] | str, name: str = "rows.jsonl") -> str:
    """A file of these rows; a text is a line as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    place = folder / name
    place.write_text("\n".join(lines) + "\n")
    return str(place)
