"""Keys kept out of all that is said, shown and recorded.

Owns which values are secret, and their replacement in texts and in values made of texts. Must not
know where a text goes. What a program has encoded or reversed is not recognised: that no program
is given a key, and none reaches the network, is what holds there.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from agent.secrets import Keys
from tools.process import is_secret_variable
from tools.workspace import is_secret

SHORTEST = 12
"""Characters; what is shorter is too ordinary to be replaced wherever it stands."""
_LARGEST = 64 << 10
"""Bytes of a file of settings that is looked through for secrets."""

T = TypeVar("T")


class Redactor:
    """Replaces secret values by `[redacted NAME]`, also where a cut left only half of one."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        """
        Args:
            values: Name to secret value; short ones are passed over.
        """
        kept = {
            line: name
            for name, value in (values or {}).items()
            for line in value.split("\n")  # files are shown line by line
            if len(line) >= SHORTEST
        }
        # The longest first: one may be part of another.
        self._values = sorted(kept.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        for value, name in self._values:
            half = max(SHORTEST, -(-len(value) // 2))
            if value[:half] in text or value[-half:] in text:
                text = _replaced(text, value, half, _mark(name))
        return text

    def scrub(self, value: T) -> T:
        """The same value with every text in it redacted: dataclasses, models,
        sequences, mappings."""
        return cast(T, self._walk(value)) if self._values else value

    def restored(self, arguments: Mapping[str, Any], there: str) -> Mapping[str, Any]:
        """A call's arguments with the values in place of their marks, as far as the file that
        it changes holds them already: what a model was not shown, it must not overwrite.

        Args:
            there: The text of that file.
        """
        known = {_mark(name): value for value, name in self._values if value in there}
        changed = dict(arguments)
        for key, text in arguments.items():
            for mark, value in known.items() if isinstance(text, str) else ():
                changed[key] = changed[key].replace(mark, value)
        return changed

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


def _mark(name: str) -> str:
    return f"[redacted {name}]"


def _replaced(text: str, value: str, half: int, mark: str) -> str:
    """Every occurrence of the value, of its first half or more, and of its last."""
    text = text.replace(value, mark)
    parts: list[str] = []
    position = 0
    while (start := text.find(value[:half], position)) >= 0:
        end = start + half
        while end < len(text) and end - start < len(value) and text[end] == value[end - start]:
            end += 1
        parts += [text[position:start], mark]
        position = end
    text = "".join([*parts, text[position:]])
    parts, position = [], 0
    while (found := text.find(value[-half:], position)) >= 0:
        start, end = found, found + half
        while (
            start > position
            and end - start < len(value)
            and (text[start - 1] == value[start - 1 - end])
        ):
            start -= 1
        parts += [text[position:start], mark]
        position = end
    return "".join([*parts, text[position:]])
