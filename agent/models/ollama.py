"""Models that Ollama already holds on this disk.

Owns the reading of its manifests. Must not know the catalogue, and asks no server.

`<root>/manifests/<registry>/<owner>/<name>/<tag>` is a JSON list of layers; the one with the
weights names a file of `<root>/blobs` by its digest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

_WEIGHTS = "application/vnd.ollama.image.model"
_SERVICE = Path("/usr/share/ollama/.ollama/models")
_MANIFEST_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """One model by the name Ollama uses for it."""

    name: str
    """As `qwen2.5-coder:1.5b`; with the owner's name where that is not the library."""
    path: Path
    size: int
    """Bytes."""
    sha256: str


class _Layer(BaseModel):
    mediaType: str = ""
    digest: str = ""


class _Manifest(BaseModel):
    layers: tuple[_Layer, ...] = ()


def ollama_roots(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The folders Ollama may keep its models in; a set OLLAMA_MODELS is the only one."""
    if chosen := environ.get("OLLAMA_MODELS"):
        return (Path(chosen),)
    return (Path.home() / ".ollama" / "models", _SERVICE)


def ollama_models(roots: tuple[Path, ...]) -> tuple[OllamaModel, ...]:
    """All models with their weights present, by name; unreadable manifests are passed over."""
    found: dict[str, OllamaModel] = {}
    for root in roots:
        for manifest in sorted(root.glob("manifests/*/*/*/*")):
            model = _read(root, manifest)
            if model is not None:
                found.setdefault(model.name, model)
    return tuple(sorted(found.values(), key=lambda model: model.name))


def find_ollama(name: str, models: tuple[OllamaModel, ...]) -> OllamaModel | None:
    """The model Ollama would take for `name`: without a tag, `latest`."""
    wanted = name.casefold()
    if ":" not in wanted:
        wanted += ":latest"
    return next((model for model in models if model.name.casefold() == wanted), None)


def _read(root: Path, path: Path) -> OllamaModel | None:
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            return None
        manifest = _Manifest.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None
    owner, name, tag = path.parts[-3:]
    for layer in manifest.layers:
        digest = re.fullmatch(r"sha256:([0-9a-f]{64})", layer.digest)
        if layer.mediaType != _WEIGHTS or digest is None:
            continue
        blob = root / "blobs" / f"sha256-{digest[1]}"
        try:
            size = blob.stat().st_size
        except OSError:
            return None
        full = f"{name}:{tag}" if owner == "library" else f"{owner}/{name}:{tag}"
        return OllamaModel(full, blob, size, digest[1])
    return None
