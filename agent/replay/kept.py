"""A local model that goes on from one attempt to the next, with what it has read.

Owns which model is kept. Must not know what it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.config import Settings
from agent.models.base import Model, ModelEvent, ModelSpec, Request
from agent.models.opening import Backend, backend, open_model
from agent.secrets import Keys
from tools.base import Cancel


class KeptModel:
    """Implements `agent.models.opening.Opening`; the last local model is kept until another is
    wanted, so that its weights are read once and the beginning that all requests share too."""

    def __init__(self) -> None:
        self._settings: tuple[object, ...] = ()
        self._model: Model | None = None

    def __call__(self, settings: Settings, keys: Keys, *, start: bool = True) -> Model:
        if backend(settings.model) is not Backend.LOCAL:
            return open_model(settings, keys, start=start)
        wanted = (settings.model, settings.context, settings.threads)
        if self._model is None or wanted != self._settings:
            self.close()
            self._model, self._settings = open_model(settings, keys, start=start), wanted
        return _Lent(self._model)

    def close(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            model.close()


class _Lent:
    """Implements `agent.models.base.Model`; a session that ends leaves the model as it is."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def spec(self) -> ModelSpec:
        return self._model.spec

    def count(self, text: str) -> int:
        return self._model.count(text)

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        return self._model.stream(request, cancel)

    def close(self) -> None:
        """It is not this session's to end."""
