from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ModelFileError, ModelTooBig
from agent.hardware import GIB, Gpu, Hardware
from agent.models.plan import fit, fit_shape, plan
from agent.models.shape import Cache, KvType, Shape
from tests.agent.models.gguf_files import language_model, write_gguf

QWEN_32B = Shape(
    weights=19_851_335_840,
    active=19_851_335_840,
    blocks=64,
    caches=(Cache(64, 8, 128, 128),),
    context=32768,
    embedding=5120,
    vocabulary=152064,
)


def machine(ram: float, *cards: float, offload: bool = True) -> Hardware:
    gpus = tuple(Gpu("RTX", int(card * GIB), int(card * GIB)) for card in cards)
    return Hardware(int(ram * GIB), int(ram * GIB), gpus, offload)


def test_the_32b_fits_24_gb_with_about_16k_in_f16() -> None:
    made = plan(QWEN_32B, 24 * GIB, 936e9, KvType.F16)
    assert made.fits
    assert 15_000 <= made.context <= 18_000
    assert made.per_token == 256 * 1024
    assert made.needed <= made.available


def test_the_32b_fits_24_gb_with_28_to_32k_in_q8_0() -> None:
    made = plan(QWEN_32B, 24 * GIB, 936e9, KvType.Q8_0)
    assert 28_000 <= made.context <= 32_768


def test_the_32b_does_not_fit_12_gb() -> None:
    for kind in KvType:
        made = plan(QWEN_32B, 12 * GIB, 360e9, kind)
        assert not made.fits
        assert made.needed > made.available


def test_the_compute_buffer_is_the_measured_one() -> None:
    assert QWEN_32B.buffers // (1 << 20) == 307


def test_the_ceiling_is_bandwidth_over_bytes_read() -> None:
    made = plan(QWEN_32B, 24 * GIB, 936e9)
    assert made.decode_ceiling is not None
    assert made.decode_full is not None
    assert made.decode_ceiling == pytest.approx(47, abs=0.5)
    assert made.decode_full < made.decode_ceiling
    assert plan(QWEN_32B, 24 * GIB).decode_ceiling is None


def test_a_fit_prefers_f16_then_q8_0_then_less_context() -> None:
    small = fit_shape(QWEN_32B, machine(64, 24), 8192, name="m")
    assert (small.context, small.gpu_layers, small.kv_type) == (8192, -1, KvType.F16)
    middle = fit_shape(QWEN_32B, machine(64, 24), 24_000, name="m")
    assert (middle.context, middle.gpu_layers, middle.kv_type) == (24_000, -1, KvType.Q8_0)
    large = fit_shape(QWEN_32B, machine(64, 24), name="m")
    assert large.gpu_layers == -1
    assert 28_000 <= large.context < 32_768


def test_what_a_card_cannot_hold_is_shared_with_the_ram() -> None:
    shared = fit_shape(QWEN_32B, machine(32, 12), 8192, name="m")
    assert 0 < shared.gpu_layers < 64
    assert shared.context == 8192
    assert shared.needed <= shared.available


def test_two_cards_are_one_memory_with_twice_the_overhead() -> None:
    both = fit_shape(QWEN_32B, machine(8, 16, 16), 16_384, name="m")
    assert (both.gpu_layers, both.kv_type) == (-1, KvType.F16)


def test_a_build_without_gpu_support_uses_none() -> None:
    assert fit_shape(QWEN_32B, machine(64, 24, offload=False), name="m").gpu_layers == 0


def test_ram_that_is_short_shortens_the_context() -> None:
    shorter = fit_shape(QWEN_32B, machine(22), name="m")
    assert shorter.gpu_layers == 0
    assert 4096 <= shorter.context < 32_768
    assert shorter.needed <= shorter.available


def test_too_big_names_what_is_needed_and_what_there_is() -> None:
    with pytest.raises(ModelTooBig, match=r"big.gguf needs 20\.\d GiB .* 16\.0 GiB of RAM"):
        fit_shape(QWEN_32B, machine(16), name="big.gguf")


def test_apple_memory_is_counted_once() -> None:
    half = Hardware(16 * GIB, 12 * GIB, (Gpu("Apple M2", 12 * GIB, 12 * GIB, unified=True),))
    with pytest.raises(ModelTooBig):
        fit_shape(QWEN_32B, half, name="m")


def test_a_smaller_trained_context_bounds_the_plan() -> None:
    tiny = replace(QWEN_32B, weights=10**9, context=2048)
    made = plan(tiny, 24 * GIB)
    assert made.fits
    assert made.context == 2048


def test_a_file_is_fitted_by_its_own_shape(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", language_model())
    loaded = fit(path, machine(8), 2048)
    assert (loaded.context, loaded.gpu_layers) == (2048, 0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="cut short"):
        fit(path, machine(8))
