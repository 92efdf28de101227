"""Rows of a set of tasks, whatever file holds them: JSON, JSON lines, gzip, parquet.

Owns reading and typed access to columns. Must not know what a column means.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agent.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
INSTALL = "pip install 'parity-agent[replay]'"


class BadRow(Exception):
    """A row cannot be used: one line that says why."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is left out."""

    row: str
    """Its id, or where it stands: `line 3`."""
    reason: str
    """One line."""


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one task, whose values are looked at when they are asked for."""

    where: str
    columns: Mapping[str, object]

    def has(self, name: str) -> bool:
        return self.columns.get(name) is not None

    def text(self, *names: str) -> str:
        """The first of these columns that is there.

        Raises:
            BadRow: None is, or it is no text.
        """
        for name in names:
            if self.has(name):
                return self.optional(name)
        raise BadRow(f"there is no column {' or '.join(names)}")

    def optional(self, name: str) -> str:
        """As `text`; empty where there is none."""
        value = self.columns.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadRow(f"{name} is not text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, also one that is written as JSON; empty where there is none."""
        value = self.columns.get(name)
        if isinstance(value, str):
            value = parsed(value, name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadRow(f"{name} is not a list of texts")
        return tuple(value)

    def inner(self, name: str) -> Row | None:
        """A column that has columns itself."""
        value = self.columns.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadRow(f"{name} is not an object")
        return Row(self.where, value)

    def inners(self, name: str) -> Iterator[Row]:
        """The objects of a list, or the one that stands in its place."""
        value = self.columns.get(name)
        for each in value if isinstance(value, list) else [value] if value is not None else []:
            if not isinstance(each, dict):
                raise BadRow(f"{name} is not a list of objects")
            yield Row(self.where, each)


def parsed(text: str, what: str) -> object:
    """JSON that stands in a column.

    Raises:
        BadRow: It is none.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRow(f"{what} is not JSON") from None
    return value


def read_rows(path: Path) -> Iterator[Row | Skipped]:
    """The rows of a file, or of all the files that a folder has of the formats known.

    Raises:
        InputError: It cannot be read, or holds no rows.
    """
    try:
        if not path.is_dir():
            yield from _read_file(path)
            return
        files = sorted(each for each in path.rglob("*") if each.name.endswith(SUFFIXES))
        if not files:
            raise InputError(f"In {path} there is no file with tasks ({', '.join(SUFFIXES)}).")
        for file in files:
            yield from _read_file(file)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_file(path: Path) -> Iterator[Row | Skipped]:
    if path.name.endswith(".parquet"):
        return _parquet(path)
    if path.name.endswith((".json", ".json.gz")):
        return _json(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _lines(path)
    raise InputError(f"{path} is none of {', '.join(SUFFIXES)}.")


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _lines(path: Path) -> Iterator[Row | Skipped]:
    number = 0
    with _open(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(line, f"line {number}")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if number == 0:
                raise InputError(f"{path} is no gzip file, or is damaged.") from error
            yield Skipped(f"line {number + 1}", "the file is cut off or damaged here")


def _row(line: bytes, where: str) -> Row | Skipped:
    try:
        value = json.loads(line)
    except UnicodeDecodeError:
        return Skipped(where, "is not UTF-8")
    except (ValueError, RecursionError) as error:
        return Skipped(where, f"is not JSON: {getattr(error, 'msg', 'nested too deep')}")
    return Row(where, value) if isinstance(value, dict) else Skipped(where, "is not a JSON object")


def _json(path: Path) -> Iterator[Row | Skipped]:
    """A list of rows, or an object of rows by their ids."""
    try:
        with _open(path) as file:
            value = json.load(file)
    except (ValueError, RecursionError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.") from error
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        raise InputError(f"{path} holds no list of tasks.")
    for number, each in enumerate(value, 1):
        where = f"row {number}"
        yield Row(where, each) if isinstance(each, dict) else Skipped(where, "is not an object")


def _parquet(path: Path) -> Iterator[Row | Skipped]:
    try:
        # 60 ms; only needed for this format
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError:
        raise InputError(f"To read parquet files: {INSTALL}") from None
    try:
        with pq.ParquetFile(path) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(100))
            yield from rows_of(each for batch in batches for each in batch)
    except pa.ArrowException as error:
        raise InputError(f"{path} is no parquet file, or is damaged: {error}.") from error


def rows_of(values: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """Rows that were read by somebody else."""
    for number, value in enumerate(values, 1):
        with suppress(TypeError):
            yield Row(f"row {number}", dict(value))
