"""What this machine has for a model: memory, graphics cards, how fast its memory is.

Owns the looking. Must not know any model, and imports no GPU library before it is asked.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.process import clean_environment

if TYPE_CHECKING:
    import ctypes

GIB = 1 << 30
_UNLIMITED = 1 << 60
_APPLE_SHARE = 0.75
"""The part of unified memory that macOS lets the GPU hold by default."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics card, or the GPU's share of unified memory."""

    name: str
    total: int
    """Bytes."""
    free: int
    """Bytes that nobody holds now."""
    unified: bool = False
    """Whether this is the same memory as the processor's."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a plan is made for."""

    memory: int
    """Bytes of RAM, or of the control group's limit where that is less."""
    available: int
    """Bytes of RAM that can be taken without swapping."""
    gpus: tuple[Gpu, ...] = ()
    offload: bool = True
    """Whether the installed llama.cpp can use the cards at all."""

    @property
    def usable_gpus(self) -> tuple[Gpu, ...]:
        return self.gpus if self.offload else ()


def detect() -> Hardware:
    """Look at this machine. Takes milliseconds, some 100 with an NVIDIA driver."""
    total, available = _memory()
    gpus = _nvidia() or _apple(total, available)
    return Hardware(total, available, gpus, _offload_built())


def memory_bandwidth(seconds: float = 0.05, rounds: int = 3) -> float:
    """Bytes a second that this machine's cores read from RAM; the best of some short rounds.

    Whatever else the machine does meanwhile lowers it.
    """
    import ctypes  # 5 ms; only needed to measure

    # Comparing equal blocks only reads, as decoding does, and lets other threads run.
    compare = ctypes.CDLL(None).memcmp
    compare.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    size = 32 << 20
    threads = min(os.cpu_count() or 1, 8)
    kind = ctypes.c_char * size
    pairs = [
        tuple(kind.from_buffer(bytearray(b"\1") * size) for _ in range(2)) for _ in range(threads)
    ]

    def read(pair: tuple[ctypes.Array[ctypes.c_char], ...]) -> float:
        begun, moved = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            compare(ctypes.addressof(pair[0]), ctypes.addressof(pair[1]), size)
            moved += 2 * size
        return moved / (time.perf_counter() - begun)

    with ThreadPoolExecutor(threads) as pool:
        return max(sum(pool.map(read, pairs)) for _ in range(rounds))


def _memory() -> tuple[int, int]:
    if sys.platform == "darwin":
        return _mac_memory()
    return linux_memory(Path("/proc"), Path("/sys/fs/cgroup"))


def linux_memory(proc: Path, cgroups: Path) -> tuple[int, int]:
    """Total and available bytes, the tightest control group above this process included."""
    fields: dict[str, int] = {}
    for line in _text(proc / "meminfo").splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()
        if number and number[0].isdigit():
            fields[name] = int(number[0]) * 1024
    total = fields.get("MemTotal", 0)
    available = fields.get("MemAvailable", fields.get("MemFree", 0))
    for folder in _groups(proc, cgroups):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is None or limit >= _UNLIMITED:
            continue
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes")
        # Cached pages count as used, and go when memory is asked for.
        cached = sum(
            int(line.split()[1])
            for line in _text(folder / "memory.stat").splitlines()
            if line.startswith(("inactive_file ", "active_file "))
        )
        total = min(total, limit)
        available = min(available, max(0, limit - max(0, (used or 0) - cached)))
    return total, available


def _groups(proc: Path, cgroups: Path) -> Iterable[Path]:
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, inside = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = cgroups / "memory" if controllers else cgroups
        folder = top / inside.lstrip("/")
        while True:
            yield folder
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _mac_memory() -> tuple[int, int]:
    total = int(_command("sysctl", "-n", "hw.memsize") or 0)
    page, free = 4096, 0
    for line in _command("vm_stat").splitlines():
        if "page size of" in line:
            page = int(line.split("page size of")[1].split()[0])
        if line.startswith(("Pages free", "Pages inactive", "Pages speculative")):
            free += int(line.rsplit(maxsplit=1)[-1].rstrip("."))
    return total, free * page or total // 2


def _apple(total: int, available: int) -> tuple[Gpu, ...]:
    if sys.platform != "darwin" or os.uname().machine != "arm64":
        return ()
    name = _command("sysctl", "-n", "machdep.cpu.brand_string").strip() or "Apple"
    share = int(total * _APPLE_SHARE)
    return (Gpu(name, share, min(share, available), unified=True),)


def _nvidia() -> tuple[Gpu, ...]:
    try:
        # loads the driver's library; only needed to look for cards
        import pynvml  # type: ignore[import-untyped]
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    found = []
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            name = pynvml.nvmlDeviceGetName(handle)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found.append(Gpu(str(name), int(memory.total), int(memory.free)))
    except pynvml.NVMLError:
        # A card in an error state, or one that shares host memory and reports none.
        return tuple(found)
    finally:
        pynvml.nvmlShutdown()
    return tuple(found)


def _offload_built() -> bool:
    """Whether the installed llama.cpp has a GPU backend, judged by its files: no import."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return False
    backends = ("cuda", "metal", "vulkan", "hip", "sycl")
    folder = Path(spec.origin).parent / "lib"
    return any(path for backend in backends for path in folder.glob(f"*ggml-{backend}*"))


def _command(*argv: str) -> str:
    try:
        return subprocess.run(
            argv,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
