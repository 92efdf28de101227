"""What there is to say of a session without reading all of it: title, turns, status, cost.

Owns the quick look at a record: only the lines that tell of turns are parsed. Must not know how a
conversation is read back, nor how a list is shown.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.costs import Cost
from agent.session import SessionInfo, sessions
from tools.text_filter import clip_line

_TOLD = tuple(
    f'{{"event": "{name}"'.encode()
    for name in ("turn_started", "turn_finished", "switched", "renamed", "rewound", "forked")
)
"""How the lines begin that are parsed."""
_STEP = b'{"event": "step_finished"'
_SAID = b'{"event": "said"'
_EXCERPT = 60
"""Characters around a word that was found."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A session in a list."""

    info: SessionInfo
    title: str = ""
    """That it was given; empty: none."""
    model: str = ""
    """That was last at work; empty: none yet."""
    turns: int = 0
    """That its conversation consists of."""
    status: str = ""
    """How the last turn ended; empty: it did not, or there is none."""
    cost: Cost = field(default_factory=Cost)
    """Of all its turns, those that were taken back too."""
    last: float = 0.0
    """When something was last recorded, in seconds since the epoch."""
    tasks: tuple[str, ...] = ()
    """Of its turns."""
    forked: str = ""
    """The id of the session that it was forked from."""

    @property
    def heading(self) -> str:
        """Its title, else the first line of what was wanted first."""
        return self.title or self.info.task.lstrip("# ").partition("\n")[0]

    @property
    def dollars(self) -> float | None:
        """For tokens and electricity, as far as it is known; None: nothing is."""
        known = [
            part for part in (self.cost.api_usd, self.cost.electricity_usd) if part is not None
        ]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Hit:
    """A session that was searched for."""

    overview: Overview
    excerpt: str = ""
    """Where the words were found in a message; empty: in the title or the tasks."""


def overviews(state: Path, root: Path | None = None) -> list[Overview]:
    """The sessions of a repository, or all, the one last at work first."""
    found = []
    for info in sessions(state):
        if root is None or info.root == root:
            with suppress(OSError):  # deleted meanwhile
                found.append(overview(info))
    return sorted(found, key=lambda item: item.last, reverse=True)


def overview(info: SessionInfo) -> Overview:
    """A look at one session.

    Raises:
        OSError: Its record cannot be read.
    """
    data = info.record.read_bytes()
    seen = _Seen(last=info.record.stat().st_mtime)
    steps: list[bytes] = []
    for line in data.split(b"\n"):
        if line.startswith(_STEP):
            steps.append(line)  # parsed only where its turn does not tell the sum
        elif line.startswith(_TOLD):
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                plain = json.loads(line)
                if plain["event"] in ("turn_started", "turn_finished", "forked"):
                    seen.add(steps if plain["event"] == "turn_started" else ())
                    steps.clear()
                seen.take(plain)
    seen.add(steps)
    return Overview(
        info,
        seen.title,
        seen.model,
        len(seen.turns),
        seen.turns[-1].status if seen.turns else "",
        seen.cost,
        seen.last,
        tuple(turn.task for turn in seen.turns),
        seen.forked,
    )


def search(those: Iterable[Overview], words: Sequence[str], *, text: bool = False) -> Iterator[Hit]:
    """The sessions whose title and tasks hold all of these words, in any case.

    Args:
        text: Look through what was said, too: one message must hold them all.
    """
    wanted = [word.casefold() for word in words]

    def holds(told: str) -> bool:
        folded = told.casefold()
        return all(word in folded for word in wanted)

    for item in those:
        if holds("\n".join((item.title, item.info.task, *item.tasks))):
            yield Hit(item)
        elif text:
            for said in _texts(item.info):
                if holds(said):
                    yield Hit(item, _excerpt(said, wanted[0] if wanted else ""))
                    break


def at_work(info: SessionInfo) -> bool:
    """Whether a process has the session open."""
    try:
        with info.record.open("rb") as record:
            fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@dataclass(slots=True)
class _Turn:
    number: int
    task: str
    status: str = ""


@dataclass(slots=True)
class _Seen:
    """What the lines of a record came to so far."""

    last: float
    title: str = ""
    model: str = ""
    cost: Cost = field(default_factory=Cost)
    turns: list[_Turn] = field(default_factory=list)
    forked: str = ""
    _highest: int = 0

    def take(self, line: dict[str, Any]) -> None:
        match line["event"]:
            case "turn_started":
                self._highest = line.get("turn") or self._highest + 1
                self.turns.append(_Turn(self._highest, line["task"]))
                self.model = line["model"]
            case "turn_finished":
                if self.turns:
                    self.turns[-1].status = line["status"]
                self.cost += _cost(line["totals"]["cost"])
                self.last = line.get("at", self.last)
            case "switched":
                self.model = line["model"]
            case "renamed":
                self.title = line["title"]
            case "rewound" if line.get("turn"):
                self.turns = [turn for turn in self.turns if turn.number < line["turn"]]
            case "forked":
                self.forked = line["session"]
                self.cost = Cost()  # what was paid before is the other's
                self.last = line.get("at", self.last)

    def add(self, steps: Iterable[bytes]) -> None:
        """Count the steps of a turn that did not end."""
        for line in steps:
            with suppress(ValueError, KeyError, TypeError):
                plain = json.loads(line)
                self.cost += _cost(plain["cost"])


def _cost(plain: dict[str, Any]) -> Cost:
    return Cost(**{**plain, "sources": tuple(plain["sources"])})


def _texts(info: SessionInfo) -> Iterator[str]:
    """What was said in a session, message for message."""
    with suppress(OSError):
        for line in info.record.read_bytes().split(b"\n"):
            if line.startswith(_SAID):
                with suppress(ValueError, KeyError, TypeError, AttributeError):
                    message = json.loads(line)["message"]
                    parts = [message.get("text", ""), message.get("reasoning", "")]
                    parts += [json.dumps(c["arguments"]) for c in message.get("calls", ())]
                    parts += [result["output"] for result in message.get("results", ())]
                    yield "\n".join(parts)


def _excerpt(text: str, word: str) -> str:
    """The line in which a word was found."""
    at = max(0, text.casefold().find(word))
    start = max(0, at - _EXCERPT // 2)
    return clip_line(" ".join(text[start : start + 2 * _EXCERPT].split()), 2 * _EXCERPT)
