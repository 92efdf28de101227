"""Keys kept out of all that is said, shown and recorded.

Owns which values are secret, and their replacement in texts and in values made of texts. Must not
know where a text goes. What a program has encoded or reversed is not recognised: that no program
is given a key, and none reaches the network, is what holds there.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from agent.secrets import Keys
from tools.errors import ToolError
from tools.process import is_secret_variable
from tools.text import common_start
from tools.workspace import is_secret

SHORTEST = 12
"""Characters; what is shorter is too ordinary to be replaced wherever it stands."""
_ARMOUR = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
"""The lines around a key in PEM, which are the same for everybody."""
_LARGEST = 64 << 10
"""Bytes of a file of settings that is looked through for secrets."""

T = TypeVar("T")


class Redactor:
    """Replaces secret values by `[redacted NAME]`, also where a cut left only half of one.

    No two texts share a mark: it names the line of a value that has several, and how much of it
    is there.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        """
        Args:
            values: Name to secret value; short ones are passed over.
        """
        kept: dict[str, str] = {}
        names: set[str] = set()
        for name, value in (values or {}).items():
            lines = value.strip().split("\n")  # files are shown line by line
            for number, line in enumerate(map(str.strip, lines), start=1):
                if len(line) >= SHORTEST and not _ARMOUR.fullmatch(line):
                    kept[line] = name if len(lines) == 1 else f"{name}, line {number}"
                    names.add(name)
        # The longest first: one may be part of another.
        self._values = sorted(kept.items(), key=lambda item: -len(item[0]))
        self._marks = re.compile(rf"\[redacted (?:{'|'.join(map(re.escape, names))})(?!\w)[^]\n]*]")

    def text(self, text: str) -> str:
        return self._redacted(text)[0]

    def within(self, text: str, *, cut: bool) -> str:
        """A text that goes on, without the end that may be the beginning of a secret value.

        Args:
            cut: Whether something stood before it, too: then it also loses what may be the end
                of one.
        """
        values = [value for value, _ in self._values]
        begun = max((_overlap(text, value, len(value) - 1) for value in values), default=0)
        text = text[: len(text) - begun]
        if cut:
            text = text[
                max((_overlap(value, text, len(value) - 1) for value in values), default=0) :
            ]
        return text

    def scrub(self, value: T) -> T:
        """The same value with every text in it redacted: dataclasses, models,
        sequences, mappings."""
        return cast(T, self._walk(value)) if self._values else value

    def restored(self, arguments: Mapping[str, Any], there: str) -> Mapping[str, Any]:
        """A call's arguments with what the file that it changes holds in place of the marks that
        a model is shown of it: what it was not shown, it must not overwrite.

        Args:
            there: The text of that file; empty if there is none.

        Raises:
            ToolError: A mark stands for nothing in that file, or for either of two things.
        """
        given = {name: text for name, text in arguments.items() if isinstance(text, str)}
        if not self._values or not any(map(self._marks.search, given.values())):
            return arguments
        hidden = self._redacted(there)[1]

        def meant(match: re.Match[str]) -> str:
            mark = match[0]
            if (mark in hidden) == (mark in there):
                raise ToolError(
                    f"{mark} stands for a key that you are not shown, and what belongs in its "
                    "place here is not known. Leave that part of the file as it is, and copy it "
                    "nowhere else."
                )
            return hidden.get(mark, mark)

        changed = {name: self._marks.sub(meant, text) for name, text in given.items()}
        return {**arguments, **changed}

    def _redacted(self, text: str) -> tuple[str, dict[str, str]]:
        """A text without its secrets, and what each mark that was put into it stands for."""
        hidden: dict[str, str] = {}
        for value, label in self._values:
            if value in text:
                mark = f"[redacted {label}]"
                hidden[mark] = value
                text = text.replace(value, mark)
        for value, label in self._values:
            half = max(SHORTEST, -(-len(value) // 2))
            if value[:half] in text or value[-half:] in text:
                text = _without_parts(text, value, half, label, hidden)
        return text, hidden

    def _walk(self, value: Any) -> Any:  # noqa: ANN401  any value that an event may hold
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, BaseModel):
            fields = {name: getattr(value, name) for name in type(value).model_fields}
            clean = self._walk(fields)
            return value if clean is fields else value.model_copy(update=clean)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes = {}
            for item in dataclasses.fields(value):
                before = getattr(value, item.name)
                after = self._walk(before) if item.init else before
                if after is not before:
                    changes[item.name] = after
            return dataclasses.replace(value, **changes) if changes else value
        if isinstance(value, Mapping):
            pairs = {self._walk(key): self._walk(item) for key, item in value.items()}
            return value if pairs == value else pairs
        if type(value) in (tuple, list):
            items = [self._walk(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else type(value)(items)
        return value


def known_values(
    environ: Mapping[str, str], keys: Keys, root: Path, named: Iterable[str] = ()
) -> dict[str, str]:
    """What must not be told: secret variables, the user's keys, and what `.env` files hold.

    Args:
        root: The folder that is worked in; the files of settings beside its top are looked at.
        named: Those of these files, relative, that the user wants read.
    """
    values = {
        name: value
        for name, value in environ.items()
        if is_secret_variable(name) and not os.path.exists(value)
    }
    for place in _secret_files(root, frozenset(named)):
        for line in _text(place).splitlines():
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and is_secret_variable(name):
                values.setdefault(f"{place.name} {name.strip()}", value.strip().strip("'\""))
    for place in keys.files():
        values[place.name] = _text(place).strip()
    return values | {key.name: key.secret.reveal() for key in keys.found}


def _secret_files(root: Path, named: frozenset[str]) -> list[Path]:
    try:
        return sorted(
            place for place in root.iterdir() if is_secret(place.name) and place.name not in named
        )
    except OSError:
        return []


def _text(place: Path) -> str:
    try:
        if not place.is_file() or place.stat().st_size > _LARGEST:
            return ""
        return place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _without_parts(text: str, value: str, half: int, label: str, hidden: dict[str, str]) -> str:
    """A text without the first half or more of a value, and without its last.

    Args:
        half: Characters; fewer are left.
        hidden: Is told what the marks stand for.
    """
    for which, part in (("first", value[:half]), ("last", value[-half:])):
        parts: list[str] = []
        position = 0
        while (found := text.find(part, position)) >= 0:
            start, end = found, found + half
            if which == "first":
                end += common_start(text[end:], value[half:])
            else:
                start -= common_start(text[position:start][::-1], value[:-half][::-1])
            mark = f"[redacted {label}, {which} {end - start} characters]"
            hidden[mark] = text[start:end]
            parts += [text[position:start], mark]
            position = end
        text = "".join([*parts, text[position:]])
    return text


def _overlap(first: str, second: str, most: int) -> int:
    """How many characters, `most` at most, one text ends with and another begins with."""
    sizes = range(min(len(first), len(second), most), 0, -1)
    return next((size for size in sizes if first.endswith(second[:size])), 0)
