"""Function-level tasks: a tree with one file, judged by a program in a process that is limited.

Owns the tree, the judging and what a file may use while it is judged: time, memory, processes,
output. Must not know what a check looks like inside: see `FunctionTask`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.replay.environments.base import Grade, Outcome, Unavailable, WorkTree
from agent.replay.instance import FunctionTask, Instance
from agent.session import state_folder
from tools.base import Cancel
from tools.errors import Cancelled, ToolError
from tools.patch import file_patch
from tools.process import Finished, execute
from tools.sandbox import detect

CHECK = "check"
"""The name of the one test that such a task has."""
_LOG = 20_000
"""Bytes of what a check prints that are kept."""
_GIT = 30.0
"""Seconds for one step of git."""
_FILE_MODE = 0o644
_AUTHOR = ("-c", "user.name=parity", "-c", "user.email=parity@localhost")
_PLAIN = (
    "-c",
    "commit.gpgsign=false",
    "-c",
    "core.autocrlf=false",
    "-c",
    "core.hooksPath=/dev/null",
)
_LIMITED = """\
import os, resource, sys
cpu, memory, file = map(int, sys.argv[1:4])
bounds = dict(CPU=(cpu, cpu + 1), AS=(memory,) * 2, FSIZE=(file,) * 2, CORE=(0, 0))
for name, wanted in bounds.items():
    kind = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(kind)[1]
    try:
        limited = [most if hard < 0 else min(most, hard) for most in wanted]
        resource.setrlimit(kind, limited)
    except (OSError, ValueError):
        pass  # macOS knows no limit of memory
