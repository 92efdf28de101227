from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from agent.errors import ModelFileError
from agent.models.gguf import read_gguf
from tests.agent.models.gguf_files import language_model, string, write_gguf


def test_reads_scalars_arrays_and_tensors(tmp_path: Path) -> None:
    metadata = language_model() | {"x.flag": True, "x.rate": 0.5, "x.heads": [2, 0, 2]}
    gguf = read_gguf(write_gguf(tmp_path / "m.gguf", metadata, [("a", (32, 4)), ("b", (8,))]))
    assert gguf.architecture == "qwen2"
    assert gguf.integer("qwen2.block_count") == 4
    assert gguf.metadata["x.flag"] is True
    assert gguf.metadata["x.rate"] == 0.5
    assert gguf.integers("x.heads") == (2, 0, 2)
    assert gguf.parameters == 32 * 4 + 8
    assert [(tensor.name, tensor.offset) for tensor in gguf.tensors] == [("a", 0), ("b", 512)]


def test_a_vocabulary_is_stepped_over_quickly(tmp_path: Path) -> None:
    words = [f"token{index}" for index in range(150_000)]
    path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "x", "v": words, "last": 7})
    begun = time.perf_counter()
    gguf = read_gguf(path)
    assert time.perf_counter() - begun < 2.0
    assert gguf.lengths["v"] == 150_000
    assert "v" not in gguf.metadata
    assert gguf.integer("last") == 7


def test_a_file_cut_in_its_tensors_is_named_with_its_numbers(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", language_model())
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match=f"need {whole:,} bytes and it has {whole - 100:,}"):
        read_gguf(path)


def test_a_file_cut_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    raw = write_gguf(tmp_path / "m.gguf", language_model()).read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in range(0, len(raw) - 1, 7):
        cut.write_bytes(raw[:length])
        with pytest.raises(ModelFileError):
            read_gguf(cut)


HUGE = struct.pack("<Q", 1 << 62)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"PK\3\4" + b"\0" * 40, "no GGUF"),
        (b"GGUF", "no GGUF"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<I", 3) + HUGE + b"\0" * 8, "claims"),
        (b"GGUF" + struct.pack("<IQ", 3, 0) + HUGE + b"\0" * 8, "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + HUGE + b"\0" * 8, "a string"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<II", 9, 8) + HUGE,
            "strings in k",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<II", 9, 4) + HUGE,
            "values in k",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<IQ", 77, 0),
            "unknown value type 77",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<IIQ", 9, 9, 0),
            "unknown type 9",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + string("t") + struct.pack("<IQQ", 9, 1, 1),
            "9 dimensions",
        ),
    ],
)
def test_lies_are_refused_before_anything_is_reserved(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=message):
        read_gguf(path)


def test_lengths_inside_a_long_array_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, 2000)
    path.write_bytes(head + b"\xff" * 16_000)
    with pytest.raises(ModelFileError, match="runs past the end"):
        read_gguf(path)


def test_a_tensor_far_beyond_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    tensor = string("t") + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor + b"\0" * 64)
    with pytest.raises(ModelFileError, match="cut short"):
        read_gguf(path)


def test_an_odd_alignment_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "bad.gguf", {"general.alignment": 3})
    with pytest.raises(ModelFileError, match="power of two"):
        read_gguf(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        read_gguf(tmp_path / "none.gguf")
