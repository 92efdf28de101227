"""How many threads a model is worth on this machine. Must not know llama.cpp."""

from __future__ import annotations

import os

_USEFUL_THREADS = 16
"""More only wait for each other: memory is the limit by then."""


def physical_cores() -> int:
    """Cores this process may use, hyper-threads counted once and a container's quota obeyed."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:
        return max(1, (os.cpu_count() or 2) // 2)
    cores = set()
    for cpu in allowed:
        folder = f"/sys/devices/system/cpu/cpu{cpu}/topology"
        try:
            with open(f"{folder}/thread_siblings_list", encoding="ascii") as file:
                cores.add(file.read().strip())
        except OSError:
            cores.add(str(cpu))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        limit = max(1, int(quota) // int(period)) if quota != "max" else len(cores)
    except (OSError, ValueError):
        limit = len(cores)
    return max(1, min(len(cores), limit, _USEFUL_THREADS))