os.execv(sys.executable, [sys.executable, "-I", "-B", *sys.argv[4:]])
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file may use while it is judged."""

    cpu_seconds: int = 20
    """Of one process: unlike the time on the clock it does not depend on what else runs."""
    seconds: float = 60.0
    memory: int = 2 << 30
    """Bytes: the address space of one process, and what all of them hold in memory together."""
    file: int = 16 << 20
    """Bytes of the largest file."""
    processes: int = 64
    output: int = 64 << 20
    """Bytes written by all processes together, to files or to nowhere."""


@dataclass(frozen=True, slots=True)
class FunctionEnvironment:
    """Implements `agent.replay.environments.base.Environment`."""

    bounds: Bounds = field(default_factory=Bounds)

    @contextmanager
    def work_tree(self, instance: Instance, cancel: Cancel) -> Iterator[WorkTree]:
        task = _task(instance)
        with _folder() as folder:
            root = folder / "work"
            _write(root / task.path, task.start)
            for words in (
                ("init", "-q", "-b", "main"),
                ("add", "-A", "-f"),
                (*_AUTHOR, "commit", "-q", "-m", "start"),
            ):
                _git(root, words, cancel)
            yield WorkTree(root, test_command="")

    def grade(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        if not patch.strip():
            return Grade(Outcome.EMPTY, {CHECK: False})
        task, started = _task(instance), time.monotonic()
        with _folder() as folder:
            root = folder / "work"
            _write(root / task.path, task.start)
            (folder / "patch").write_bytes(patch.encode("utf-8", "surrogateescape"))
            done = _git_run(root, ("apply", "--whitespace=nowarn", str(folder / "patch")), cancel)
            if done.code != 0:
                seconds = time.monotonic() - started
                return Grade(Outcome.UNAPPLIED, {CHECK: False}, log=done.output, seconds=seconds)
            return self._judge(task, folder, started, cancel)

    def validate(self, instance: Instance, cancel: Cancel) -> str:
        """Why the instance cannot be judged here; empty: it can.

        Raises:
            Unavailable, Cancelled: As `grade`.
        """
        task = _task(instance)
        if task.solution:
            with _folder() as folder:
                _write(folder / "work" / task.path, task.solution)
                gold = self._judge(task, folder, time.monotonic(), cancel)
            if gold.outcome is not Outcome.RESOLVED:
                return f"the canonical solution does not pass: {_last_line(gold.log)}"
        with _folder() as folder:
            _write(folder / "work" / task.path, task.start)
            empty = self._judge(task, folder, time.monotonic(), cancel)
        return "the file passes as it is" if empty.outcome is Outcome.RESOLVED else ""

    def _judge(self, task: FunctionTask, folder: Path, started: float, cancel: Cancel) -> Grade:
        """Run the check on the tree in `folder / "work"`."""
        root, outside = folder / "work", folder / "outside"
        check = outside / "check.py"
        _write(check, task.check)
        token = secrets.token_hex(16)
        bounds = self.bounds
        limits = (str(bounds.cpu_seconds), str(bounds.memory), str(bounds.file))
        watch = _Watch(bounds, cancel)
        try:
            sandbox = detect(root, readable=(outside,), hidden=(state_folder(),))
            done = execute(
                [sys.executable, "-I", "-S", "-c", _LIMITED, *limits, str(check), str(root), token],
                root,
                timeout=bounds.seconds,
                cancel=watch,
                env={"PYTHONHASHSEED": "0"},
                limit=_LOG,
                sandbox=sandbox,
            )
        except ToolError as error:
            raise Unavailable(f"The check cannot be run: {error}") from error
        if done.cancelled and not watch.trouble:
            raise Cancelled
        printed = done.output.splitlines()
        right = done.code == 0 and bool(printed) and printed[-1] == token
        log = "\n".join(line for line in printed if line != token)
        ending = watch.trouble or done.ending
        out_of_time = done.timed_out or done.code == -signal.SIGXCPU
        outcome = Outcome.RESOLVED if right else Outcome.UNRESOLVED
        if out_of_time and not watch.trouble:
            outcome = Outcome.TIMEOUT
        seconds = time.monotonic() - started
        return Grade(outcome, {CHECK: right}, {}, f"{log}\n[{ending}]\n".lstrip("\n"), seconds)


def gold_patch(task: FunctionTask) -> str:
    """What makes the canonical file of the one that stands there."""
    before, after = task.start.encode(), task.solution.encode()
    return file_patch(task.path, before, after, _FILE_MODE, _FILE_MODE)


class _Watch:
    """Looks at what the check's processes use, each time that it is asked whether to go on.

    A limit of the kernel holds for each process alone, and counts all processes of a user.
    """

    _EVERY = 0.2
    """Seconds between two looks, which take a few milliseconds."""

    def __init__(self, bounds: Bounds, cancel: Cancel) -> None:
        self.trouble = ""
        """What was too much; empty: nothing."""
        self._bounds = bounds
        self._cancel = cancel
        self._next = time.monotonic() + self._EVERY
        self._known = _descendants(os.getpid(), _parents())

    def is_set(self) -> bool:
        if not self.trouble and time.monotonic() >= self._next:
            self._look()
            self._next = time.monotonic() + self._EVERY
        return bool(self.trouble) or self._cancel.is_set()

    def _look(self) -> None:
        own = _descendants(os.getpid(), _parents()) - self._known
        if len(own) > self._bounds.processes:
            self.trouble = f"killed: more than {self._bounds.processes} processes"
        elif sum(map(_resident, own)) > self._bounds.memory:
            self.trouble = f"killed: more than {self._bounds.memory >> 20} MiB of memory"
        elif sum(map(_written, own)) > self._bounds.output:
            self.trouble = f"killed: more than {self._bounds.output >> 20} MiB written"


def _parents() -> Mapping[int, int]:
    """Each process's parent; empty where the system does not tell by files."""
    found = {}
    with os.scandir("/proc") if os.path.isdir("/proc/self") else _nothing() as entries:
        for entry in entries:
            if entry.name.isdigit():
                try:
                    told = Path(entry.path, "stat").read_bytes()
                except OSError:  # it has ended meanwhile
                    continue
                found[int(entry.name)] = int(told.rpartition(b")")[2].split()[1])
    return found


@contextmanager
def _nothing() -> Iterator[Iterator[os.DirEntry[str]]]:
    yield iter(())


def _descendants(pid: int, parents: Mapping[int, int]) -> set[int]:
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _written(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return 0
    return next((int(line[7:]) for line in told.splitlines() if line.startswith("wchar: ")), 0)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is gone afterwards, whatever was done to its modes."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="parity-")).resolve()
    except OSError as error:
        raise Unavailable(f"There is no place for a work tree: {error.strerror}.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}.") from error


def _git(root: Path, words: tuple[str, ...], cancel: Cancel) -> None:
    done = _git_run(root, words, cancel)
    if done.code != 0:
        raise Unavailable(f"git {words[0]}: {_last_line(done.output) or done.ending}")


def _git_run(root: Path, words: tuple[str, ...], cancel: Cancel) -> Finished:
    # Not the user's settings, nor those of a repository that the folder may lie in.
    env = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    env["GIT_CEILING_DIRECTORIES"] = str(root.parent)
    try:
        done = execute(("git", *_PLAIN, *words), root, timeout=_GIT, cancel=cancel, env=env)
    except ToolError as error:
        raise Unavailable(str(error)) from error
    if done.cancelled:
        raise Cancelled
    return done


def _task(instance: Instance) -> FunctionTask:
    if not isinstance(instance.task, FunctionTask):
        raise Unavailable(f"{instance.id} is no function-level task.")
    return instance.task


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
