"""Small, valid GGUF files for tests, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[bool]


def write_gguf(
    path: Path,
    metadata: Mapping[str, Value],
    tensors: Sequence[tuple[str, tuple[int, ...]]] = (("output.weight", (32, 4)),),
) -> Path:
    """Write a file whose tensors are 32-bit floats filled with zeros."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += string(key) + typed(value)
    offset = 0
    for name, shape in tensors:
        head += string(name) + struct.pack("<I", len(shape))
        head += b"".join(struct.pack("<Q", size) for size in shape)
        head += struct.pack("<IQ", 0, offset)
        offset += -(-size_of(shape) // 32) * 32
    head += b"\0" * (-len(head) % 32)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + offset)  # sparse: a large model takes no disk
    return path


def size_of(shape: tuple[int, ...]) -> int:
    """Bytes of a tensor of 32-bit floats."""
    count = 4
    for size in shape:
        count *= size
    return count


def string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def typed(value: Value) -> bytes:
    match value:
        case str():
            return struct.pack("<I", 8) + string(value)
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
    items: list[object] = list(value)
    if items and isinstance(items[0], str):
        body = b"".join(string(str(item)) for item in items)
        return struct.pack("<IIQ", 9, 8, len(items)) + body
    if items and isinstance(items[0], bool):
        return struct.pack("<IIQ", 9, 7, len(items)) + bytes(bool(item) for item in items)
    body = b"".join(struct.pack("<i", item) for item in items if isinstance(item, int))
    return struct.pack("<IIQ", 9, 5, len(items)) + body


def language_model(arch: str = "qwen2", **more: Value) -> dict[str, Value]:
    """Metadata of a small language model; keyword `a__b` becomes the key `<arch>.a.b`."""
    metadata: dict[str, Value] = {
        "general.architecture": arch,
        "general.name": "Some Model",
        f"{arch}.block_count": 4,
        f"{arch}.context_length": 8192,
        f"{arch}.embedding_length": 64,
        f"{arch}.attention.head_count": 4,
        f"{arch}.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": [f"t{index}" for index in range(32)],
    }
    for key, value in more.items():
        metadata[f"{arch}.{key.replace('__', '.')}"] = value
    return metadata
