"""The models that a person could work with on this machine: at once, after a fetch, with a key.

Owns what is offered and in which order. Must not fetch, open or keep anything, nor know who asks.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec

from agent.errors import AgentError, ModelError, ModelMissing, ModelTooBig
from agent.hardware import GIB, Hardware, detect
from agent.models.catalogue import Catalogue, fits_gpu
from agent.models.claude.access import find_access
from agent.models.claude.known import ALIAS
from agent.models.entry import Entry
from agent.models.opening import CONTEXT
from agent.models.plan import fit_shape
from agent.models.server.address import OLLAMA_PORT, Address, parse_address
from agent.models.server.wire import Refused, get_json
from agent.secrets import Keys

PORTS = (OLLAMA_PORT, 8080, 8000, 1234)
"""Where Ollama, llama.cpp's server, vLLM and LM Studio listen if they are not told otherwise."""
_KNOCK = 0.15
"""Seconds for a connection on this machine."""
_MOST = 4
"""Models of one server that are offered."""
_ENGINE = "pip install 'parity-agent[local]'"


class Way(Enum):
    """What is to be done before the model can be used."""

    USE = "use"
    FETCH = "fetch"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Offer:
    """One model that could be used."""

    way: Way
    model: str
    """As the setting `model` names it."""
    title: str
    detail: str
    """Where it would run, with how much context; or why it cannot be used."""
    possible: bool = True
    entry: Entry | None = None
    """What is to be fetched."""


@dataclass(frozen=True, slots=True)
class Offers:
    """This machine and what it could work with, the best first."""

    machine: tuple[str, ...]
    """Lines that say what there is."""
    offers: tuple[Offer, ...]


def survey(keys: Keys, environ: Mapping[str, str] = os.environ) -> Offers:
    """Look at this machine. Takes some tenths of a second; nothing beyond it is asked."""
    hardware = detect()
    catalogue = Catalogue.load(environ)
    engine = find_spec("llama_cpp") is not None
    found = [*_servers(environ), *_claude(keys, environ), *_local(catalogue, hardware, engine)]
    order = {Way.USE: 0, Way.FETCH: 1, Way.KEY: 2}
    offers = sorted(found, key=lambda offer: (not offer.possible, order[offer.way]))
    return Offers(tuple(_machine(hardware, engine)), tuple(offers))


def _machine(hardware: Hardware, engine: bool) -> Iterator[str]:
    cores = os.cpu_count() or 1
    free, total = hardware.available / GIB, hardware.memory / GIB
    yield f"Memory      {free:.1f} GiB free of {total:.1f}, {cores} cores"
    for gpu in hardware.gpus:
        use = "" if hardware.offload else "; llama.cpp was built without support for it"
        yield f"Graphics    {gpu.name}, {gpu.free / GIB:.1f} GiB free of {gpu.total / GIB:.1f}{use}"
    if not hardware.gpus:
        yield "Graphics    no card found: models run on the processor"
    if not engine:
        yield f"Engine      none for local models: {_ENGINE}"


def _local(catalogue: Catalogue, hardware: Hardware, engine: bool) -> Iterator[Offer]:
    best = catalogue.default_for(hardware)
    ranked = sorted(catalogue.entries, key=lambda entry: entry.rank, reverse=True)
    fitting = [entry for entry in ranked if entry.rank >= 0 and fits_gpu(entry, hardware)]
    here = [entry for entry in ranked if catalogue.on_disk(entry) is not None]
    wanted = dict.fromkeys(entry.name for entry in (best, *here, *fitting[:2], catalogue.embedded))
    for name in wanted:
        entry = catalogue.find(name)
        way = Way.USE if entry in here else Way.FETCH
        detail, fits = _fit(entry, hardware)
        if not engine:
            detail, fits = f"needs {_ENGINE}", False
        size = f"{entry.size / 1e9:.1f} GB"
        told = "on this disk" if way is Way.USE else f"{size}, {entry.licence}"
        yield Offer(way, name, entry.title, f"{told}; {detail}", fits, entry)


def _fit(entry: Entry, hardware: Hardware) -> tuple[str, bool]:
    try:
        fit = fit_shape(entry.shape, hardware, CONTEXT, name=entry.name)
    except ModelTooBig:
        return "too big for the memory that is free", False
    place = {-1: "on the graphics card", 0: "on the processor"}.get(
        fit.gpu_layers, "on card and processor"
    )
    return f"{place}, {fit.context:,} tokens of context", True


def _claude(keys: Keys, environ: Mapping[str, str]) -> Iterator[Offer]:
    try:
        find_access(environ, lambda name: keys.value(name, keyring=False))
    except ModelMissing:
        detail = "of the Claude API; what you work on is sent there"
        yield Offer(Way.KEY, ALIAS, "Claude", detail)
    except AgentError as error:
        yield Offer(Way.KEY, ALIAS, "Claude", str(error))
    else:
        detail = "your credentials are here; what you work on is sent there"
        yield Offer(Way.USE, ALIAS, "Claude", detail)


def _servers(environ: Mapping[str, str]) -> list[Offer]:
    with ThreadPoolExecutor(len(PORTS)) as pool:
        return [offer for found in pool.map(lambda port: _server(port, environ), PORTS)
                for offer in found]  # fmt: skip


def _server(port: int, environ: Mapping[str, str]) -> list[Offer]:
    """The models of a server that listens there; none where nothing that is known answers."""
    address = parse_address(f"http://127.0.0.1:{port}", environ)
    try:
        socket.create_connection(("127.0.0.1", port), _KNOCK).close()
        listed = get_json(address, f"{address.path}/models", "")
    except (OSError, Refused, ModelError):
        return []
    rows = listed.get("data") if isinstance(listed, Mapping) else None
    names = [str(row.get("id")) for row in rows or () if isinstance(row, Mapping) and row.get("id")]
    return [_served(address, name) for name in names[:_MOST]]


def _served(address: Address, name: str) -> Offer:
    ollama = address.port == OLLAMA_PORT
    model = f"ollama:{name}" if ollama else f"{address}#{name}"
    title = f"{name}, of {'Ollama' if ollama else 'a server on this machine'}"
    return Offer(Way.USE, model, title, f"answers at {address}")
