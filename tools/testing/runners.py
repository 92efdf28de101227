"""Starting each kind of test runner so that its results can be read, whatever becomes of it.

Must not know how commands are found, nor what the results are used for.

pytest is watched by a plugin of ours (`tools.testing.recorder`), not by its JUnit file: that one is
written at the end alone, so that a crash or a test that never ends would leave nothing.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.base import Cancel, Heard, unheard
from tools.errors import Cancelled, ToolError
from tools.interpreters import project_path
from tools.process import Finished, execute
from tools.sandboxing.base import UNCONFINED, Sandbox
from tools.testing.commands import Runner, TestCommand, program_end, startable
from tools.testing.project_settings import pytest_settings
from tools.testing.pytest_record import left_behind, read_record
from tools.testing.reports import NONE_COLLECTED, Outcome, TestCase, TestRun
from tools.testing.tracebacks import Place, Places, positions
from tools.testing.unittest_output import read_unittest
from tools.text_filter import clip

_OUTPUT = 2_000_000
"""Bytes of the runner's output that are kept: unittest's results are read from it."""
_SHARE = 4
"""One test may take this fraction of the whole run's time before it is stopped as hanging."""
_TAIL = 1_200
"""Characters of output that stand for a result nobody can read."""
_USAGE = 4
"""Exit code of pytest for options it does not know and tests that do not exist."""


def run_tests(
    command: TestCommand,
    root: Path,
    cancel: Cancel,
    timeout: float,
    only: Sequence[str] = (),
    sandbox: Sandbox = UNCONFINED,
    heard: Heard = unheard,
) -> TestRun:
    """Run the tests and read their results.

    A command that cannot be started, a crash and a timeout are results too: a case that names
    what happened.

    Args:
        timeout: Seconds for the whole run; one test gets a quarter of it.
        only: Files or node ids to run instead of all; without meaning for other runners.
        sandbox: What keeps the tests in.
        heard: Is given what the runner prints.

    Raises:
        Cancelled: `cancel` was set.
        ToolError: What `only` names does not exist.
    """
    command = startable(command, root)
    with tempfile.TemporaryDirectory(prefix="parity-tests-") as folder:
        order = _Order(command, root, cancel, timeout, only, Path(folder), sandbox, heard)
        try:
            match command.runner:
                case Runner.PYTEST:
                    return _run_pytest(order)
                case Runner.UNITTEST:
                    return _run_unittest(order)
                case Runner.OTHER:
                    return _run_other(order)
        except _NotStarted as error:
            case = TestCase(str(command), Outcome.ERROR, str(error))
            return TestRun(command.argv, command.runner, (case,), None, str(error), 0.0)


@dataclass(frozen=True, slots=True)
class Trial:
    """A file with some of its bytes replaced."""

    path: Path
    start: int
    end: int
    code: bytes


def run_trials(
    command: TestCommand,
    root: Path,
    cancel: Cancel,
    seconds: float,
    trials: Iterable[Trial],
    only: Sequence[str] = (),
    sandbox: Sandbox = UNCONFINED,
) -> tuple[int | None, ...]:
    """How many tests of pytest's fail with each of these files in place of its own.

    None of them is written to the tree (see `tools.testing.forker`).

    Args:
        seconds: For all of them.
        only: As for `run_tests`.

    Returns:
        First how many fail as it is, then a number for each trial that there was time for; None
        where the tests did not come to an end. Empty where they cannot be run, or it is not pytest.

    Raises:
        Cancelled: `cancel` was set.
    """
    command = startable(command, root)
    if command.runner is not Runner.PYTEST:
        return ()
    with tempfile.TemporaryDirectory(prefix="parity-trials-") as name:
        folder = Path(name)
        with (folder / "trials.jsonl").open("w", encoding="ascii") as lines:
            for trial in trials:
                code = base64.b64encode(trial.code).decode()
                place = os.path.realpath(trial.path)
                lines.write(json.dumps([place, trial.start, trial.end, code]) + "\n")
        order = _Order(command, root, cancel, seconds, only, folder, sandbox, unheard)
        with suppress(_NotStarted):
            _pytest(order, "forker", {"PARITY_TRIAL_SECONDS": str(seconds)})
        told = left_behind(folder / "outcomes.txt", _OUTPUT).decode("ascii", "replace")
        counts = [int(line) for line in told.splitlines() if re.fullmatch(r"-?\d{1,3}", line)]
        return tuple(count if count >= 0 else None for count in counts)


@dataclass(frozen=True, slots=True)
class _Order:
    """One run that was asked for."""

    command: TestCommand
    root: Path
    cancel: Cancel
    timeout: float
    """Seconds for the whole run."""
    only: Sequence[str]
    folder: Path
    """Temporary; what the runner leaves behind goes there."""
    sandbox: Sandbox
    heard: Heard


class _NotStarted(Exception):
    """The program of the test command is not there."""


