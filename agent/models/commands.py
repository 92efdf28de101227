"""`agent models`: list, pull, show, plan.

Owns the tables and their JSON. Must not know how anything is fetched, read or computed.
"""

from __future__ import annotations

import json
import os
import sys

import click

from agent.errors import ModelMissing, ModelTooBig
from agent.hardware import GIB, detect
from agent.models.base import Tariff
from agent.models.catalogue import Catalogue, Resolved
from agent.models.claude.known import ALIAS, Known
from agent.models.entry import Entry
from agent.models.gguf import read_gguf
from agent.models.places import Place, places
from agent.models.plan import fit_shape, plan
from agent.models.prices import Rates, sold
from agent.models.server.address import is_url
from agent.models.shape import KvType, Shape, shape_of
from agent.models.survey import LocalChoice, bandwidth_of, local_choices
from agent.models.tally import Counts, Tally
from agent.secrets import user_keys
from agent.session import state_folder
from tools.text import shown


@click.group("models")
def models() -> None:
    """Models: what is here, what fits, fetch one."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
def list_models(as_json: bool) -> None:
    """All known models: on this disk or not, and how they would run here."""
    catalogue = Catalogue.load()
    hardware = detect()
    rows = list(
        local_choices(
            catalogue,
            hardware,
            bandwidth_of(hardware),
            lambda line: _say(f"skipped: {line}", err=True),
        )
    )
    default = catalogue.default_for(hardware).name
    if as_json:
        _print_json([_row_json(row, default) for row in rows])
        return
    _print_table(
        ("NAME", "SIZE", "HERE", "RUNS ON", "CONTEXT", "TOK/S"),
        [
            (
                row.name,
                f"{row.size / 1e9:.1f} GB",
                row.here or "-",
                row.runs,
                f"{row.context:,}" if row.context else "-",
                f"{row.ceiling:.0f}" if row.ceiling else "-",
            )
            for row in rows
        ],
    )
    click.echo(f"\nDefault here: {shown(default)}.")
    click.echo("TOK/S is the most that the memory's bandwidth, as measured or known, allows.")


@models.command("pull")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask, whatever the size.")
def pull_model(name: str, yes: bool) -> None:
    """Fetch the model NAME, verified. Goes on where an interrupted fetch stopped."""
    from agent.models.download import pull  # 60 ms; only needed to fetch
    from agent.models.progress import StreamProgress

    catalogue = Catalogue.load()
    entry = catalogue.find(name)
    found = catalogue.on_disk(entry)
    if found is not None and entry.is_whole(found):
        _say(f"{entry.name} is here: {found}")
        return
    problem = _problem(entry)
    if problem and not yes and sys.stdin.isatty():
        click.confirm(f"{shown(problem)}\nFetch it all the same?", abort=True, err=True)
    elif problem:
        _say(problem, err=True)
    path = pull(
        entry,
        catalogue.folder,
        lambda line: _say(line, err=True),
        StreamProgress(sys.stderr),
    )
    _say(f"{entry.name} is here: {path}")


@models.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the lines.")
def show_model(model: str, as_json: bool) -> None:
    """What is known of MODEL: a name, a path to a GGUF file, ollama:NAME, a server's address, or
    the name of an API's."""
    facts = _known_facts(model)
    counts = Tally(state_folder()).of(str(facts["name"]))
    facts["tool calls"] = str(counts) if counts != Counts() else ""
    if as_json:
        _print_json(facts)
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        if value not in ("", None):
            _say(f"{key:<{width}}  {value}")


@models.command("plan")
@click.argument("model", required=False)
@click.option("--memory", metavar="SIZE", help="Plan for this much, as 16GB; GB means GiB here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the tables.")
def plan_models(model: str | None, memory: str | None, as_json: bool) -> None:
    """What fits in 24 GB, 12 GB and this machine, with how much context, how fast at most."""
    catalogue = Catalogue.load()
    shapes = _shapes(catalogue, model)
    chosen = places(memory)
    kinds = tuple(KvType) if model else (KvType.F16, KvType.Q8_0)
    if as_json:
        _print_json(
            [
                _plan_json(name, shape, place, kind)
                for place in chosen
                for name, shape in shapes
                for kind in kinds
            ]
        )
        return
    for place in chosen:
        rate = f", {place.bandwidth / 1e9:.0f} GB/s" if place.bandwidth else ""
        _say(f"{place.title}: {place.memory / GIB:.1f} GiB{rate}")
        header = ("NAME", "WEIGHTS", *(f"{kind.value.upper()} CTX" for kind in kinds), "TOK/S")
        _print_table(header, [_plan_line(name, shape, place, kinds) for name, shape in shapes])
        click.echo()
    click.echo("CTX: tokens of context with the cache in that type. TOK/S: the most that the")
    click.echo("bandwidth allows, with the context empty; llama.cpp reaches 60 to 70 % of it.")


def _plan_line(name: str, shape: Shape, place: Place, kinds: tuple[KvType, ...]) -> tuple[str, ...]:
    plans = [
        plan(shape, place.memory, place.bandwidth, kind, overhead=place.overhead) for kind in kinds
    ]
    contexts = [f"{made.context:,}" if made.fits else "no" for made in plans]
    ceiling = plans[0].decode_ceiling if any(made.fits for made in plans) else None
    return (
        name,
        f"{shape.weights / 1e9:.1f} GB",
        *contexts,
        f"{ceiling:.0f}" if ceiling else "-",
    )


