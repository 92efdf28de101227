"""`agent replay`: a set of tasks, some models, a folder with what they came to.

Owns the course of a run from the command line's words to the last line. Must not know how an
attempt is made, how it is judged, nor what the figures mean.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agent.errors import AgentError, ExitCode, InputError
from agent.export import Format
from agent.interrupting import interruptible
from agent.models.base import Steering
from agent.models.opening import Backend, backend, open_model
from agent.project import configure
from agent.replay.engine import Engine, LocalEngine
from agent.replay.environments.base import Unavailable
from agent.replay.environments.opening import open_environment
from agent.replay.figures import files_of, lines_of
from agent.replay.gold import PLAYED, patch_of
from agent.replay.instance import FunctionTask, Instance, RepositoryTask
from agent.replay.jobs import Job, Where
from agent.replay.known import remember
from agent.replay.official import write_official
from agent.replay.results import Cause
from agent.replay.schedule import Budget, Schedule
from agent.replay.selection import Selection, select
from agent.replay.sources.borrowed import with_borrowed
from agent.replay.sources.loading import Loaded, load
from agent.replay.standing import Noting, alone, writing
from agent.replay.store import Listed, Plan, Store
from agent.replay.table import LiveTable, PlainLines, summary
from agent.replay.trajectories import write_trajectories
from agent.secrets import user_keys
from tools.base import Cancel
from tools.sandbox import detect
from tools.text import shown

TIMEOUT = 3600.0
"""Seconds for one attempt, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says."""

    tasks: str
    models: tuple[str, ...]
    output: Path
    selection: Selection = field(default_factory=Selection)
    workers: int = 0
    """0: half of the processors."""
    local_workers: int = 1
    """Attempts at a time of models that fill this machine's memory."""
    attempts: int = 1
    engine: str = "local"
    """`local` or `ray`."""
    environment: str = "local"
    """`local` or `docker`."""
    mirrors: tuple[Path, ...] = ()
    recipes: Path | None = None
    """A set whose rows lend their recipes to those that have none."""
    cache: Path | None = None
    """None: in the user's cache."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the sessions; None for those that were not given."""
    steering: str | None = None
    hints: bool = False
    timeout: float = TIMEOUT
    """Seconds for one attempt, its environment and its tests included."""
    budget: Budget = field(default_factory=Budget)
    validate: bool | None = None
    """Whether each instance is tried with its gold patch and with none; None: where a model is
    measured."""
    retry: bool = False
    """Whether attempts that the infrastructure failed are made again."""
    trajectories: tuple[str, ...] = ()
    """Other programs' formats, as `agent.export.Format` has them."""
    yes: bool = False
    words: tuple[str, ...] = ()
    """What was said after `agent replay`, to go on with the run by."""


def replay(options: RunOptions, confirm: Callable[[str], bool]) -> ExitCode:
    """Run, or go on with a run.

    Args:
        confirm: Asks the user, unless `--yes` answers.

    Raises:
        AgentError: What was given cannot be used.
    """
    loaded = load(options.tasks)
    instances = select(_with_recipes(loaded, options), options.selection)
    if not instances:
        raise InputError(f"None of the {len(loaded.instances)} tasks in {options.tasks} is left.")
    _check_models(options)
    where = _where(options)
    _check_environment(where, instances)
    _check_recipes(where, instances)
    _warn(options, loaded)
    attempts = len(instances) * len(options.models) * options.attempts
    if not options.yes and not confirm(
        f"{attempts} attempts at {len(instances)} instances: models' commands run without being "
        "asked about. Go on?"
    ):
        return ExitCode.BAD_INPUT
    store = Store(options.output.absolute())
    with alone(store.folder):
        with writing(store.folder):
            store.begin(_plan(options, loaded), map(listed, instances))
        with suppress(OSError):  # it is found again where it lies
            remember(store.folder, options.words)
        engine, local_workers = _engine(options, store)
        schedule = Schedule(
            store,
            _jobs(options, where, instances),
            validate=_validation(options),
            local_workers=local_workers,
            budget=options.budget,
            again=lambda it: options.retry and it.cause is Cause.INFRASTRUCTURE,
        )
        with interruptible() as cancel:
            _conduct(engine, schedule, store.folder, cancel)
        done = store.read()
        with writing(store.folder):
            write_official(done)
            for kind in options.trajectories:
                for line in write_trajectories(done, Format(kind)):
                    _say(line)
        return _tell(options, schedule, cancel)


def listed(instance: Instance) -> Listed:
    """An instance as the run's folder keeps it."""
    gold, task = patch_of(instance), instance.task
    is_function = isinstance(task, FunctionTask)
    return Listed(
        instance.id,
        "function" if is_function else "repository",
        instance.problem,
        gold.encode("utf-8", "replace").decode(),
        len(files_of(gold)),
        lines_of(gold),
        instance.source,
        instance.difficulty,
        "" if isinstance(task, FunctionTask) else task.repo,
    )


def _where(options: RunOptions) -> Where:
    cache = options.cache
    if cache is None:
        from platformdirs import user_cache_path  # 20 ms; only needed here

        cache = user_cache_path("parity", appauthor=False) / "replay"
    mirrors = tuple(folder.absolute() for folder in options.mirrors)
    for folder in mirrors:
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder} with clones.")
    return Where(options.environment, cache.absolute(), mirrors)


def _check_environment(where: Where, instances: Sequence[Instance]) -> None:
    """Find out before the first attempt that a kind of environment is not to be had.

    Raises:
        InputError: It is not.
    """
    kinds = {type(instance.task): instance for instance in instances}
    for instance in kinds.values():
        try:
            open_environment(instance, where)
        except Unavailable as error:
            raise InputError(str(error)) from error


