"""A model's shape: what its memory and its speed depend on, read from its metadata.

Owns the bytes of weights, cache, state and buffers. Must not know how much memory there is.

- Cache per token = Σ over attention layers heads × (key + value) × bytes of the cache's type.
- Compute buffer = 512 (llama.cpp's physical batch) × 4 × (vocabulary + embedding): the logits of
  a batch and its activations; 307 MiB for Qwen2.5-32B, as measured. It assumes flash attention,
  without which attention scores for the whole context come on top.

Assumptions where the metadata leaves a choice, each on the side of more memory: sliding windows
are kept at full length (llama.cpp's `swa_full`, its default, so that a prefix can be cut back)
unless the caller says otherwise; compressed attention (MLA) is counted as the keys and values that
the file names; draft layers for multi-token prediction hold weights and no cache.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import ModelFileError
from agent.models.gguf import Gguf

BATCH = 512
"""llama.cpp's n_ubatch: tokens evaluated at once."""

_UNSTATED_CONTEXT = 4096
"""Taken where a file does not say what it was trained for."""
_MOST_BLOCKS = 4096

_WINDOW_EVERY = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4}
"""Architecture: every n-th layer sees everything, the others a window."""


class KvType(StrEnum):
    """How the attention cache is stored."""

    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"

    @property
    def width(self) -> float:
        """Bytes of one value."""
        return {"f16": 2.0, "q8_0": 1.0625, "q4_0": 0.5625}[self.value]


@dataclass(frozen=True, slots=True)
class Cache:
    """Attention layers that share a cache's shape."""

    layers: int
    heads: int
    """Key-value heads."""
    key: int
    """Values of one head's key."""
    value: int
    window: int = 0
    """Tokens a layer looks back; 0 for all."""

    def bytes(self, kv: KvType) -> float:
        """Of one token."""
        return self.layers * self.heads * (self.key + self.value) * kv.width


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's memory depends on."""

    weights: int
    """Bytes of the file."""
    active: int
    """Bytes read for one token: less than `weights` in a mixture of experts."""
    blocks: int
    """Layers, those without attention included."""
    caches: tuple[Cache, ...]
    context: int
    """Tokens the model was trained for."""
    embedding: int
    vocabulary: int
    state: int = 0
    """Bytes of recurrent state, whatever the context."""

    @property
    def buffers(self) -> int:
        """Bytes of the compute buffer."""
        return BATCH * 4 * (self.vocabulary + self.embedding)

    def cache(self, context: int, kv: KvType, *, windowed: bool = False) -> int:
        """Bytes that `context` tokens take in the cache, recurrent state included."""
        total = float(self.state)
        for cache in self.caches:
            tokens = min(context, cache.window + BATCH) if windowed and cache.window else context
            total += cache.bytes(kv) * tokens
        return int(total)

    def per_token(self, kv: KvType) -> int:
        """Bytes that one more token takes while no window is full."""
        return int(sum(cache.bytes(kv) for cache in self.caches))


def shape_of(gguf: Gguf) -> Shape:
    """Read a model's shape from its metadata and tensor list.

    Raises:
        ModelFileError: The file holds something else than a language model.
    """
    arch = gguf.architecture
    blocks = gguf.integer(f"{arch}.block_count")
    embedding = gguf.integer(f"{arch}.embedding_length")
    vocabulary = gguf.lengths.get("tokenizer.ggml.tokens") or gguf.integer(f"{arch}.vocab_size")
    if not 0 < blocks <= _MOST_BLOCKS or embedding <= 0 or not vocabulary:
        raise ModelFileError(
            f"{gguf.path} is no language model: {arch or 'no architecture'}, {blocks} layers, "
            f"embedding {embedding}, {vocabulary} tokens"
        )
    attending = _attending(gguf, arch, blocks)
    weights = _weights(gguf)
    return Shape(
        weights=weights,
        active=_active(gguf, arch) or weights,
        blocks=blocks,
        caches=_caches(gguf, arch, attending),
        context=gguf.integer(f"{arch}.context_length") or _UNSTATED_CONTEXT,
        embedding=embedding,
        vocabulary=vocabulary,
        state=_state(gguf, arch) * (blocks - len(attending)),
    )


def _attending(gguf: Gguf, arch: str, blocks: int) -> tuple[tuple[int, int], ...]:
    """(layer, key-value heads) of the layers that keep an attention cache."""
    blocks -= gguf.integer(f"{arch}.nextn_predict_layers")
    heads = gguf.integer(f"{arch}.attention.head_count")
    key = f"{arch}.attention.head_count_kv"
    listed = gguf.integers(key)
    every = gguf.integer(f"{arch}.full_attention_interval", 1) or 1
    single = gguf.integer(key) or heads
    found = []
    for layer in range(blocks):
        count = listed[layer] if layer < len(listed) else single
        if count and (listed or (layer + 1) % every == 0):
            found.append((layer, count))
    return tuple(found)


def _caches(gguf: Gguf, arch: str, attending: tuple[tuple[int, int], ...]) -> tuple[Cache, ...]:
    heads = gguf.integer(f"{arch}.attention.head_count") or 1
    head = gguf.integer(f"{arch}.embedding_length") // heads
    key = gguf.integer(f"{arch}.attention.key_length") or head
    value = gguf.integer(f"{arch}.attention.value_length") or head
    window = gguf.integer(f"{arch}.attention.sliding_window")
    pattern = gguf.integers(f"{arch}.attention.sliding_window_pattern")
    every = _WINDOW_EVERY.get(arch, 0)
    groups: dict[tuple[int, int], int] = {}
    for layer, count in attending:
        slides = bool(pattern[layer]) if layer < len(pattern) else every and (layer + 1) % every
        group = (count, window if slides else 0)
        groups[group] = groups.get(group, 0) + 1
    return tuple(Cache(layers, count, key, value, seen) for (count, seen), layers in groups.items())


def _state(gguf: Gguf, arch: str) -> int:
    """Bytes of one recurrent layer's state: its convolution's tail and its memory, in f32."""
    inner = gguf.integer(f"{arch}.ssm.inner_size")
    size = gguf.integer(f"{arch}.ssm.state_size")
    groups = gguf.integer(f"{arch}.ssm.group_count")
    tail = max(gguf.integer(f"{arch}.ssm.conv_kernel") - 1, 0)
    return 4 * (tail * (inner + 2 * groups * size) + inner * size)


def _active(gguf: Gguf, arch: str) -> int:
    """Bytes of the tensors that one token reads: of the experts, only those it is sent to."""
    experts = gguf.integer(f"{arch}.expert_count")
    share = gguf.integer(f"{arch}.expert_used_count") / experts if experts else 1.0
    tied = all(tensor.name != "output.weight" for tensor in gguf.tensors)
    total = 0.0
    for tensor in gguf.tensors:
        if tensor.name == "token_embd.weight" and not tied:
            continue  # one row of it is read
        total += tensor.size * (share if "_exps." in tensor.name else 1.0)
    return int(total)


def _weights(gguf: Gguf) -> int:
    """Bytes of the file, and of its sisters where it is the first of several."""
    if gguf.integer("split.count") < 2:
        return gguf.size
    sisters = re.sub(r"-\d{5}-of-", "-*-of-", gguf.path.name)
    return sum(path.stat().st_size for path in gguf.path.parent.glob(sisters))
