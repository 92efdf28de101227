"""How models do at writing tool calls, kept from run to run.

Owns the file of counts. Must not know how calls are read.

`calls.jsonl` in the state folder has a line for each model of a run; lines are appended, so that
two runs at once lose nothing.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agent.messages import AssistantMessage


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a model's tool calls."""

    native: int = 0
    """Came as the model's interface has them."""
    text: int = 0
    """Were read out of its text."""
    malformed: int = 0
    """Attempts that could not be read."""
    mended: int = 0
    """Of those, the ones that could be read when they were asked for again."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        tried = self.native + self.text + self.malformed - self.mended
        share = f" of {tried} ({self.malformed / tried:.0%})" if tried else ""
        mended = f", {self.mended} mended by asking again" if self.mended else ""
        read = f"{self.native} native, {self.text} in the text"
        return f"{read}, {self.malformed}{share} malformed{mended}"


class Tally:
    """The counts of all models, and those of this run."""

    def __init__(self, folder: Path) -> None:
        """Make ready.

        Args:
            folder: The state folder.
        """
        self._file = folder / "calls.jsonl"
        self._run: defaultdict[str, Counts] = defaultdict(Counts)

    def count(self, message: AssistantMessage) -> None:
        """Count an answer's calls."""
        calls = len(message.calls)
        self._run[message.model] += Counts(
            native=0 if message.raw else calls,
            text=calls if message.raw else 0,
            malformed=len(message.malformed) + len(message.mended),
            mended=len(message.mended),
        )

    def close(self) -> None:
        """Keep this run's counts. A disk that cannot be written to loses them, no more."""
        lines = [
            json.dumps({"model": model, **asdict(counts)}) + "\n"
            for model, counts in self._run.items()
            if counts != Counts()
        ]
        self._run.clear()
        if not lines:
            return
        with suppress(OSError):
            file = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, "".join(lines).encode())
            finally:
                os.close(file)

    def of(self, model: str) -> Counts:
        """The sum of a model's runs; lines that cannot be read are passed over."""
        total = Counts()
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return total
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                if row.pop("model") == model:
                    total += Counts(**row)
        return total
