"""`agent replay new`: an instance of the user's own, made from a merged fix and proven by tests.

Owns which tests flip and the row that says so. Must not know how a row is read back.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent import private
from agent.errors import ExitCode, InputError
from agent.replay.pins import pinned
from agent.replay.upstream import Fix, Upstream, opened
from agent.session import state_folder
from agent.work_tree import find_root
from tools.base import Cancel
from tools.errors import ToolError
from tools.sandbox import Sandbox, detect
from tools.testing.commands import Runner, TestCommand, parse_command, startable
from tools.testing.find_tests import find_command, is_test_path
from tools.testing.reports import Outcome, TestRun
from tools.workspace import Workspace

_PARSER = "parse_log_pytest"


@dataclass(frozen=True, slots=True)
class NewOptions:
    """What the command line says."""

    commit: str
    repo: Path
    output: Path
    """A `.jsonl` file; the row is added to what is there."""
    issue: Path | None = None
    """None: the commit's message is the issue."""
    test_command: str = ""
    """Empty: found."""
    id: str = ""
    """Empty: the repository's name and the commit."""
    requirements: tuple[str, ...] = ()
    """Pinned; none: what the tests ran with."""
    timeout: float = 600.0
    """Seconds for one run of the tests."""


@dataclass(frozen=True, slots=True)
class _Flips:
    """What the fix did to the tests of its files."""

    fixed: tuple[str, ...]
    kept: tuple[str, ...]
    unsteady: tuple[str, ...]
    """Passed in one of two runs of the same tree."""


def make_instance(options: NewOptions, cancel: Cancel) -> ExitCode:
    """Make the instance, tell what was found, write its row.

    Raises:
        InputError: No instance can be made of the commit; the message says why.
        Cancelled: `cancel` was set.
    """
    root = find_root(options.repo)
    if not options.output.name.endswith(".jsonl"):
        raise InputError(f"The instance is a line of a .jsonl file, which {options.output} is not.")
    issue = _issue(options.issue)
    with opened(root) as upstream, tempfile.TemporaryDirectory(prefix="parity-new-") as place:
        fix = upstream.fix(options.commit)
        name = options.id or f"{re.sub('[^A-Za-z0-9_.-]+', '-', root.name)}-{fix.commit[:10]}"
        _refuse_twice(options.output, name)
        tests = tuple(path for path in fix.files if is_test_path(path))
        rest = tuple(path for path in fix.files if not is_test_path(path))
        if not tests:
            raise InputError(f"{options.commit} changes no tests: nothing says what it fixed.")
        if not rest:
            raise InputError(f"{options.commit} changes nothing but tests.")
        command, flips = _run(upstream, fix, tests, root, Path(place), options, cancel)
        row = {
            "instance_id": name,
            "repo": str(root),
            "base_commit": fix.parent,
            "patch": _plain(upstream.patch(fix, rest)),
            "test_patch": _plain(upstream.patch(fix, tests)),
            "problem_statement": issue or fix.message,
            "hints_text": "",
            "created_at": fix.date,
            "version": "",
            "FAIL_TO_PASS": json.dumps(flips.fixed),
            "PASS_TO_PASS": json.dumps(flips.kept),
            "environment_setup_commit": fix.parent,
            "env": _recipe(command, root, Path(place) / "after", tests, options, cancel),
        }
    before = options.output.read_bytes() if options.output.exists() else b""
    end = b"\n" if before and not before.endswith(b"\n") else b""
    private.write(options.output, before + end + json.dumps(row).encode() + b"\n")
    print(f"{name}: {len(flips.fixed)} to fix, {len(flips.kept)} to keep; in {options.output}")
    for test in flips.unsteady:
        print(f"Left out, as it does not always pass: {test}", file=sys.stderr)
    return ExitCode.VERIFIED