def _execute(
    order: _Order,
    argv: Sequence[str],
    first: signal.Signals = signal.SIGINT,
    env: Mapping[str, str] = {},
) -> Finished:
    own = dict(order.command.env)
    path = [str(order.folder), *(str(order.root / name) for name in order.command.sources)]
    env = {
        **project_path(order.root),
        **own,
        **env,
        "PYTHONPATH": os.pathsep.join([*path, *filter(None, [own.get("PYTHONPATH")])]),
        "PARITY_ONE_TEST_SECONDS": str(order.timeout / _SHARE),
        # What these tools would leave in the user's tree.
        "COVERAGE_FILE": str(order.folder / "coverage"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(order.folder / "hypothesis"),
    }
    try:
        done = execute(
            argv,
            order.root,
            timeout=order.timeout,
            cancel=order.cancel,
            env=env,
            limit=_OUTPUT,
            first=first,
            sandbox=order.sandbox,
            writable=(order.folder,),
            heard=order.heard,
        )
    except ToolError as error:
        raise _NotStarted(str(error)) from error
    if done.cancelled:
        raise Cancelled
    return done


def _run_pytest(order: _Order) -> TestRun:
    command, root, only, folder = order.command, order.root, order.only, order.folder
    done = _pytest(order, "recorder")
    if done.code == _USAGE and only and "not found:" in done.output:
        raise ToolError(f"There is no test {', '.join(only)}.")
    places = Places(root)
    record = read_record(folder / "record.jsonl", places)
    stopped = [_stopped(name, done, places, record.interrupted) for name in record.unfinished]
    ended = [case for case in record.cases if case.id not in record.unfinished]
    where = places.explain(record.interrupted, "")
    return _complete(
        command, done, [*ended, *stopped], record.broken or where, positions(record.interrupted)
    )


def _pytest(order: _Order, plugin: str, env: Mapping[str, str] = {}) -> Finished:
    """Run pytest with one of our plugins, which is copied to the order's folder."""
    command, root, only = order.command, order.root, order.only
    name = f"parity_{plugin}"
    shutil.copyfile(Path(__file__).with_name(f"{plugin}.py"), order.folder / f"{name}.py")
    argv = command.argv
    end = program_end(argv, "pytest") or program_end(argv, "py.test")
    theirs = [word for word in argv[end:] if not only or not (root / word.split("::")[0]).exists()]
    # Before the user's own options, which win; after the configured ones, which do not.
    ours = ["-q", "-p", name, "-p", "no:cacheprovider", "--tb=short", "--color=no"]
    ours += ["--maxfail=0", "--continue-on-collection-errors"]
    settings = pytest_settings(root)
    quiet = ["--no-cov"] if settings is not None and "--cov" in settings.addopts else []
    done = _execute(order, [*argv[:end], *ours, *quiet, *theirs, *only], env=env)
    if done.code == _USAGE and settings is not None and settings.addopts:
        # Configured options of plugins that are not installed here.
        plain = ["-o", "addopts="]
        done = _execute(order, [*argv[:end], *ours, *plain, *theirs, *only], env=env)
    return done


def _run_unittest(order: _Order) -> TestRun:
    command, root = order.command, order.root
    argv = command.argv
    end = program_end(argv, "unittest")
    if tuple(argv[end : end + 1]) == ("discover",):
        end += 1
    start = _start_folder(argv[end:])
    options = [] if {"-v", "--verbose"} & set(argv[end:]) else ["-v"]
    for name in order.only:
        pattern = _dotted(name, start)
        # unittest itself takes an unknown pattern for a run without tests.
        if name.split("::")[0].endswith(".py") and not (root / name.split("::")[0]).is_file():
            raise ToolError(f"There is no test {name}.")
        options += ["-k", pattern]
    done = _execute(order, [*argv[:end], *options, *argv[end:]])
    places = Places(root)
    cases, unfinished = read_unittest(done.output, root, start, places)
    found = list(cases)
    if unfinished is not None and (done.timed_out or done.code != 0):
        last = done.output.rpartition("Traceback (most recent call last):")[2]
        stopped = places.in_text(last) if done.timed_out else ()
        found.append(_stopped(unfinished, done, places, stopped))
    return _complete(command, done, found)


def _run_other(order: _Order) -> TestRun:
    command = order.command
    done = _execute(order, command.argv, first=signal.SIGTERM)
    if done.code == 0:
        return _complete(command, done, [TestCase(str(command), Outcome.PASSED)])
    message = f"{done.ending}\n{clip(done.output.strip(), _TAIL, head=0)}"
    places = Places(order.root).in_text(done.output)
    frames = positions(places)
    return _complete(command, done, [TestCase(str(command), Outcome.FAILED, message, frames)])


def _stopped(name: str, done: Finished, places: Places, stopped: Sequence[Place]) -> TestCase:
    """The test that ran when its process ended."""
    why = f"timed out ({done.ending})" if done.timed_out else f"the process ended ({done.ending})"
    message = f"{why} while this test ran\n{places.explain(stopped, '')}".strip()
    frames = positions(stopped)
    return TestCase(name, Outcome.ERROR, message, frames)


def _complete(
    command: TestCommand,
    done: Finished,
    cases: Sequence[TestCase],
    broken: str = "",
    frames: tuple[tuple[str, int], ...] = (),
) -> TestRun:
    """The run; a bad end that no case accounts for becomes a case of its own.

    Args:
        broken: What is known of such an end, if the runner itself said so.
    """
    unexplained = done.code not in (0, NONE_COLLECTED) and not any(case.failing for case in cases)
    if unexplained or (broken and done.code is not None):
        message = f"{done.ending}\n{broken or clip(done.output.strip(), _TAIL, head=0)}"
        cases = [*cases, TestCase(str(command), Outcome.ERROR, message, frames)]
    return TestRun(
        command.argv,
        command.runner,
        tuple(cases),
        done.code,
        done.output,
        done.seconds,
        done.timed_out,
    )


def _start_folder(options: Sequence[str]) -> str:
    """Where `unittest discover` begins, which is where the names of modules begin."""
    for index, word in enumerate(options[:-1]):
        if word in ("-s", "--start-directory"):
            return options[index + 1].strip("./")
    return ""


def _dotted(name: str, start: str) -> str:
    """`tests/test_a.py::TestA::test_b` as unittest's `-k` finds it."""
    file, *inner = name.split("::")
    if not file.endswith(".py"):
        return name
    module = file.removeprefix(f"{start}/" if start else "").removesuffix(".py").replace("/", ".")
    return ".".join((module, *inner)) if inner else f"{module}."
