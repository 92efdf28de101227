"""Writes the settings with which llama-cpp-python is compiled for the machine this runs on.

The only place that knows them: every way of installing gives the file to uv (`--config-file`).
The file changes only when a setting does. Uses nothing but the standard library, because it
runs before there is anything else.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
CUDA_COMPILER = "/usr/local/cuda/bin/nvcc"
NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

LIBRARY_ONLY = {
    "BUILD_SHARED_LIBS": "ON",
    "LLAMA_BUILD_COMMON": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_TOOLS": "OFF",
    "CMAKE_INSTALL_LIBDIR": "llama_cpp/lib",
    "CMAKE_INSTALL_INCLUDEDIR": "llama_cpp/include",
    "CMAKE_INSTALL_RPATH": "@loader_path" if sys.platform == "darwin" else "$ORIGIN",
}
"""Only llama.cpp's library, put where the Python package looks for it. The package's own build
compiles llama.cpp's utilities and vision too, which nothing here calls: more than half the time."""


def settings(
    cpu_info: str, cuda_compiler: str | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Settings of the build, by their names in scikit-build-core.

    Args:
        cpu_info: The text of /proc/cpuinfo; empty where there is none.
        cuda_compiler: The path of nvcc when a CUDA build can be made and loaded, else None.
        environ: The environment, for the user's own compiler flags.
    """
    chosen = dict(LIBRARY_ONLY)
    if "amx_tile" in cpu_info.split():
        # The AMX kernels crash when an older gcc compiled them. The flags keep the rest of what
        # the processor has; AVX2 alone reads a prompt less than half as fast.
        chosen["CMAKE_C_FLAGS"] = f"{environ.get('CFLAGS', '')} {NO_AMX}".strip()
        chosen["CMAKE_CXX_FLAGS"] = f"{environ.get('CXXFLAGS', '')} {NO_AMX}".strip()
    if cuda_compiler is not None:
        chosen["GGML_CUDA"] = "ON"
        chosen["GGML_CUDA_NCCL"] = "OFF"  # one card; NCCL would have to be there at run time
        chosen["CMAKE_CUDA_COMPILER"] = cuda_compiler
    defines = {f"cmake.define.{name}": value for name, value in chosen.items()}
    return {"cmake.source-dir": "vendor/llama.cpp", **defines}


def as_toml(chosen: Mapping[str, str]) -> str:
    """A configuration file for uv."""
    quoted = (f'"{name}" = "{_escape(value)}"' for name, value in chosen.items())
    return "\n".join(("[config-settings-package.llama-cpp-python]", *quoted, ""))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def find_cuda_compiler() -> str | None:
    """Where nvcc is. None also without a driver: the library that it makes could not be loaded."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    found = shutil.which("nvcc") or shutil.which(CUDA_COMPILER)
    return os.path.realpath(found) if found else None


def main(target: Path) -> None:
    cpu_info = CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
    text = as_toml(settings(cpu_info, find_cuda_compiler(), os.environ))
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
