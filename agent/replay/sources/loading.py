"""From the name of a set of tasks to its instances.

Owns which format a row is in and which rows are left out. Must not know how an instance is worked
on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import InputError
from agent.replay.instance import Instance
from agent.replay.sources import functions, livecodebench, swebench
from agent.replay.sources.hub import SHORT, hub_name, read_hub
from agent.replay.sources.rows import SUFFIXES, BadRow, Row, Skipped, read_rows

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")
_LOOKED_AT = 20
"""Rows that tell the format of a set."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A set of tasks."""

    instances: tuple[Instance, ...]
    skipped: tuple[Skipped, ...]
    """Rows that cannot be used, in their order."""


@dataclass(frozen=True, slots=True)
class _Format:
    source: str
    """Empty: as the set is named."""
    columns: tuple[str, ...]
    read: Callable[[Row, str], Instance]


_FORMATS = (
    _Format("", swebench.COLUMNS, swebench.read_swebench),
    _Format("HumanEval", functions.HUMANEVAL, functions.read_humaneval),
    _Format("MBPP", functions.MBPP, functions.read_mbpp),
    _Format("QuixBugs", functions.QUIXBUGS, functions.read_quixbugs),
    _Format("LiveCodeBench", livecodebench.COLUMNS, livecodebench.read_livecodebench),
)


def load(name: str, hub: Callable[[str, str], Iterable[Row | Skipped]] = read_hub) -> Loaded:
    """Read a set of tasks.

    Args:
        name: A file or a folder of files in a known format; `lite`, `verified`, `full`,
            `multilingual`; or `owner/name[:split]` on the hub.
        hub: Reads a set on the hub by its name and split.

    Raises:
        InputError: There is no such set, it cannot be read, or its format is unknown.
    """
    path = Path(name).expanduser()
    of_hub = None if name.endswith(SUFFIXES) or name.startswith(("/", ".", "~")) else hub_name(name)
    if of_hub is not None and (name.partition(":")[0] in SHORT or not path.exists()):
        return _loaded(hub(*of_hub), of_hub[0].rpartition("/")[2], name)
    if not path.exists():
        known = ", ".join(SHORT)
        raise InputError(f"There is no file {name}, and no set of that name ({known}, OWNER/NAME).")
    return _loaded(read_rows(path), "SWE-bench", name)


def _loaded(rows: Iterable[Row | Skipped], source: str, name: str) -> Loaded:
    begun: list[Row | Skipped] = []
    rest = iter(rows)
    for row in rest:
        begun.append(row)
        if len(begun) == _LOOKED_AT:
            break
    first = [row for row in begun if isinstance(row, Row)]
    if not first:
        reason = next(
            (f": {row.row} {row.reason}" for row in begun if isinstance(row, Skipped)), ""
        )
        raise InputError(f"There are no tasks in {name}{reason}.")
    kind = _format(first, name)
    instances: dict[str, Instance] = {}
    skipped: list[Skipped] = []
    for row in _chained(begun, rest):
        if isinstance(row, Skipped):
            skipped.append(row)
            continue
        try:
            instance = kind.read(row, kind.source or source)
            _check_id(instance.id, instances)
        except BadRow as error:
            skipped.append(Skipped(_name(row), str(error)))
        else:
            instances[instance.id] = instance
    return Loaded(tuple(instances.values()), tuple(skipped))


def _chained(begun: list[Row | Skipped], rest: Iterator[Row | Skipped]) -> Iterator[Row | Skipped]:
    yield from begun
    yield from rest


def _format(rows: list[Row], name: str) -> _Format:
    """The format that has the most of its columns in the first rows; at least half of them."""

    def share(kind: _Format) -> float:
        found = sum(column in row.columns for row in rows for column in kind.columns)
        return found / (len(rows) * len(kind.columns))

    best = max(_FORMATS, key=share)
    if share(best) < 0.5:
        columns = ", ".join(list(map(str, rows[0].columns))[:8])
        raise InputError(f"The tasks in {name} are in no known format; their columns: {columns}.")
    return best


def _check_id(name: str, known: dict[str, Instance]) -> None:
    if _ID.fullmatch(name) is None:
        raise BadRow(f"the id cannot be a file name: {name!r}")
    if name in known:
        raise BadRow("the id is there twice; the first counts")


def _name(row: Row) -> str:
    """How a row that cannot be used is named to the user."""
    for column in ("instance_id", "task_id", "question_id", "name"):
        value = row.columns.get(column)
        if isinstance(value, str | int) and _ID.fullmatch(str(value).replace("/", "-")):
            return f"{row.where} ({value})"
    return row.where
