"""Reading the head of a GGUF file: metadata, tensor list, and whether the file is whole.

Owns the format. Must not know what any key means to the agent, and loads no weights.

The numbers in a file are claims of a stranger: every count and length is checked against the
bytes that are left before anything is read or reserved.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from agent.errors import ModelFileError

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]

_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_STRING, _ARRAY = 8, 9
_U32, _U64 = _SCALARS[4], _SCALARS[10]

_KEPT = 1024
"""Longer arrays (vocabularies, merges) are stepped over; only their length is kept."""
_MIN_PAIR = 8 + 4 + 1
_MIN_TENSOR = 8 + 4 + 4 + 8
_MAX_DIMENSIONS = 4
_MAX_COUNT = 1 << 24
"""No count in a real file comes near; in a sparse file it bounds the time a lie can cost."""

_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
}
"""ggml tensor type: (values in a block, bytes of a block)."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the file lists it."""

    name: str
    dimensions: tuple[int, ...]
    type: int
    """ggml's number of the quantisation."""
    offset: int
    """Bytes from the start of the data section."""

    @property
    def values(self) -> int:
        count = 1
        for size in self.dimensions:
            count *= size
        return count

    @property
    def size(self) -> int:
        """Bytes; 0 for a type this reader does not know."""
        values, width = _BLOCKS.get(self.type, (1, 0))
        return -(-self.values // values) * width


@dataclass(frozen=True, slots=True)
class Gguf:
    """The head of a file that has been checked to be whole."""

    path: Path
    size: int
    """Bytes of the file."""
    version: int
    metadata: Mapping[str, Value]
    """Scalars, strings, and arrays of at most 1024 elements."""
    lengths: Mapping[str, int]
    """Elements of every array, long ones included."""
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def parameters(self) -> int:
        """Weights of all tensors together."""
        return sum(tensor.values for tensor in self.tensors)

    def text(self, key: str, default: str = "") -> str:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else default

    def integer(self, key: str, default: int = 0) -> int:
        value = self.metadata.get(key)
        return value if isinstance(value, int) else default

    def integers(self, key: str) -> tuple[int, ...]:
        """An array of integers; empty where the key holds something else."""
        value = self.metadata.get(key)
        if not isinstance(value, tuple):
            return ()
        return tuple(item for item in value if isinstance(item, int))


def read_gguf(path: Path) -> Gguf:
    """Read a file's head.

    Raises:
        ModelFileError: It cannot be opened, is no GGUF, or is shorter than its tensors need.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < 24:
                raise ModelFileError(f"{path} is no GGUF model: {size} bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return _read(path, size, view)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


def _read(path: Path, size: int, view: mmap.mmap) -> Gguf:
    if view[:4] != b"GGUF":
        raise ModelFileError(f"{path} is no GGUF model: it begins with {view[:4]!r}")
    (version,) = _U32.unpack_from(view, 4)
    if version and version & 0xFFFF == 0:
        raise ModelFileError(f"{path} is a big-endian GGUF file, which cannot be used here")
    if version not in (2, 3):
        raise ModelFileError(f"{path} has GGUF version {version}; versions 2 and 3 can be read")
    cursor = _Cursor(path, view, size, 8)
    tensor_count = cursor.count("tensors", _MIN_TENSOR)
    pair_count = cursor.count("metadata entries", _MIN_PAIR)
    metadata: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(pair_count):
        key = cursor.string()
        kind = cursor.u32()
        if kind != _ARRAY:
            metadata[key] = cursor.scalar(kind)
            continue
        length, values = cursor.array(key)
        lengths[key] = length
        if values is not None:
            metadata[key] = values
    tensors = tuple(cursor.tensor() for _ in range(tensor_count))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise cursor.broken(f"general.alignment is {alignment!r}, not a power of two")
    start = -(-cursor.position // alignment) * alignment
    end = max((start + tensor.offset + tensor.size for tensor in tensors), default=start)
    if tensors and end > size:
        raise ModelFileError(
            f"{path} is cut short: its tensors need {end:,} bytes and it has {size:,}; "
            "fetch it again"
        )
    return Gguf(path, size, version, MappingProxyType(metadata), MappingProxyType(lengths), tensors)


class _Cursor:
    """A place in the file that only moves over bytes that are there."""

    def __init__(self, path: Path, view: mmap.mmap, size: int, position: int) -> None:
        self.path = path
        self.view = view
        self.size = size
        self.position = position

    def broken(self, what: str) -> ModelFileError:
        return ModelFileError(f"{self.path} is corrupt or cut short: {what}")

    def take(self, length: int, what: str) -> int:
        """Step over `length` bytes and return where they began."""
        start = self.position
        if length > self.size - start or start > self.size:
            left = max(self.size - start, 0)
            raise self.broken(
                f"{what} at byte {start:,} needs {length:,} bytes and {left:,} are left"
            )
        self.position = start + length
        return start

    def u32(self) -> int:
        number: int = _U32.unpack_from(self.view, self.take(4, "a number"))[0]
        return number

    def u64(self) -> int:
        number: int = _U64.unpack_from(self.view, self.take(8, "a number"))[0]
        return number

    def count(self, what: str, least: int) -> int:
        """A count of things that take at least `least` bytes each."""
        count = self.u64()
        if count > min((self.size - self.position) // least, _MAX_COUNT):
            raise self.broken(f"it claims {count:,} {what}")
        return count

    def string(self) -> str:
        length = self.u64()
        start = self.take(length, "a string")
        return self.view[start : start + length].decode("utf-8", errors="replace")

    def scalar(self, kind: int) -> Scalar:
        if kind == _STRING:
            return self.string()
        layout = _SCALARS.get(kind)
        if layout is None:
            raise self.broken(f"unknown value type {kind} at byte {self.position:,}")
        value: Scalar = layout.unpack_from(self.view, self.take(layout.size, "a value"))[0]
        return value

    def array(self, key: str) -> tuple[int, tuple[Scalar, ...] | None]:
        kind = self.u32()
        if kind == _STRING:
            length = self.count(f"strings in {key}", 8)
            if length <= _KEPT:
                return length, tuple(self.string() for _ in range(length))
            self._skip_strings(length)
            return length, None
        layout = _SCALARS.get(kind)
        if layout is None:
            raise self.broken(f"{key} is an array of the unknown type {kind}")
        length = self.count(f"values in {key}", layout.size)
        start = self.take(length * layout.size, key)
        if length > _KEPT:
            return length, None
        code = layout.format[1:]
        return length, struct.unpack_from(f"<{length}{code}", self.view, start)

    def _skip_strings(self, count: int) -> None:
        # A vocabulary has some 150,000 entries: nothing may happen here but the addition.
        view, position, unpack = self.view, self.position, _U64.unpack_from
        try:
            for _ in range(count):
                position += 8 + unpack(view, position)[0]
        except (struct.error, OverflowError) as error:
            raise self.broken("an array of strings runs past the end") from error
        self.position = position
        self.take(0, "an array of strings")

    def tensor(self) -> Tensor:
        name = self.string()
        rank = self.u32()
        if rank > _MAX_DIMENSIONS:
            raise self.broken(f"tensor {name[:64]!r} has {rank} dimensions")
        dimensions = tuple(self.u64() for _ in range(rank))
        return Tensor(name, dimensions, self.u32(), self.u64())
