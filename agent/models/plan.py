"""What fits: the context a memory affords, how to load a file here, the speed to expect.

Owns the decision. Must not know the catalogue, load a model, or look at the machine.

Memory = weights + cache per token × context + recurrent state + compute buffer + overhead; see
`agent.models.shape` for the first four. The overhead on a GPU is 512 MiB for the driver's context
and kernels and 512 MiB for a desktop and fragments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.errors import ModelTooBig
from agent.hardware import GIB, Hardware
from agent.models.gguf import read_gguf
from agent.models.shape import KvType, Shape, shape_of

MIB = 1 << 20
GPU_OVERHEAD = 1024 * MIB
CPU_OVERHEAD = 256 * MIB
STEP = 1024
"""Contexts are planned in multiples of this many tokens."""
LEAST_CONTEXT = 4096
"""Fewer tokens than this hold no task; a model that affords fewer does not fit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One model in one memory."""

    fits: bool
    context: int
    """The most tokens it affords; 0 when not even the weights fit."""
    kv_type: KvType
    weights: int
    per_token: int
    buffers: int
    needed: int
    """Bytes for `context` tokens, or for the least context where it does not fit."""
    available: int
    decode_ceiling: float | None
    """Tokens a second that the memory's bandwidth allows with an empty context."""
    decode_full: float | None
    """The same with the context full."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How to load one file on this machine."""

    context: int
    gpu_layers: int
    """Layers on the GPU: -1 for all, 0 for none."""
    kv_type: KvType
    needed: int
    """Bytes, on the GPU where there are layers on it."""
    available: int


def plan(
    shape: Shape,
    memory: int,
    bandwidth: float | None = None,
    kv_type: KvType = KvType.F16,
    *,
    overhead: int = GPU_OVERHEAD,
    windowed: bool = False,
) -> Plan:
    """Plan a model wholly in `memory` bytes that are read at `bandwidth` bytes a second."""
    context = _affordable(shape, memory - overhead, kv_type, windowed)
    least = min(LEAST_CONTEXT, shape.context)
    fits = context >= least
    cache = shape.cache(context if fits else least, kv_type, windowed=windowed)
    ceiling = full = None
    if bandwidth:
        ceiling = bandwidth / shape.active
        full = bandwidth / (shape.active + cache) if fits else None
    return Plan(
        fits,
        context,
        kv_type,
        shape.weights,
        shape.per_token(kv_type),
        shape.buffers,
        shape.weights + shape.buffers + cache + overhead,
        memory,
        ceiling,
        full,
    )


def _affordable(shape: Shape, memory: int, kv: KvType, windowed: bool = False) -> int:
    """The longest context, in steps, whose cache fits beside weights and buffers."""
    room = memory - shape.weights - shape.buffers
    if room <= 0:
        return 0
    low, high = 0, -(-shape.context // STEP)
    while low < high:
        middle = (low + high + 1) // 2
        if shape.cache(middle * STEP, kv, windowed=windowed) <= room:
            low = middle
        else:
            high = middle - 1
    return min(low * STEP, shape.context)


def fit(path: Path, hardware: Hardware, wanted_context: int = 0) -> Fit:
    """Decide how to load a file; see `fit_shape`.

    Raises:
        ModelFileError: The file is no whole GGUF.
        ModelTooBig: It does not fit; the message has the numbers.
    """
    return fit_shape(shape_of(read_gguf(path)), hardware, wanted_context, name=path.name)


def fit_shape(shape: Shape, hardware: Hardware, wanted_context: int = 0, *, name: str) -> Fit:
    """Choose context, layers on the GPU and cache type.

    In this order: all on the GPU with the wanted context in f16, then in q8_0; all on the GPU
    with less context, down to half of it; some layers on the GPU and the rest in RAM; RAM alone,
    with as much of the context as it affords.

    Args:
        wanted_context: Tokens; 0 for all the model was trained for.
    """
    wanted = min(wanted_context or shape.context, shape.context)
    gpus = hardware.usable_gpus
    memory = sum(gpu.free for gpu in gpus)
    overhead = GPU_OVERHEAD * len(gpus)
    if gpus:
        for kv in (KvType.F16, KvType.Q8_0):
            if _affordable(shape, memory - overhead, kv) >= wanted:
                return Fit(wanted, -1, kv, _needed(shape, wanted, kv, overhead), memory)
        context = _affordable(shape, memory - overhead, KvType.Q8_0)
        if context >= max(wanted // 2, min(LEAST_CONTEXT, wanted)):
            needed = _needed(shape, context, KvType.Q8_0, overhead)
            return Fit(context, -1, KvType.Q8_0, needed, memory)
    unified = any(gpu.unified for gpu in gpus)
    on_gpu = 0 if unified else max(0, memory - overhead - shape.buffers)
    context = min(
        wanted, _affordable(shape, hardware.available + on_gpu - CPU_OVERHEAD, KvType.F16)
    )
    if context < min(LEAST_CONTEXT, wanted):
        raise _too_big(shape, hardware, min(LEAST_CONTEXT, wanted), name)
    layer = (shape.weights + shape.cache(context, KvType.F16)) // (shape.blocks + 1)
    layers = min(on_gpu // max(layer, 1), shape.blocks)
    if layers:
        needed = layers * layer + shape.buffers + overhead
        return Fit(context, layers, KvType.F16, needed, memory)
    needed = _needed(shape, context, KvType.F16, CPU_OVERHEAD)
    return Fit(context, 0, KvType.F16, needed, hardware.available)


def _needed(shape: Shape, context: int, kv: KvType, overhead: int) -> int:
    return shape.weights + shape.buffers + shape.cache(context, kv) + overhead


def _too_big(shape: Shape, hardware: Hardware, context: int, name: str) -> ModelTooBig:
    needed = _needed(shape, context, KvType.F16, CPU_OVERHEAD)
    gpus = ", ".join(f"{gpu.free / GIB:.1f} GiB on {gpu.name}" for gpu in hardware.usable_gpus)
    places = f"{hardware.available / GIB:.1f} GiB of RAM" + (f" and {gpus}" if gpus else "")
    return ModelTooBig(
        f"{name} needs {needed / GIB:.1f} GiB for {context:,} tokens of context and there are "
        f"{places} available; `agent models plan` shows what fits"
    )
