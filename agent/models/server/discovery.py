"""What a server is, which model is meant, how long its window is, whether it takes tools.

Owns the questions that are asked before the first request; none of them makes a model work. Must
not know requests or answers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote

from agent.errors import ModelMissing
from agent.models.server.address import Address
from agent.models.server.faults import error_of
from agent.models.server.wire import Refused, get_json


class Kind(StrEnum):
    """The servers whose ways are known."""

    LLAMA = "llama.cpp"
    OLLAMA = "ollama"
    VLLM = "vllm"
    LM_STUDIO = "lm studio"
    OTHER = "other"


_OWNERS = {
    "llamacpp": Kind.LLAMA,
    "library": Kind.OLLAMA,
    "vllm": Kind.VLLM,
    "organization_owner": Kind.LM_STUDIO,
}
"""What `/v1/models` says of who owns a model, by which servers can be told."""
_WINDOWS = ("max_model_len", "context_length", "max_context_length", "context_window")
"""What servers call the window in their list of models."""


@dataclass(frozen=True, slots=True)
class Found:
    """One model of a server."""

    address: Address
    kind: Kind
    model: str
    """As the server names it."""
    context: int = 0
    """Tokens of the window as it is now; 0 where the server does not tell."""
    trained: int = 0
    """Tokens that the model was made for; 0 where the server does not tell."""
    parameters: float = 0.0
    """0 where the server does not tell."""
    tools: bool | None = None
    """Whether it takes tools; None where the server does not tell."""
    processor: bool = False
    """Whether it is known to be in no card's memory."""


def discover(address: Address, key: str) -> Found:
    """Ask a server what it is.

    Raises:
        ModelMissing: It has no such model, several to choose from, or none.
        ModelError: It cannot be asked.
    """
    if address.ollama:
        return _ollama(address, key)
    try:
        listed = get_json(address, f"{address.path}/models", key)
    except Refused as refused:
        if refused.status not in (404, 405, 501):
            raise error_of(refused, address) from refused
        if not address.model:
            raise ModelMissing(
                f"{address} does not list its models: name one, as {address}{address.path}#NAME."
            ) from refused
        return Found(address, Kind.OTHER, address.model)
    rows = _rows(listed, "data")
    row = _chosen(address, rows)
    name = str(row.get("id") or address.model)
    kind = _OWNERS.get(str(row.get("owned_by")), Kind.OTHER)
    if kind is Kind.OLLAMA:
        return _ollama(replace(address, model=name, ollama=True), key)
    meta = row.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    found = Found(
        address,
        kind,
        name,
        context=next((_int(row[name]) for name in _WINDOWS if row.get(name)), 0),
        trained=_int(meta.get("n_ctx_train")),
        parameters=float(_int(meta.get("n_params"))),
    )
    if kind is Kind.LLAMA:
        return _llama(found, _int(meta.get("n_ctx")), key)
    return _lm_studio(found, key) if kind is Kind.LM_STUDIO else found


def _chosen(address: Address, rows: list[Mapping[str, object]]) -> Mapping[str, object]:
    names = [str(row.get("id") or "") for row in rows]
    wanted = address.model
    if not wanted:
        if len(rows) == 1:
            return rows[0]
        if not rows:
            raise ModelMissing(f"The server at {address} has no model: load one there first.")
        raise ModelMissing(
            f"The server at {address} has several models: name one as "
            f"{address}#NAME: {_listed(names)}."
        )
    for row, name in zip(rows, names, strict=True):
        if wanted in (name, name.removeprefix("models/"), name.removesuffix(":latest")):
            return row
    if len(rows) == 1 and rows[0].get("owned_by") == "llamacpp":
        return rows[0]  # it answers with what it holds, whatever is asked for
    if not rows:
        return {"id": wanted}
    near = difflib.get_close_matches(wanted, names, n=3) or names
    raise ModelMissing(
        f"The server at {address} has no model named {wanted!r}; it has {_listed(near)}."
    )


def _llama(found: Found, listed: int, key: str) -> Found:
    path = f"{found.address.root}/props?model={quote(found.model)}"
    try:
        props = get_json(found.address, path, key)
    except Refused:
        props = None
    if not isinstance(props, Mapping):
        return replace(found, context=listed or found.context)
    settings, caps = props.get("default_generation_settings"), props.get("chat_template_caps")
    window = _int(settings.get("n_ctx")) if isinstance(settings, Mapping) else 0
    # Tools that its template does not know are dropped without a word.
    tools = caps.get("supports_tools") if isinstance(caps, Mapping) else None
    return replace(
        found,
        context=window or listed or found.context,
        tools=tools if isinstance(tools, bool) else None,
    )


def _lm_studio(found: Found, key: str) -> Found:
    try:
        row = get_json(found.address, f"/api/v0/models/{quote(found.model)}", key)
    except Refused:
        return found
    if not isinstance(row, Mapping):
        return found
    most = _int(row.get("max_context_length"))
    return replace(found, context=_int(row.get("loaded_context_length")) or most, trained=most)


def _ollama(address: Address, key: str) -> Found:
    """Ask Ollama through its own interface."""
    if not address.model:
        names = _ollama_names(address, key)
        if len(names) != 1:
            what = f"several models: name one as ollama:NAME: {_listed(names)}"
            none = "no model: fetch one with `ollama pull NAME`"
            raise ModelMissing(f"Ollama at {address} has {what if names else none}.")
        address = replace(address, model=names[0])
    try:
        shown = get_json(address, "/api/show", key, {"model": address.model})
        running = get_json(address, "/api/ps", key)
    except Refused as refused:
        if refused.status != 404:
            raise error_of(refused, address) from refused
        names = _ollama_names(address, key)
        near = difflib.get_close_matches(address.model, names, n=3) or names
        here = f"; it has {_listed(near)}" if near else ""
        raise ModelMissing(
            f"Ollama has no model named {address.model!r}{here}: "
            f"fetch it with `ollama pull {address.model}`."
        ) from refused
    shown = shown if isinstance(shown, Mapping) else {}
    info, able = shown.get("model_info"), shown.get("capabilities")
    info = info if isinstance(info, Mapping) else {}
    known = {address.model, f"{address.model}:latest"}
    loaded = [
        row for row in _rows(running, "models") if {row.get("name"), row.get("model")} & known
    ]
    return Found(
        address,
        Kind.OLLAMA,
        address.model,
        context=_int(loaded[0].get("context_length")) if loaded else 0,
        trained=next((_int(v) for k, v in info.items() if str(k).endswith(".context_length")), 0),
        parameters=float(_int(info.get("general.parameter_count"))),
        tools="tools" in able if isinstance(able, list) else None,
        processor=bool(loaded) and not _int(loaded[0].get("size_vram")),
    )


def _ollama_names(address: Address, key: str) -> list[str]:
    try:
        return [
            str(row.get("name")) for row in _rows(get_json(address, "/api/tags", key), "models")
        ]
    except Refused as refused:
        raise error_of(refused, address) from refused


def _rows(value: object, name: str) -> list[Mapping[str, object]]:
    rows = value.get(name) if isinstance(value, Mapping) else value
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