def _with_recipes(loaded: Loaded, options: RunOptions) -> Sequence[Instance]:
    if options.recipes is None:
        return loaded.instances
    return with_borrowed(loaded.instances, load(str(options.recipes)).instances)


def _check_recipes(where: Where, instances: Sequence[Instance]) -> None:
    """Find out before the first attempt that no repository's environment can be made.

    Raises:
        InputError: None can.
    """
    tasks = [it.task for it in instances if isinstance(it.task, RepositoryTask)]
    if where.kind == "local" and tasks and not any(task.recipes for task in tasks):
        raise InputError(
            "No row says how its environment is made (there is no column env): give --environment "
            "docker, or --recipes with rows of the same repositories and versions that do."
        )


def _jobs(options: RunOptions, where: Where, instances: Sequence[Instance]) -> Iterator[Job]:
    """Every attempt; all at an instance are next to each other, so that pairs are early there."""
    # Unattended: the user's own mode and second model are for sessions that somebody watches.
    flags = {name: value for name, value in options.flags.items() if value is not None}
    flags |= {"mode": "auto", "escalate": ""}
    steering = Steering(options.steering) if options.steering else None
    for instance in instances:
        for number in range(1, options.attempts + 1):
            for model in options.models:
                yield Job(
                    instance,
                    options.output.absolute(),
                    where,
                    model,
                    number,
                    flags,
                    steering,
                    options.timeout,
                    hints=options.hints,
                    local=_is_local(model),
                )


def _plan(options: RunOptions, loaded: Loaded) -> Plan:
    given = {name: value for name, value in options.flags.items() if value is not None}
    given |= {"steering": options.steering} if options.steering else {}
    given |= {"hints": "told"} if options.hints else {}
    given |= {"timeout": options.timeout} if options.timeout != TIMEOUT else {}
    return Plan(
        options.tasks,
        options.models,
        options.attempts,
        options.environment,
        {name: value for name, value in given.items() if not isinstance(value, str)},
        {name: value for name, value in given.items() if isinstance(value, str)},
        {skipped.row: skipped.reason for skipped in loaded.skipped},
        datetime.now(UTC).isoformat(timespec="seconds"),
        _version(),
    )


def _check_models(options: RunOptions) -> None:
    """Find out before the first attempt that a model cannot be had.

    Raises:
        AgentError: One cannot.
    """
    keys = user_keys()
    for name in options.models:
        if name in PLAYED:
            continue
        flags = {**options.flags, "model": name}
        settings = configure(flags, os.environ, None).settings
        try:
            open_model(settings, keys, start=False).close()
        except AgentError as error:
            raise type(error)(f"{shown(name)}: {error}") from error


def _warn(options: RunOptions, loaded: Loaded) -> None:
    for skipped in loaded.skipped:
        _say(f"Left out: {skipped.row}: {skipped.reason}")
    with TemporaryDirectory(prefix="parity-") as folder:
        sandbox = detect(Path(folder))
    if not sandbox.holds:
        _say(f"What models write runs without a sandbox that holds: {sandbox.weaker}")
    if options.workers > 1 and options.local_workers == 1 and any(map(_is_local, options.models)):
        _say("A local model works at one attempt at a time; --local-workers changes that.")


def _is_local(model: str) -> bool:
    return model not in PLAYED and backend(model) is Backend.LOCAL


def _validation(options: RunOptions) -> Callable[[Job], bool]:
    """Known patches tell by themselves whether an instance is fit."""
    if options.validate is not None:
        wanted = options.validate
        return lambda job: wanted
    return lambda job: job.model not in PLAYED


def _conduct(engine: Engine, schedule: Schedule, folder: Path, cancel: Cancel) -> None:
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    watcher = LiveTable(schedule, sys.stderr) if live else PlainLines(schedule, sys.stderr)
    noting = Noting(watcher, schedule, folder)
    try:
        engine.run(schedule, noting, cancel)
    finally:
        noting.close()
        watcher.close()


def _engine(options: RunOptions, store: Store) -> tuple[Engine, int]:
    """What carries the jobs out, and how many of them may be a local model's at a time."""
    if options.engine == "ray":
        try:
            from agent.replay.ray_engine import RayEngine  # seconds; only needed with a cluster
        except ImportError:
            raise InputError("The Ray engine needs Ray: pip install 'parity-agent[ray]'.") from None
        cluster = RayEngine(store, options.workers)
        return cluster, cluster.cards
    workers = options.workers or max(1, (os.cpu_count() or 2) // 2)
    return LocalEngine(workers, store.folder / "errors.log"), options.local_workers


def _tell(options: RunOptions, schedule: Schedule, cancel: Cancel) -> ExitCode:
    """The last lines: what came out on stdout, what is left on stderr."""
    for line in summary(schedule.ended, options.models):
        print(line)
    for name, why in schedule.unfit.items():
        _say(f"Unfit, not counted: {name}: {why}")
    _say(f"The report: agent report {shown(str(options.output))}")
    if not schedule.left:
        return ExitCode.VERIFIED
    why = "interrupted" if cancel.is_set() else f"the limit was reached: {schedule.exhausted}"
    left = "1 attempt is" if schedule.left == 1 else f"{schedule.left} attempts are"
    _say(f"{left} left ({why}); the same command goes on.")
    return ExitCode.INTERRUPTED if cancel.is_set() else ExitCode.LIMIT


def _version() -> str:
    try:
        return version("parity-agent")
    except PackageNotFoundError:  # run from a folder
        return ""


def _say(line: str) -> None:
    print(shown(line), file=sys.stderr, flush=True)
