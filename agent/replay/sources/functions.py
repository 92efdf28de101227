"""Rows of HumanEval, MBPP and QuixBugs: one function each.

Owns the meaning of their columns. Must not know how an answer is judged.
"""

from __future__ import annotations

import ast
import json
import warnings

from agent.replay.instance import FunctionTask, Instance
from agent.replay.sources.checks import assertions_check, humaneval_check, quixbugs_check
from agent.replay.sources.rows import BadRow, Row

HUMANEVAL = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
MBPP = ("task_id", "prompt", "code", "test_list")
QUIXBUGS = ("name", "buggy", "correct", "pytest_file")
SOLUTION = "solution.py"
_UNWRITTEN = "raise NotImplementedError"


def read_humaneval(row: Row, source: str) -> Instance:
    """One row as an instance.

    Raises:
        BadRow: A column is missing or holds something else.
    """
    prompt, entry = row.text("prompt"), row.text("entry_point")
    start = f"{prompt.rstrip()}\n    {_UNWRITTEN}\n"
    _parse(start, "prompt")
    task = FunctionTask(
        path=SOLUTION,
        start=start,
        solution=prompt + row.text("canonical_solution"),
        check=humaneval_check(SOLUTION, entry, start, row.text("test")),
        entry_point=entry,
    )
    problem = (
        f"Write the body of the function `{entry}` in `{SOLUTION}`, as its docstring says. Its "
        f"name, its parameters and what else is in the file stay.\n\n"
        f"```python\n{prompt.strip()}\n```\n"
    )
    return Instance(row.text("task_id").replace("/", "-"), problem, task, source=source)


def read_mbpp(row: Row, source: str) -> Instance:
    """As `read_humaneval`; of the set as it was, too."""
    prompt, code = row.text("prompt", "text"), row.text("code").replace("\r\n", "\n")
    tests = row.texts("test_list")
    before = (*row.texts("test_imports"), row.optional("test_setup_code"))
    if not tests:
        raise BadRow("there is no column test_list, or it is empty")
    entry, start = _stub(code, prompt, "\n".join(tests))
    number = row.columns.get("task_id")
    task = FunctionTask(
        path=SOLUTION,
        start=start,
        solution=code,
        check=assertions_check(SOLUTION, [text for text in (*before, *tests) if text.strip()]),
        entry_point=entry,
    )
    shown = "\n".join(tests)
    problem = (
        f"{prompt.strip()}\n\nWrite the function `{entry}` in `{SOLUTION}`; its name and its "
        f"parameters stay. These hold then:\n\n```python\n{shown}\n```\n"
    )
    return Instance(f"MBPP-{number}", problem, task, source=source)


def _stub(code: str, prompt: str, tests: str) -> tuple[str, str]:
    """The function that the tests call, and a file with its head; classes they use stay whole."""
    called = {
        node.id for node in ast.walk(_parse(tests, "test_list")) if isinstance(node, ast.Name)
    }
    body = _parse(code, "code").body
    entry = next(
        (each for each in body if isinstance(each, ast.FunctionDef) and each.name in called), None
    )
    if entry is None:
        raise BadRow("code defines no function that test_list calls")
    docstring = ast.Expr(ast.Constant(prompt.strip()))
    unwritten = ast.parse(_UNWRITTEN).body
    kept = [each for each in body if isinstance(each, ast.ClassDef) and each.name in called]
    head = ast.FunctionDef(entry.name, entry.args, [docstring, *unwritten], [], None)
    module = ast.fix_missing_locations(ast.Module([*kept, head], []))
    return entry.name, f"{ast.unparse(module)}\n"


def read_quixbugs(row: Row, source: str) -> Instance:
    """As `read_humaneval`; the file to mend has the description at its end."""
    name, buggy, test = row.text("name"), row.text("buggy"), row.text("pytest_file")
    last = _parse(buggy, "buggy").body[-1:]
    described = ""
    if last and isinstance(last[0], ast.Expr) and isinstance(last[0].value, ast.Constant):
        described = str(last[0].value.value).strip()
    cases = json.dumps(row.columns.get("json_testcases"))
    path = f"{name}.py"
    if not name.isidentifier():
        raise BadRow(f"name is no name of a function: {name!r}")
    task = FunctionTask(
        path=path,
        start=buggy.lstrip("\n"),
        solution=row.text("correct").lstrip("\n"),
        check=quixbugs_check(path, name, test, cases, row.optional("node_py")),
        entry_point=name,
    )
    problem = (
        f"# `{name}` gives wrong results\n\nThere is one fault in `{path}`, in a single line. What "
        f"`{name}` should do:\n\n{described}\n"
    )
    return Instance(f"quixbugs-{name}", problem, task, source=source)


def _parse(code: str, what: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none, which is not ours to say
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadRow(f"{what} is not Python") from None
