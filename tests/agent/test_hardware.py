from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from agent.hardware import GIB, detect, linux_memory, memory_bandwidth


def system(tmp_path: Path, cgroup: str) -> tuple[Path, Path]:
    """A /proc with 16 GiB, 12 of them available, and an empty tree of control groups."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    groups.mkdir()
    return proc, groups


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    proc, groups = system(tmp_path, "0::/user\n")
    (groups / "user").mkdir()
    (groups / "user" / "memory.max").write_text("max\n")
    assert linux_memory(proc, groups) == (16 * GIB, 12 * GIB)


def test_the_tightest_group_above_counts_and_its_cache_is_free(tmp_path: Path) -> None:
    proc, groups = system(tmp_path, "0::/box/inner\n")
    (groups / "box" / "inner").mkdir(parents=True)
    (groups / "box" / "memory.max").write_text(f"{4 * GIB}\n")
    (groups / "box" / "memory.current").write_text(f"{3 * GIB}\n")
    (groups / "box" / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\nactive_file 0\n")
    assert linux_memory(proc, groups) == (4 * GIB, 2 * GIB)


def test_the_first_version_of_groups(tmp_path: Path) -> None:
    proc, groups = system(tmp_path, "5:cpu:/x\n4:memory:/box\n0::/\n")
    (groups / "memory" / "box").mkdir(parents=True)
    (groups / "memory" / "box" / "memory.limit_in_bytes").write_text(f"{2 * GIB}\n")
    (groups / "memory" / "box" / "memory.usage_in_bytes").write_text(f"{GIB}\n")
    (groups / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert linux_memory(proc, groups) == (2 * GIB, GIB)


def test_this_machine() -> None:
    hardware = detect()
    assert 0 < hardware.available <= hardware.memory
    assert replace(hardware, offload=False).usable_gpus == ()


def test_bandwidth_is_measured() -> None:
    assert memory_bandwidth(0.01, 1) > 1e8


def test_looking_imports_no_gpu_library_before_it_is_asked() -> None:
    code = "import sys, agent.hardware; print(sorted({'pynvml', 'ctypes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
