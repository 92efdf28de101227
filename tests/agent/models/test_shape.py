from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ModelFileError
from agent.models.gguf import read_gguf
from agent.models.shape import Cache, KvType, shape_of
from tests.agent.models.gguf_files import language_model, write_gguf


def test_a_dense_file(tmp_path: Path) -> None:
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", language_model())))
    assert shape.caches == (Cache(4, 2, 16, 16),)
    assert (shape.context, shape.embedding, shape.vocabulary) == (8192, 64, 32)
    assert shape.weights == (tmp_path / "m.gguf").stat().st_size


def test_a_hybrid_caches_only_its_attention_layers(tmp_path: Path) -> None:
    metadata = language_model(
        "qwen35",
        block_count=9,
        nextn_predict_layers=1,
        full_attention_interval=4,
        attention__key_length=256,
        attention__value_length=256,
        ssm__inner_size=64,
        ssm__state_size=16,
        ssm__group_count=2,
        ssm__conv_kernel=4,
    )
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata)))
    assert shape.caches == (Cache(2, 2, 256, 256),)
    assert shape.state == 7 * 4 * (3 * (64 + 2 * 2 * 16) + 64 * 16)
    assert shape.cache(0, KvType.F16) == shape.state


def test_heads_listed_by_layer(tmp_path: Path) -> None:
    metadata = language_model("hybrid", attention__head_count_kv=[2, 0, 4, 2])
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata)))
    assert sorted((cache.layers, cache.heads) for cache in shape.caches) == [(1, 4), (2, 2)]


def test_windows_count_in_full_unless_asked(tmp_path: Path) -> None:
    metadata = language_model("gpt-oss", attention__sliding_window=128)
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata)))
    assert sorted((cache.layers, cache.window) for cache in shape.caches) == [(2, 0), (2, 128)]
    whole = shape.cache(8192, KvType.F16)
    assert whole == shape.per_token(KvType.F16) * 8192
    assert shape.cache(8192, KvType.F16, windowed=True) == whole // 2 + whole // 2 * 640 // 8192


def test_a_window_that_llama_cpp_ignores_changes_nothing(tmp_path: Path) -> None:
    metadata = language_model("llama", attention__sliding_window=128)
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata)))
    assert [cache.window for cache in shape.caches] == [0]


def test_experts_that_a_token_skips_are_not_read(tmp_path: Path) -> None:
    metadata = language_model("moe", expert_count=8, expert_used_count=2)
    tensors = [
        ("token_embd.weight", (64, 32)),
        ("blk.0.ffn_up_exps.weight", (64, 64, 8)),
        ("output.weight", (64, 32)),
    ]
    shape = shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata, tensors)))
    assert shape.active == 64 * 64 * 8 * 4 // 4 + 64 * 32 * 4


def test_a_projector_is_no_language_model(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "clip"})
    with pytest.raises(ModelFileError, match="no language model"):
        shape_of(read_gguf(path))


def test_absurd_layer_counts_are_refused(tmp_path: Path) -> None:
    metadata = language_model(block_count=4_000_000_000)
    with pytest.raises(ModelFileError, match="layers"):
        shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata)))


def test_split_files_weigh_together(tmp_path: Path) -> None:
    metadata = language_model() | {"split.count": 2}
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", metadata)
    (tmp_path / "m-00002-of-00002.gguf").write_bytes(b"x" * 1000)
    assert shape_of(read_gguf(first)).weights == first.stat().st_size + 1000