def _plan_json(name: str, shape: Shape, place: Place, kind: KvType) -> dict[str, object]:
    made = plan(shape, place.memory, place.bandwidth, kind, overhead=place.overhead)
    return {
        "model": name,
        "place": place.title,
        "memory": place.memory,
        "fits": made.fits,
        "context": made.context if made.fits else 0,
        "kv_type": made.kv_type.value,
        "weights": made.weights,
        "kv_per_token": made.per_token,
        "buffers": made.buffers,
        "needed": made.needed,
        "decode_ceiling": made.decode_ceiling,
        "decode_full": made.decode_full,
    }


def _shapes(catalogue: Catalogue, model: str | None) -> list[tuple[str, Shape]]:
    if model is None:
        return [(entry.name, entry.shape) for entry in catalogue.entries if entry.rank >= 0]
    known = _known(catalogue, model)
    if isinstance(known, Entry):
        return [(known.name, known.shape)]
    return [(known.spec.name, shape_of(read_gguf(known.path)))]


def _known(catalogue: Catalogue, model: str) -> Entry | Resolved:
    """The catalogue's entry, fetched or not, else whatever file the name stands for."""
    wanted = model.casefold()
    for entry in catalogue.entries:
        if wanted in (entry.name, *entry.aliases) and catalogue.on_disk(entry) is None:
            return entry
    return catalogue.resolve(model)


def _facts(catalogue: Catalogue, model: str) -> dict[str, object]:
    known = _known(catalogue, model)
    entry = known if isinstance(known, Entry) else known.entry
    spec = known.spec
    facts: dict[str, object] = {"name": spec.name}
    if entry is not None:
        facts |= {
            "title": entry.title,
            "aliases": ", ".join(entry.aliases),
            "licence": entry.licence,
            "sha256": entry.sha256 or "not known: the hub's is used",
            "tool style": entry.tool_style.value,
        }
    shape = known.shape if isinstance(known, Entry) else None
    if isinstance(known, Resolved):
        gguf = read_gguf(known.path)
        shape = shape_of(gguf)
        facts |= {
            "path": str(known.path),
            "architecture": gguf.architecture,
            "parameters": f"{gguf.parameters / 1e9:.2f} billion",
        }
    assert shape is not None
    return facts | {
        "size": f"{shape.weights:,} bytes",
        "context": f"{shape.context:,} tokens",
        "cache": f"{shape.per_token(KvType.F16) / 1024:g} KiB a token in f16",
        "steering": spec.steering.value,
        "edit format": spec.edit_format.value,
        "on this disk": "yes" if isinstance(known, Resolved) else "no",
    }


def _known_facts(model: str) -> dict[str, object]:
    if is_url(model):
        return _server_facts(model)
    if model == ALIAS:
        model = Known.load().default
    try:
        return _facts(Catalogue.load(), model)
    except ModelMissing:
        if facts := _sold_facts(model):
            return facts
        raise


def _sold_facts(model: str) -> dict[str, object]:
    """What is known of an API's model; empty if nobody sells one of that name."""
    known = sold(Tariff(model))
    if known is None:
        return {}
    facts: dict[str, object] = {
        "name": model,
        "title": known.title,
        "provider": known.provider,
        "context": f"{known.context:,} tokens" if known.context else "",
    }
    for rates in known.rates:
        over = f", prompts over {rates.over:,} tokens" if rates.over else ""
        facts[f"price{over}"] = _price(rates)
    return facts


def _price(rates: Rates) -> str:
    return (
        f"${rates.input:g} in, ${rates.output:g} out, ${rates.cache_read:g} read from the cache, "
        f"${rates.cache_write:g} written to it, for a million tokens"
    )


def _server_facts(model: str) -> dict[str, object]:
    # 40 ms; only needed to ask a server
    from agent.models.server.address import parse_address
    from agent.models.server.opening import key_for, open_server

    address = parse_address(model, os.environ)
    opened = open_server(address, key=key_for(address, os.environ, user_keys()))
    found, spec = opened.found, opened.spec
    return {
        "name": spec.name,
        "model": found.model,
        "server": f"{found.kind.value} at {found.address}",
        "parameters": f"{found.parameters / 1e9:.2f} billion" if found.parameters else "",
        "context": f"{spec.context:,} tokens{'' if found.context else ' (not told: assumed)'}",
        "tools": {True: "native", False: "as text", None: "native, if it takes them"}[found.tools],
        "steering": spec.steering.value,
        "edit format": spec.edit_format.value,
    }


def _problem(entry: Entry) -> str:
    """One line if the model will not run here; empty if it will."""
    try:
        fit_shape(entry.shape, detect(), name=entry.name)
    except ModelTooBig as error:
        return str(error)
    return ""


def _row_json(row: LocalChoice, default: str) -> dict[str, object]:
    return {
        "name": row.name,
        "size": row.size,
        "here": row.here.value,
        "runs": row.runs,
        "context": row.context,
        "decode_ceiling": row.ceiling,
        "default": row.name == default,
    }


def _say(line: str, err: bool = False) -> None:
    """One line in which names of models and files cannot steer the terminal."""
    click.echo(shown(line), err=err)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Aligned columns: the first to the left, the others to the right."""
    safe = [tuple(map(shown, row)) for row in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*safe, strict=True)]
    for row in safe:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join(cells).rstrip())
