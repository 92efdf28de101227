"""The prompts that a user has sent in a repository, kept from one session to the next.

Owns their file, in the state folder and for its owner alone. Must not know how one is chosen.

    prompts/<hash of the root>.jsonl   one prompt a line, the oldest first
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent import private

KEPT = 500
"""Prompts; the file may hold twice as many before it is cut."""
LONGEST = 50_000
"""Characters of a prompt that is kept, with what was pasted into it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt as it is written: what was pasted stands folded in its text."""

    text: str
    pastes: Mapping[int, str] = field(default_factory=dict)
    """What was pasted, by the numbers that stand for it."""

    def __bool__(self) -> bool:
        return bool(self.text.strip())


class PromptHistory:
    """The prompts of one repository, the oldest first."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._drafts: list[Draft] | None = None
        self._waiting: list[Draft] = []
        self._redact: Callable[[str], str] | None = None

    @classmethod
    def of(cls, root: Path, state: Path) -> PromptHistory:
        """The history of a repository."""
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:24]
        return cls(state / "prompts" / f"{name}.jsonl")

    @property
    def drafts(self) -> list[Draft]:
        """Read at the first use; prompts that another process adds later are not among them."""
        if self._drafts is None:
            self._drafts = self._read()
        return self._drafts

    def redacted_by(self, redact: Callable[[str], str]) -> None:
        """From now on it is known what must not be kept; what was added before is written."""
        self._redact = redact
        for draft in self._waiting:
            self._write(draft, redact)
        self._waiting.clear()

    def add(self, draft: Draft) -> None:
        """Keep a prompt; one that is the same as the last is not kept again."""
        drafts = self.drafts
        if drafts and drafts[-1] == draft:
            return
        drafts.append(draft)
        if self._redact is None:
            self._waiting.append(draft)
        else:
            self._write(draft, self._redact)

    def _write(self, draft: Draft, redact: Callable[[str], str]) -> None:
        pastes = {str(number): redact(text) for number, text in draft.pastes.items()}
        if len(draft.text) + sum(map(len, pastes.values())) > LONGEST:
            return
        line = json.dumps({"text": redact(draft.text), "pastes": pastes}) + "\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with suppress(OSError):  # a disk that is full is told of by the session's record
            private.make_folder(self._place.parent)
            with open(os.open(self._place, flags, private.FILE_MODE), "ab", buffering=0) as out:
                out.write(line.encode("ascii"))

    def _read(self) -> list[Draft]:
        try:
            lines = self._place.read_bytes().splitlines(keepends=True)
        except OSError:
            return []
        if len(lines) > 2 * KEPT:
            lines = lines[-KEPT:]
            with suppress(OSError):
                private.write(self._place, b"".join(lines))
        return [draft for line in lines[-KEPT:] if (draft := _draft(line))]


def _draft(line: bytes) -> Draft:
    """A line of the file; nothing where it is none."""
    try:
        told = json.loads(line)
        pastes = {int(number): str(text) for number, text in told["pastes"].items()}
        return Draft(str(told["text"]), pastes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Draft("")
