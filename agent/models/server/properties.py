"""The properties of a model that a server has: the catalogue's where it is known, else by its size.

Must not know how it is asked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from agent.models.base import Device, EditFormat, ModelSpec, Sampling, Steering, Tariff
from agent.models.server.discovery import Found

WEAK = 8e9
"""Up to this many parameters a model is guided and writes whole symbols, as with files."""
WINDOW = 32_768
"""Tokens taken for the window where neither the server nor the settings name it."""
_OUTPUT = 4096
_BILLIONS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")


def short_name(model: str) -> str:
    """A model's name without the folder or owner before it and the file's ending."""
    return model.rstrip("/").rpartition("/")[2].removesuffix(".gguf") or model


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalogue knows of a model, wherever it runs."""

    steering: Steering
    edit_format: EditFormat
    sampling: Sampling
    max_output: int = _OUTPUT


def properties(found: Found, context: int) -> tuple[ModelSpec, bool]:
    """The properties of a server's model, and whether its sampling is its vendor's advice."""
    known = known_as(found.model)
    size = found.parameters or _size(found.model)
    weak = 0 < size <= WEAK
    chosen = known or Known(
        Steering.GUIDED if weak else Steering.FREE,
        EditFormat.SYMBOL if weak else EditFormat.SEARCH_REPLACE,
        Sampling(),
    )
    spec = ModelSpec(
        f"{short_name(found.model)}@{found.address.place}",
        context,
        chosen.steering,
        chosen.edit_format,
        max_output=min(chosen.max_output, max(256, context // 4)),
        sampling=chosen.sampling,
        device=_device(found),
        tariff=None if found.address.local else Tariff(found.model, found.address.api),
    )
    return spec, known is not None


def known_as(model: str) -> Known | None:
    """What the catalogue says of the model whose name this one begins with; the longest such.

    Its file is read as it is: to import and validate all of the catalogue takes 50 ms.
    """
    wanted = _plain(short_name(model))
    rows = tomllib.loads(files("agent.models").joinpath("catalogue.toml").read_text("utf-8"))
    names: dict[str, Mapping[str, Any]] = {
        _plain(name): row
        for row in rows["model"]
        for name in (row["name"], *row["aliases"])
        if name != "default"
    }
    fits = [name for name in names if wanted == name or wanted.startswith(f"{name}-")]
    if not fits:
        return None
    row = names[max(fits, key=len)]
    return Known(
        Steering(row["steering"]),
        EditFormat(row["edit_format"]),
        Sampling(**row["sampling"]),
        row.get("max_output", _OUTPUT),
    )


def _device(found: Found) -> Device:
    if not found.address.local:
        return Device.ELSEWHERE
    return Device.PROCESSOR if found.processor else Device.CARDS


def _size(model: str) -> float:
    """Parameters by the first number of billions in a name, as `llama3.2:3b`; 0 for none."""
    match = _BILLIONS.search(model.casefold())
    return float(match[1]) * 1e9 if match else 0.0


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-")
