"""Models laid down on disk as Ollama does it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def add_model(root: Path, owner: str, name: str, tag: str, weights: bytes) -> Path:
    """Store `weights` under a name; the path is that of the blob."""
    digest = hashlib.sha256(weights).hexdigest()
    blobs = root / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    blob = blobs / f"sha256-{digest}"
    blob.write_bytes(weights)
    manifest = root / "manifests" / "registry.example" / owner / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "0" * 64},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob
