"""Which models there are to choose from: of the catalogue, on this disk, of an API.

Owns what is known of each before it is opened: does it fit, how fast, what does it cost. Must not
know how that is shown, nor open or fetch anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import ModelFileError, ModelMissing, ModelTooBig
from agent.hardware import Hardware, memory_bandwidth
from agent.models.cards import Cards
from agent.models.catalogue import Catalogue
from agent.models.entry import Entry
from agent.models.gguf import read_gguf
from agent.models.ollama import ollama_models
from agent.models.plan import fit_shape
from agent.models.shape import Shape, shape_of


class Here(StrEnum):
    """Where a local model's file is."""

    YES = "yes"
    """In the models folder, as the catalogue names it."""
    OLLAMA = "ollama"
    FILE = "file"
    """In the models folder, unknown to the catalogue."""
    NO = ""


@dataclass(frozen=True, slots=True)
class LocalChoice:
    """A model that this machine would run."""

    name: str
    size: int
    """Bytes."""
    here: Here
    runs: str
    """`gpu`, `cpu`, `gpu+cpu`, or `no`: it does not fit."""
    context: int
    """Tokens that it affords here, the most."""
    ceiling: float | None
    """Tokens a second that the memory's bandwidth allows; None: not known."""
    entry: Entry | None = None
    """None for a file that the catalogue does not know."""

    @property
    def fits(self) -> bool:
        return self.runs != "no"


def local_choices(
    catalogue: Catalogue,
    hardware: Hardware,
    bandwidth: float | None,
    skip: Callable[[str], None] = lambda line: None,
) -> Iterator[LocalChoice]:
    """All local models: the catalogue's, Ollama's, and other files of the models folder.

    Args:
        skip: Is told of each file that cannot be read and is left out.
    """
    for entry in catalogue.entries:
        here = Here.YES if catalogue.on_disk(entry) else Here.NO
        yield _choice(entry.name, entry.shape, here, hardware, bandwidth, entry)
    known = {entry.file for entry in catalogue.entries}
    digests = {entry.sha256 for entry in catalogue.entries}
    files = [
        (f"ollama:{model.name}", model.path, Here.OLLAMA)
        for model in ollama_models(catalogue.ollama)
        if model.sha256 not in digests
    ]
    files += [
        (path.stem, path, Here.FILE)
        for path in sorted(catalogue.folder.glob("*.gguf"))
        if path.name not in known
    ]
    for name, path, here in files:
        try:
            shape = shape_of(read_gguf(path))
        except ModelFileError as error:
            skip(str(error))
        else:
            yield _choice(name, shape, here, hardware, bandwidth, None)


def bandwidth_of(hardware: Hardware) -> float | None:
    """Bytes a second of the slowest card where there are cards, of the RAM where there are none."""
    if not hardware.usable_gpus:
        return memory_bandwidth()
    cards = Cards.load()
    rates = [cards.bandwidth(gpu.name) for gpu in hardware.usable_gpus]
    known = [rate for rate in rates if rate]
    return min(known) if len(known) == len(rates) else None


@dataclass(frozen=True, slots=True)
class ClaudeChoice:
    """A model of Anthropic's."""

    name: str
    context: int
    """Tokens."""
    rates: tuple[float, float] | None
    """Dollars for a million tokens read and written, by short prompts; None: not known."""
    key: bool
    """Whether there are credentials for it."""


def claude_choices() -> Iterator[ClaudeChoice]:
    """Anthropic's models that are known, the default first; prices take half a second to load."""
    # 600 ms, most of it the table of prices; only where these are listed
    from agent.models.base import Tariff
    from agent.models.claude.access import find_access
    from agent.models.claude.known import Known
    from agent.models.prices import sold
    from agent.secrets import user_keys

    try:
        find_access(os.environ, user_keys().value)
        key = True
    except ModelMissing:
        key = False
    known = Known.load()
    for card in sorted(known.cards.values(), key=lambda card: card.name != known.default):
        found = sold(Tariff(card.name, "anthropic"))
        rates = (found.rates[0].input, found.rates[0].output) if found else None
        yield ClaudeChoice(card.name, card.context, rates, key)


def _choice(
    name: str,
    shape: Shape,
    here: Here,
    hardware: Hardware,
    bandwidth: float | None,
    entry: Entry | None,
) -> LocalChoice:
    try:
        fit = fit_shape(shape, hardware, name=name)
    except ModelTooBig:
        return LocalChoice(name, shape.weights, here, "no", 0, None, entry)
    runs = {-1: "gpu", 0: "cpu"}.get(fit.gpu_layers, "gpu+cpu")
    ceiling = bandwidth / shape.active if bandwidth and runs != "gpu+cpu" else None
    return LocalChoice(name, shape.weights, here, runs, fit.context, ceiling, entry)
