"""What is installed, and how it starts: the wheel's contents, the launcher, the build settings."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = 'raise SystemExit("the working directory was imported")\n'


def build_settings(cpu_info: str, cuda_compiler: str | None, **environ: str) -> dict[str, str]:
    """What `requirements/build_settings.py` would give uv, read back as uv reads it."""
    namespace: dict[str, object] = {"__name__": "build_settings"}
    source = ROOT / "requirements" / "build_settings.py"
    exec(compile(source.read_text(), source, "exec"), namespace)
    settings, as_toml = namespace["settings"], namespace["as_toml"]
    assert callable(settings)
    assert callable(as_toml)
    read = tomllib.loads(as_toml(settings(cpu_info, cuda_compiler, environ)))
    chosen: dict[str, str] = read["config-settings-package"]["llama-cpp-python"]
    return chosen


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose modules are named as ours and as those we use."""
    for name in ("agent", "tools", "tui"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE)
    for name in ("click", "pydantic", "cli", "platformdirs"):
        (tmp_path / f"{name}.py").write_text(HOSTILE)
    return tmp_path


def start(cwd: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Start the command as its console script does."""
    script = (
        f"import sys; sys.path.append({str(ROOT)!r}); sys.argv = ['agent', '--help'];"
        "from parity_launcher import main; main()"
    )
    return subprocess.run(
        [sys.executable, *options, "-c", script],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python_path", ["", ".", "..", ":."])
def test_a_hostile_working_folder_runs_no_code(hostile: Path, python_path: str) -> None:
    environ = {"PYTHONPATH": python_path} if python_path else {}
    run = start(hostile, **environ)
    assert run.returncode == 0, run.stderr
    assert "Usage: agent" in run.stdout


def test_our_own_packages_win_against_any_python_path(hostile: Path, tmp_path: Path) -> None:
    for name in ("click", "pydantic", "cli", "platformdirs"):  # what a user points to is theirs
        (hostile / f"{name}.py").unlink()
    run = start(ROOT, PYTHONPATH=str(hostile))
    assert run.returncode == 0, run.stderr


def test_it_starts_within_its_own_folder() -> None:
    assert start(ROOT, PYTHONPATH=".").returncode == 0


def test_it_starts_where_the_working_folder_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); import sys; sys.path.insert(0, {str(ROOT)!r});"
    script += "sys.argv = ['agent', '--help']; from parity_launcher import main; main()"
    run = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=gone, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.append({str(ROOT)!r}); sys.argv = ['agent', '--help']\n"
        "from parity_launcher import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    heavy = {"textual", "anthropic", "llama_cpp", "llguidance", "numpy", "git", "pytest", "jinja2"}
    assert not heavy & set(run.stderr.split())


def test_the_first_frame_waits_for_nothing_heavy() -> None:
    script = f"import sys; sys.path.append({str(ROOT)!r}); import tui.app; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/"
    )
    heavy = {"pydantic", "tools.base", "agent.conversation", "markdown_it", "pygments", "git"}
    assert not heavy & set(run.stdout.split())


def test_plain_machines_are_built_for_natively_and_without_a_gpu() -> None:
    chosen = build_settings("flags : fpu avx2 avx512f", None)
    assert not [name for name in chosen if "FLAGS" in name or "GGML" in name]
    assert chosen["cmake.define.LLAMA_BUILD_COMMON"] == "OFF"


def test_machines_with_amx_get_all_three_flags_and_keep_the_users() -> None:
    chosen = build_settings("flags : fpu amx_bf16 avx512f amx_tile amx_int8", None, CFLAGS='-D"a"')
    flags = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
    assert chosen["cmake.define.CMAKE_C_FLAGS"] == f'-D"a" {flags}'
    assert chosen["cmake.define.CMAKE_CXX_FLAGS"] == flags


def test_a_cuda_compiler_is_used() -> None:
    chosen = build_settings("", "/opt/cuda/bin/nvcc")
    assert chosen["cmake.define.GGML_CUDA"] == "ON"
    assert chosen["cmake.define.CMAKE_CUDA_COMPILER"] == "/opt/cuda/bin/nvcc"


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    assert {lock.name for lock in locks} == {"uv.lock", "build.lock", "dev.lock"}
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert packages
        assert all("--hash=sha256:" in package for package in packages)


def test_the_lock_holds_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *project["dependency-groups"]["dev"],
    ]
    locked = set(
        re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/dev.lock").read_text(), re.MULTILINE)
    )
    names = {re.split(r"[^A-Za-z0-9-]", entry, maxsplit=1)[0] for entry in declared}
    assert names <= locked
