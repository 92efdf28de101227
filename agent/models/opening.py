"""From the name of a model to a model that answers.

Owns the choice of the backend. Must not know what the model will be asked.
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from agent.config import Settings
from agent.errors import AgentError, ModelMissing, Unreachable
from agent.models.base import Device, Model
from agent.models.scripted import ScriptedModel
from agent.models.server.address import is_url
from agent.secrets import Keys

CONTEXT = 32_768
"""Tokens of a local model's window, where the settings name none and the memory affords it."""


class Backend(StrEnum):
    """What answers for a model."""

    SCRIPTED = "scripted"
    CLAUDE = "claude"
    SERVER = "server"
    LOCAL = "local"


class Opening(Protocol):
    """What opens models as `open_model` does."""

    def __call__(self, settings: Settings, keys: Keys, *, start: bool = True) -> Model: ...


def backend(name: str) -> Backend:
    """What answers for the model of this name; empty for the best that fits this machine."""
    if name.startswith("scripted:"):
        return Backend.SCRIPTED
    if name == "claude" or name.startswith("claude-"):
        return Backend.CLAUDE
    if name.casefold().startswith("ollama:") or is_url(name):
        return Backend.SERVER
    return Backend.LOCAL


def open_model(settings: Settings, keys: Keys, *, start: bool = True) -> Model:
    """Open the model that the settings name, or the best that fits this machine.

    A local model begins to load at once, in its own process, while the caller goes on; or, without
    `start`, when it is first asked. Nor does Claude's server need to be reached before that.

    Args:
        keys: The user's; only asked for those that are to be sent.

    Raises:
        InputError: The script cannot be read, or the address of a server.
        ModelMissing: There is no such model, or its weights are not here.
        ModelError: It is here and cannot be used.
    """
    match backend(settings.model):
        case Backend.SCRIPTED:
            return ScriptedModel.load(Path(settings.model.partition(":")[2]))
        case Backend.CLAUDE:
            return _claude(settings, keys, start)
        case Backend.SERVER:
            return _server(settings, keys, start)
        case Backend.LOCAL:
            return _local(settings, start)


def _claude(settings: Settings, keys: Keys, start: bool) -> Model:
    # 150 ms together, most of it the HTTP client; not needed for other models
    from agent.models.claude.access import find_access
    from agent.models.claude.known import ALIAS, Known
    from agent.models.claude.model import ClaudeModel
    from agent.models.claude.wire import Wire

    known = Known.load()
    name = known.default if settings.model == ALIAS else settings.model
    access = find_access(os.environ, keys.value)
    model = ClaudeModel(
        name, Wire(access), effort=settings.effort, thinking=settings.thinking, known=known
    )
    try:
        model.learn()
    except AgentError as error:
        model.close()
        if start or not isinstance(error, Unreachable):
            raise
    return model


def _server(settings: Settings, keys: Keys, start: bool) -> Model:
    # 30 ms together; not needed for the other kinds
    from agent.models.server.address import parse_address
    from agent.models.server.opening import key_for, open_server

    address = parse_address(settings.model, os.environ)
    try:
        key = key_for(address, os.environ, keys)
        return open_server(address, context=settings.context, key=key)
    except Unreachable:
        from agent.models.ollama import ollama_models, ollama_roots  # only needed here

        here = address.ollama and ollama_models(ollama_roots()) and find_spec("llama_cpp")
        if not here:
            raise
        return _local(settings, start)  # its files are here, and so is what runs them


def _local(settings: Settings, start: bool) -> Model:
    # 60 ms together; not needed to play a script
    from agent.hardware import detect
    from agent.models.catalogue import Catalogue
    from agent.models.local.model import LocalModel
    from agent.models.plan import fit

    hardware = detect()
    catalogue = Catalogue.load()
    named = settings.model if settings.model != Backend.LOCAL else ""
    resolved = catalogue.resolve(named or catalogue.default_for(hardware).name)
    if find_spec("llama_cpp") is None:
        raise ModelMissing(
            "Local models need llama-cpp-python: `make install` builds it for this machine, "
            "or install the extra `parity-agent[local]`."
        )
    fitted = fit(resolved.path, hardware, settings.context or CONTEXT)
    model = LocalModel(
        resolved.path,
        replace(
            resolved.spec,
            context=fitted.context,
            forms=True,
            device=Device.CARDS if fitted.gpu_layers else Device.PROCESSOR,
        ),
        context=fitted.context,
        gpu_layers=fitted.gpu_layers,
        kv_type=fitted.kv_type.value,
        threads=settings.threads,
    )
    if start:
        model.start()
    return model
