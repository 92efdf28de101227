"""The properties of a model that a server has: the catalogue's where it is known, else by its size.

Must not know how it is asked.
"""

from __future__ import annotations

import re

from agent.models.base import EditFormat, ModelSpec, Steering
from agent.models.catalogue import WEAK, Catalogue
from agent.models.entry import Entry
from agent.models.server.discovery import Found

WINDOW = 32_768
"""Tokens taken for the window where neither the server nor the settings name it."""
_OUTPUT = 4096
_BILLIONS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")


def short_name(model: str) -> str:
    """A model's name without the folder or owner before it and the file's ending."""
    return model.rstrip("/").rpartition("/")[2].removesuffix(".gguf") or model


def properties(found: Found, context: int, catalogue: Catalogue) -> tuple[ModelSpec, bool]:
    """The properties of a server's model, and whether its sampling is its vendor's advice."""
    name = f"{short_name(found.model)}@{found.address.place}"
    entry = _entry(found.model, catalogue)
    size = found.parameters or _size(found.model)
    weak = 0 < size <= WEAK
    most = max(256, context // 4)
    if entry is None:
        spec = ModelSpec(
            name,
            context,
            steering=Steering.GUIDED if weak else Steering.FREE,
            edit_format=EditFormat.SYMBOL if weak else EditFormat.SEARCH_REPLACE,
            max_output=min(_OUTPUT, most),
        )
        return spec, False
    return ModelSpec(
        name,
        context,
        steering=entry.steering,
        edit_format=entry.edit_format,
        max_output=min(entry.max_output, most),
        sampling=entry.sampling,
    ), True


def _entry(model: str, catalogue: Catalogue) -> Entry | None:
    """The catalogue's entry whose name a model's begins with; the longest such name."""
    wanted = _plain(short_name(model))
    names = {
        _plain(name): entry
        for entry in catalogue.entries
        for name in (entry.name, *entry.aliases)
        if name != "default"
    }
    known = [name for name in names if wanted == name or wanted.startswith(f"{name}-")]
    return names[max(known, key=len)] if known else None


def _size(model: str) -> float:
    """Parameters by the first number of billions in a name, as `llama3.2:3b`; 0 for none."""
    match = _BILLIONS.search(model.casefold())
    return float(match[1]) * 1e9 if match else 0.0


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-")
