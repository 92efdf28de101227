"""From the name of a model to a model that answers.

Owns the choice of the backend. Must not know what the model will be asked.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from agent.config import Settings
from agent.errors import ModelMissing
from agent.models.base import Device, Model
from agent.models.scripted import ScriptedModel

CONTEXT = 32_768
"""Tokens of a local model's window, where the settings name none and the memory affords it."""


def open_model(settings: Settings, *, start: bool = True) -> Model:
    """Open the model that the settings name, or the best that fits this machine.

    A local model begins to load at once, in its own process, while the caller goes on; or, without
    `start`, when it is first asked.

    Raises:
        InputError: The script cannot be read.
        ModelMissing: There is no such model, or its weights are not here.
        ModelError: It is here and cannot be used.
    """
    kind, _, rest = settings.model.partition(":")
    if kind == "scripted":
        return ScriptedModel.load(Path(rest))
    return _local(settings, start)


def _local(settings: Settings, start: bool) -> Model:
    # 60 ms together; not needed to play a script
    from agent.hardware import detect
    from agent.models.catalogue import Catalogue
    from agent.models.local.model import LocalModel
    from agent.models.plan import fit

    hardware = detect()
    catalogue = Catalogue.load()
    resolved = catalogue.resolve(settings.model or catalogue.default_for(hardware).name)
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
