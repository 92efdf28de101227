"""Which models are known, where a model's file is, and what the harness makes of it.

Owns names: of the catalogue, of files, of what Ollama holds. Must not fetch, load or plan beyond
asking whether something fits.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter

from agent.errors import ModelMissing
from agent.hardware import Hardware
from agent.models.base import EditFormat, ModelSpec, Steering
from agent.models.entry import Entry
from agent.models.gguf import Gguf, read_gguf
from agent.models.ollama import find_ollama, ollama_models, ollama_roots
from agent.models.plan import GPU_OVERHEAD, plan
from agent.models.shape import KvType, shape_of

EMBEDDED = "qwen2.5-coder-1.5b"
DEFAULT_CONTEXT = 16384
"""Tokens a model must afford on the GPU to become the default there."""
WEAK = 8_000_000_000
"""Up to this many parameters a model is guided and writes whole symbols."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model's file and how to use it."""

    path: Path
    spec: ModelSpec
    entry: Entry | None
    """None for a file the catalogue does not know."""


def models_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where weights are kept: PARITY_MODELS, or the user's data folder."""
    if chosen := environ.get("PARITY_MODELS"):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path  # 5 ms; only needed without PARITY_MODELS

    return user_data_path("parity") / "models"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All known models and the places their files may be."""

    entries: tuple[Entry, ...]
    folder: Path
    """Where fetched weights are."""
    ollama: tuple[Path, ...] = ()
    """Folders of Ollama's to look in."""

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Catalogue:
        text = files("agent.models").joinpath("catalogue.toml").read_text("utf-8")
        return cls(parse(text), models_folder(environ), ollama_roots(environ))

    @property
    def embedded(self) -> Entry:
        return self.find(EMBEDDED)

    def find(self, name: str) -> Entry:
        """The entry of this name or alias, whatever its case.

        Raises:
            ModelMissing: There is none; near misses are named.
        """
        wanted = name.casefold()
        for entry in self.entries:
            if wanted == entry.name or wanted in entry.aliases:
                return entry
        names = [known for entry in self.entries for known in (entry.name, *entry.aliases)]
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`agent models list` shows all."
        raise ModelMissing(f"There is no model named {name!r}: {hint}")

    def on_disk(self, entry: Entry) -> Path | None:
        """The entry's file, fetched here or by Ollama."""
        path = entry.path(self.folder)
        if path.is_file():
            return path
        if entry.sha256:
            for root in self.ollama:
                blob = root / "blobs" / f"sha256-{entry.sha256}"
                if blob.is_file():
                    return blob
        return None

    def resolve(self, text: str) -> Resolved:
        """Find a model by the catalogue's name, a path, `ollama:NAME`, or Ollama's name.

        Raises:
            ModelMissing: Nothing of that name is on this machine; the message says what to do.
            ModelFileError: The file named is no model.
        """
        if text.casefold().startswith("ollama:"):
            return self._from_ollama(text.partition(":")[2])
        path = Path(text).expanduser()
        if path.suffix.casefold() == ".gguf" or os.sep in text:
            if not path.is_file():
                raise ModelMissing(f"There is no file {text}.")
            return self.of_file(path)
        try:
            entry = self.find(text)
        except ModelMissing:
            if (local := self.folder / f"{text}.gguf").is_file():
                return self.of_file(local)
            if find_ollama(text, ollama_models(self.ollama)) is not None:
                return self._from_ollama(text)
            raise
        found = self.on_disk(entry)
        if found is None:
            raise ModelMissing(
                f"{entry.name} is not on this machine; `agent models pull {entry.name}` fetches "
                f"{entry.size / 1e9:.1f} GB"
            )
        return Resolved(found, entry.spec, entry)

    def of_file(self, path: Path) -> Resolved:
        """What to make of any GGUF file: the catalogue's entry it is, or a guess by its size."""
        gguf = read_gguf(path)
        for entry in self.entries:
            if path.name == entry.file or _same_model(gguf, entry):
                return Resolved(path, entry.spec, entry)
        weak = gguf.parameters <= WEAK
        spec = ModelSpec(
            name=gguf.text("general.name") or path.stem,
            context=shape_of(gguf).context,
            steering=Steering.GUIDED if weak else Steering.FREE,
            edit_format=EditFormat.SYMBOL if weak else EditFormat.SEARCH_REPLACE,
        )
        return Resolved(path, spec, None)

    def default_for(self, hardware: Hardware) -> Entry:
        """The best that fits the GPU, one that is here before one to fetch; else the embedded."""
        embedded = self.embedded
        best = sorted(
            (entry for entry in self.entries if entry.rank > embedded.rank),
            key=lambda entry: (self.on_disk(entry) is not None, entry.rank),
            reverse=True,
        )
        return next((entry for entry in best if fits_gpu(entry, hardware)), embedded)

    def _from_ollama(self, name: str) -> Resolved:
        models = ollama_models(self.ollama)
        model = find_ollama(name, models)
        if model is None:
            near = difflib.get_close_matches(name, [known.name for known in models], n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"`ollama pull {name}`"
            raise ModelMissing(f"Ollama has no model named {name!r} on this disk; {hint}")
        for entry in self.entries:
            if entry.sha256 == model.sha256:
                return Resolved(model.path, entry.spec, entry)
        return self.of_file(model.path)


def fits_gpu(entry: Entry, hardware: Hardware) -> bool:
    """Whether all of it fits the cards with a context worth working in."""
    gpus = hardware.usable_gpus
    if not gpus:
        return False
    memory = sum(gpu.free for gpu in gpus)
    planned = plan(entry.shape, memory, kv_type=KvType.Q8_0, overhead=GPU_OVERHEAD * len(gpus))
    return planned.context >= min(DEFAULT_CONTEXT, entry.measures.context)


def parse(text: str) -> tuple[Entry, ...]:
    """Read a catalogue's TOML."""
    rows = tomllib.loads(text).get("model", [])
    for row in rows:
        row["measures"] = row.pop("shape", None)
    return TypeAdapter(tuple[Entry, ...]).validate_python(rows)


def _same_model(gguf: Gguf, entry: Entry) -> bool:
    """Whether a file of another name, maker or quantisation is this model.

    The name it gives itself must match, and its parameters within a third (embeddings are counted
    by some and not by others): a name alone is
    copied too easily from one size to the next.
    """
    name = _plain(gguf.text("general.name"))
    if not name or name not in {_plain(known) for known in entry.general_names}:
        return False
    return abs(gguf.parameters / 1e9 - entry.parameters) <= 0.35 * entry.parameters


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", " ", name.casefold()).strip()
