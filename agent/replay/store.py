"""A replay's folder: what was to be done, each attempt that ended, what was unfit.

Owns the layout and the atomic writing. Must not know how an attempt is made, nor what it amounts
to.

    run.json                        what is replayed: a `Plan`
    instances.jsonl                 one `Listed` a line, in the order of the run
    fitness/ID.json                 whether the environment can judge the instance
    logs/run_evaluation/attempt-N/MODEL/ID/
        result.json                 the `Attempt`; with it the folder is complete
        patch.diff                  the patch, its bytes as they are
        test_output.txt             what the tests printed
        report.json                 the verdict, as the official harness writes it
        session/record.jsonl        the trajectory
        ID.json, .traj, .traj.json  it in the format of ATIF, SWE-agent, mini-swe-agent, if wanted
    MODEL/preds.json, report.json   the predictions and the report of a run in the official formats;
                                    of later attempts `preds-2.json`, `report-2.json`
    stopped.jsonl                   what attempts cost that were broken off and are made again

An attempt's folder appears whole, by a rename, so that whatever is killed at whatever moment leaves
either all of an attempt or nothing of it.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from agent import private
from agent.errors import InputError
from agent.replay.results import Attempt

T = TypeVar("T")

VERSION = 1
LOCK = ".lock"
"""A file in the folder that a run holds while it is at work."""
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance as the run keeps it: what a report needs without the file it came from."""

    id: str
    kind: str
    """`repository` or `function`."""
    problem: str
    gold: str
    """The gold patch, or the difference between the start and the canonical file."""
    gold_files: int
    gold_lines: int
    """That the gold patch adds or removes."""
    source: str = ""
    difficulty: str = ""
    repo: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do; it is continued only by one that is to do the same."""

    tasks: str
    """The set as the user named it."""
    models: tuple[str, ...]
    """As the user named them."""
    attempts: int
    """At each instance, by each model."""
    environment: str
    """`local`, `docker`; function-level tasks have their own."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Of each attempt, where they are not the defaults: `max_steps`, `max_usd`, `timeout`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What else was asked for: `steering`, `effort`, `hints`."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Rows of the set that cannot be used → why."""
    started: str = ""
    """ISO 8601, UTC."""
    program: str = ""
    """The version that made it."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Fitness:
    """Whether an environment can judge an instance."""

    instance: str
    trouble: str = ""
    """Why it is unfit, in one line; empty: it is fit."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A run as its folder tells it."""

    folder: Path
    plan: Plan
    instances: tuple[Listed, ...]
    attempts: tuple[Attempt, ...]
    """Those that ended; their grades without logs. In the order of models, instances, numbers."""
    unfit: Mapping[str, str]
    """Instance → why."""

    def place(self, attempt: Attempt) -> Path:
        """The folder of an attempt: `session/record.jsonl`, `patch.diff`, `test_output.txt`."""
        return Store(self.folder).place(attempt.model, attempt.instance, attempt.number)

    def log(self, attempt: Attempt) -> str:
        """What the tests printed; empty if they did not run."""
        return _text(self.place(attempt) / "test_output.txt")


def slug(model: str) -> str:
    """A model's name as a file name and as the `model_name_or_path` of its predictions."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", model.removesuffix(".gguf").rpartition("/")[2])
    plain = plain.strip("._-")[:_LONGEST_NAME] or "model"
    if plain == model:
        return plain
    return f"{plain}-{hashlib.sha256(model.encode()).hexdigest()[:6]}"


_REPLACED = re.compile(r"\.(.+)\.[0-9a-f]{8}\.old", re.DOTALL)
"""What an attempt is called while another takes its place."""


class Store:
    """The folder of one run. Several processes may write attempts to it at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, plan: Plan, instances: Iterable[Listed]) -> Plan:
        """Make the folder, or go on with the run that is in it; the plan with its first start.

        Models and instances may have been added since.

        Raises:
            InputError: It holds something else, or a run under other conditions.
        """
        listed = {item.id: item for item in instances}
        if (self.folder / "run.json").exists():
            before = self.plan()
            for name in ("environment", "limits", "settings"):
                if getattr(before, name) != getattr(plan, name):
                    raise InputError(
                        f"{self.folder} holds a run with other {name}: "
                        f"{_short(getattr(before, name))}, not {_short(getattr(plan, name))}. "
                        "Name another folder, or give what it was begun with."
                    )
            plan = replace(
                plan,
                models=tuple(dict.fromkeys((*before.models, *plan.models))),
                attempts=max(before.attempts, plan.attempts),
                skipped={**before.skipped, **plan.skipped},
                started=before.started,
            )
            listed = {**{item.id: item for item in self.instances()}, **listed}
            self._sweep()
        elif self.folder.is_dir() and {item.name for item in self.folder.iterdir()} - {LOCK}:
            raise InputError(f"{self.folder} holds something else than a replay: name another.")
        lines = (json.dumps(asdict(item)) + "\n" for item in listed.values())
        private.write(self.folder / "instances.jsonl", "".join(lines).encode())
        # The last, so that a folder with it is complete.
        private.write(self.folder / "run.json", _adapter(Plan).dump_json(plan, indent=2))
        return plan

    def plan(self) -> Plan:
        """
        Raises:
            InputError: There is no run in the folder, or it cannot be read.
        """
        file = self.folder / "run.json"
        try:
            plan: Plan = _adapter(Plan).validate_json(file.read_bytes())
        except FileNotFoundError:
            raise InputError(f"There is no replay in {self.folder}.") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read: {_first_line(error)}.") from error
        if plan.version > VERSION:
            raise InputError(f"{file} was written by a newer version of this program.")
        return plan

    def instances(self) -> tuple[Listed, ...]:
        file = self.folder / "instances.jsonl"
        try:
            lines = file.read_bytes().splitlines()
            return tuple(_adapter(Listed).validate_json(line) for line in lines)
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read: {_first_line(error)}.") from error

    def place(self, model: str, instance: str, number: int) -> Path:
        """Where an attempt is kept."""
        runs = self.folder / "logs" / "run_evaluation"
        return runs / f"attempt-{number}" / slug(model) / instance

    def draft(self, model: str, instance: str, number: int) -> Path:
        """A new folder to make an attempt in, to be given to `keep`."""
        place = self.place(model, instance, number)
        folder = place.with_name(f".{instance}.{os.urandom(4).hex()}")
        private.make_folder(folder)
        return folder

    def record(self, model: str, instance: str, number: int) -> Path | None:
        """The trajectory of an attempt, also of one that is at work; None: there is none yet."""
        place = self.place(model, instance, number)
        kept = place / "session" / "record.jsonl"
        if kept.is_file():
            return kept
        drafts = place.parent.glob(f".{glob.escape(instance)}.*/state/sessions/*/record.jsonl")
        return next(drafts, None)

    def keep(self, attempt: Attempt, draft: Path) -> None:
        """Make an attempt's folder final; one that is there is replaced.

        Raises:
            OSError: It cannot be written; nothing of it is kept.
        """
        log = attempt.grade.log if attempt.grade is not None else ""
        private.write(draft / "patch.diff", attempt.patch.encode("utf-8", "surrogateescape"))
        if log:
            private.write(draft / "test_output.txt", log.encode("utf-8", "backslashreplace"))
        grade = None if attempt.grade is None else replace(attempt.grade, log="")
        slim = replace(attempt, patch="", grade=grade)
        private.write(draft / "result.json", _adapter(Attempt).dump_json(slim, indent=1))
        self._place(draft, self.place(attempt.model, attempt.instance, attempt.number))

    def _place(self, draft: Path, place: Path) -> None:
        _sync(draft)
        if place.exists():  # a folder is not replaced by a rename
            place.rename(draft.with_name(f"{draft.name}.old"))
        draft.rename(place)
        _sync(place.parent)
        shutil.rmtree(draft.with_name(f"{draft.name}.old"), ignore_errors=True)

    def packed(self, model: str, instance: str, number: int) -> dict[str, bytes]:
        """The files of an attempt that ended, to be kept elsewhere; empty: it did not."""
        place = self.place(model, instance, number)
        files = (file for file in place.rglob("*") if file.is_file())
        return {str(file.relative_to(place)): file.read_bytes() for file in files}

    def adopt(self, model: str, instance: str, number: int, files: Mapping[str, bytes]) -> None:
        """Keep an attempt that was made elsewhere.

        Raises:
            OSError: It cannot be written; nothing of it is kept.
        """
        draft = self.draft(model, instance, number)
        for name, data in files.items():
            private.write(draft / name, data)
        self._place(draft, self.place(model, instance, number))

    def attempt(self, model: str, instance: str, number: int) -> Attempt | None:
        """An attempt that ended; None: there is none, or its files are damaged."""
        place = self.place(model, instance, number)
        try:
            read: Attempt = _adapter(Attempt).validate_json((place / "result.json").read_bytes())
            patch = (place / "patch.diff").read_bytes().decode("utf-8", "surrogateescape")
        except (OSError, ValueError):
            return None
        return replace(read, patch=patch)

    def attempts(self) -> Iterator[Attempt]:
        """All that ended, in the order of models, instances, numbers."""
        plan, instances = self.plan(), self.instances()
        for model in plan.models:
            for listed in instances:
                for number in range(1, plan.attempts + 1):
                    found = self.attempt(model, listed.id, number)
                    if found is not None:
                        yield found

    def judge(self, fitness: Fitness) -> None:
        """Keep whether an instance is fit."""
        data = _adapter(Fitness).dump_json(fitness)
        private.write(self.folder / "fitness" / f"{fitness.instance}.json", data)

    def fitness(self) -> dict[str, Fitness]:
        """What is known of the instances' fitness."""
        known = {}
        for file in sorted((self.folder / "fitness").glob("*.json")):
            try:
                read = _adapter(Fitness).validate_json(file.read_bytes())
            except (OSError, ValueError):  # it is found out again
                continue
            known[read.instance] = read
        return known

    def read(self) -> Replay:
        """All of it.

        Raises:
            InputError: There is no run in the folder, or it cannot be read.
        """
        unfit = {name: it.trouble for name, it in self.fitness().items() if it.trouble}
        return Replay(self.folder, self.plan(), self.instances(), tuple(self.attempts()), unfit)

    def _sweep(self) -> None:
        """Remove what a run that was killed left half done; what it was to replace comes back."""
        for leftover in (self.folder / "logs").glob("run_evaluation/*/*/.*"):
            replaced = _REPLACED.fullmatch(leftover.name)
            if replaced and not (place := leftover.with_name(replaced[1])).exists():
                leftover.rename(place)
            else:
                shutil.rmtree(leftover, ignore_errors=True)


@functools.cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _sync(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _short(value: object) -> str:
    return json.dumps(dict(value)) if isinstance(value, Mapping) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