def _issue(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The issue {path} cannot be read: {error}.") from error
    if not text:
        raise InputError(f"The issue {path} is empty.")
    return text


def _refuse_twice(output: Path, name: str) -> None:
    if not output.exists():
        return
    for line in output.read_text(encoding="utf-8", errors="replace").splitlines():
        if f'"instance_id": {json.dumps(name)}' in line:
            raise InputError(f"{output} has {name} already; take the line out, or give another id.")


def _plain(patch: str) -> str:
    """A patch as text, or a refusal: rows are UTF-8."""
    try:
        patch.encode()
    except UnicodeEncodeError:
        raise InputError("The commit changes files that are not UTF-8.") from None
    return patch


def _run(
    upstream: Upstream,
    fix: Fix,
    tests: Sequence[str],
    root: Path,
    place: Path,
    options: NewOptions,
    cancel: Cancel,
) -> tuple[TestCommand, _Flips]:
    """Run the commit's tests on what was before it, and twice on the commit."""
    before, after = place / "before", place / "after"
    for tree, commit in ((before, fix.parent), (after, fix.commit)):
        upstream.check_out(commit, tree)
        for name in (".venv", "venv"):  # ignored as a rule, and what the tests run with
            if (root / name / "pyvenv.cfg").is_file() and not (tree / name).exists():
                (tree / name).symlink_to((root / name).resolve())
    upstream.check_out(fix.commit, before, tests)
    command = _command(after, options.test_command)
    runnable = [path for path in tests if path.endswith(".py") and (after / path).is_file()]
    files = [path for path in runnable if Path(path).name.startswith("test")] or [
        path for path in runnable if Path(path).name.endswith("_test.py")
    ]
    runs = []
    for name, tree in (("before", before), ("after", after), ("after, again", after)):
        runs.append(_tests(command, tree, files, options.timeout, cancel))
        print(f"{name}: {runs[-1].summary()}", file=sys.stderr)
    flips = _compared(*runs)
    if not flips.fixed:
        raise InputError(
            f"No test fails before {options.commit} and passes after it: "
            f"before {runs[0].summary()}, after {runs[1].summary()}."
        )
    return command, flips


def _command(tree: Path, text: str) -> TestCommand:
    try:
        found = parse_command(text) if text else find_command(tree, Workspace(tree).files())
    except ToolError as error:
        raise InputError(str(error)) from error
    if found is None:
        raise InputError("No tests were found in the commit: give --test-command.")
    if found.runner is not Runner.PYTEST:
        raise InputError(
            f"The results of {found} cannot be read test by test: give a --test-command with "
            "pytest, and install it in the repository's environment."
        )
    return found


def _tests(
    command: TestCommand, tree: Path, files: Sequence[str], timeout: float, cancel: Cancel
) -> TestRun:
    from tools.testing.runners import run_tests  # 20 ms; only needed to run them

    try:
        run = run_tests(command, tree, cancel, timeout, files, sandbox=_sandbox(tree))
    except ToolError as error:
        raise InputError(f"The tests could not be run: {error}") from error
    if run.unusable:
        raise InputError(f"The tests could not be run: {run.unusable}")
    if run.timed_out:
        raise InputError(f"The tests did not end within {timeout:.0f} s.")
    return run


def _sandbox(tree: Path) -> Sandbox:
    there = [path.resolve() for name in (".venv", "venv") if (path := tree / name).is_symlink()]
    return detect(tree, readable=there, hidden=(state_folder(),))


def _compared(before: TestRun, after: TestRun, again: TestRun) -> _Flips:
    was, now, then = (_passed(run) for run in (before, after, again))
    steady = now & then
    return _Flips(
        fixed=tuple(sorted(steady - was)),
        kept=tuple(sorted(steady & was)),
        unsteady=tuple(sorted(now ^ then)),
    )


def _passed(run: TestRun) -> set[str]:
    """Names as pytest's summary is read: up to a space, and passed by all that share the name."""
    passed = {_name(case.id) for case in run.cases if case.outcome is Outcome.PASSED}
    return passed - {_name(case.id) for case in run.cases if case.outcome is not Outcome.PASSED}


def _name(test: str) -> str:
    return test.split()[0]


def _recipe(
    command: TestCommand,
    root: Path,
    tree: Path,
    tests: Sequence[str],
    options: NewOptions,
    cancel: Cancel,
) -> Mapping[str, object]:
    """How the environment is made again in which the tests ran."""
    used = startable(command, tree)
    python = used.argv[0] if "python" in Path(used.argv[0]).name else sys.executable
    version, pins = pinned(python, tree, _sandbox(tree), cancel)
    files = shlex.join(path for path in tests if path.endswith(".py") and "conftest" not in path)
    words = (word for word in command.argv[1:] if word not in tests)
    program = "python" if command.any_python or "python" in command.argv[0] else command.argv[0]
    variables = dict(used.env)
    if used.sources:
        variables["PYTHONPATH"] = ":".join(used.sources)
    return {
        "name": f"{root.name}-py{version.replace('.', '')}",
        "python": version,
        "requirements": list(options.requirements) or pins,
        "install_command": "",
        "test_command": f"{shlex.join([program, *words])} -rA -p no:cacheprovider {files}",
        "env_vars": variables,
        "log_parser": _PARSER,
        "name_normalise": None,
    }
