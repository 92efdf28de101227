"""Sets of tasks on the hub that the `datasets` package reads.

Owns names and the package's errors. Must not know what a column means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.errors import InputError
from agent.replay.sources.rows import INSTALL, Row, rows_of

SHORT = {
    "lite": "princeton-nlp/SWE-bench_Lite",
    "verified": "princeton-nlp/SWE-bench_Verified",
    "full": "princeton-nlp/SWE-bench",
    "multilingual": "SWE-bench/SWE-bench_Multilingual",
}
_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?::([\w.-]+))?")
_SPLIT = "test"


def hub_name(name: str) -> tuple[str, str] | None:
    """The set and the split that a name means: `lite`, `owner/name`, `owner/name:split`."""
    short, _, split = name.partition(":")
    found = _NAME.fullmatch(
        SHORT[short] + (f":{split}" if split else "") if short in SHORT else name
    )
    return None if found is None else (found[1], found[2] or _SPLIT)


def read_hub(name: str, split: str) -> Iterator[Row]:
    """The rows of a set, fetched once and kept where the package keeps them.

    Raises:
        InputError: The package is missing, or the set cannot be had.
    """
    try:
        # a second; only needed for a set on the hub
        import datasets  # type: ignore[import-untyped]
    except ImportError:
        raise InputError(f"To read sets of tasks from the hub: {INSTALL}") from None
    try:
        rows = datasets.load_dataset(name, split=split)
    # An unknown set or split, no network, a disk that is full, a loading script.
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(f"The set {name}:{split} cannot be had: {reason}.") from error
    yield from rows_of(rows)
