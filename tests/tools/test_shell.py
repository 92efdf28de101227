"""Real programs: each must end, with everything it started, and show what it said."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from tools.base import Toolbox
from tools.errors import Cancelled, ToolError
from tools.process import clean_environment, execute
from tools.shell import Run

PY = sys.executable


def python(code: str) -> list[str]:
    return [PY, "-c", code]


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody has reaped yet has."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def test_output_and_exit_code(tmp_path: Path) -> None:
    code = (
        "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.exit(3)"
    )
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert (done.code, done.output, done.timed_out) == (3, "out\nerr\n", False)
    assert done.ending == "exit code 3"


def test_a_signal_is_named(tmp_path: Path) -> None:
    done = execute(python("import os; os.abort()"), tmp_path, timeout=20, cancel=threading.Event())
    assert done.ending == "killed by SIGABRT"


def test_stdin_is_empty_and_there_is_no_terminal(tmp_path: Path) -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())"
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert done.output == "'' True\n"


@needs_proc
def test_timeout_kills_the_whole_group_even_when_it_ignores_sigterm(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pid = os.fork()\n"
        "if pid: print(pid, os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    done = execute(python(code), tmp_path, timeout=1, cancel=threading.Event())
    assert done.timed_out
    assert done.code is None
    assert done.seconds < 2.5
    child, parent = map(int, done.output.split())
    assert gone(child)
    assert gone(parent)


@needs_proc
@pytest.mark.parametrize("ignores", [False, True])
def test_a_child_left_behind_is_killed(tmp_path: Path, ignores: bool) -> None:
    code = (
        "import os, signal, time\n"
        f"if {ignores}: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if pid := os.fork(): print(pid, flush=True)\n"
        "else: time.sleep(60)\n"
    )
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert done.code == 0
    assert done.seconds < 10
    assert gone(int(done.output))


def test_a_process_that_left_the_group_does_not_hold_us_up(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    time.sleep(3)\n"
        "else: print('done', flush=True)\n"
    )
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert done.output == "done\n"
    assert done.seconds < 2.5


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "while True: print('y' * 999)"])
def test_cancel_is_quick(tmp_path: Path, code: str) -> None:
    cancel = threading.Event()
    at: list[float] = []

    def set_it() -> None:
        at.append(time.monotonic())
        cancel.set()

    timer = threading.Timer(0.5, set_it)
    timer.start()
    done = execute(python(code), tmp_path, timeout=60, cancel=cancel)
    took = time.monotonic() - at[0]
    assert done.cancelled
    assert done.code is None
    assert not done.timed_out
    assert took < 1  # 0.2 s on an idle machine; benchmarks measure, this only tells it from 60


def test_closed_output_is_no_end(tmp_path: Path) -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(7)"
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert done.code == 7


def test_a_flood_keeps_head_and_tail_and_little_memory(tmp_path: Path) -> None:
    # A fresh process measures its own peak: this one has imported half the test suite.
    code = (
        "import resource, sys, threading\n"
        "from pathlib import Path\n"
        "from tools.process import execute\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "done = execute(['yes'], Path('.'), timeout=2, cancel=threading.Event(), limit=8000)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(done.output), done.truncated_bytes > 1_000_000, after - before)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = execute(
        python(code), tmp_path, timeout=30, cancel=threading.Event(), env={"PYTHONPATH": str(root)}
    )
    length, much, grown = done.output.split()
    assert int(length) < 8_100
    assert much == "True"
    assert int(grown) < 5_000  # KiB on Linux


def test_head_tail_and_notice(tmp_path: Path) -> None:
    code = "print('first'); print('é' * 20_000); print('last')"
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event(), limit=1001)
    assert done.output.startswith("first\n")
    assert done.output.endswith("last\n")
    assert f"{done.truncated_bytes:,} bytes left out" in done.output
    assert "\ufffd" not in done.output


def test_output_is_safe_to_show(tmp_path: Path) -> None:
    code = r"import os; os.write(1, b'\x1b[31mred\x1b[0m \xff \x1b]0;t\x07 \x07')"
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event())
    assert done.output == "red \ufffd  \\x07"


def test_environment_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "LC_SECRET", "GITHUB_TOKEN", "PYTHONPATH", "DB_PASSWORD"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("PATH", os.pathsep.join([".", "bin", os.environ["PATH"]]))
    monkeypatch.setenv("LC_TIME", "C")
    code = "import os; print(sorted(os.environ.items()))"
    done = execute(python(code), tmp_path, timeout=20, cancel=threading.Event(), env={"EXTRA": "1"})
    assert "canary" not in done.output
    assert "('EXTRA', '1')" in done.output
    environment = clean_environment()
    assert environment["LC_TIME"] == "C"
    assert environment["TERM"] == "dumb"
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert all(os.path.isabs(entry) for entry in environment["PATH"].split(os.pathsep))


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("x")
    cancel = threading.Event()
    with pytest.raises(ToolError, match="no program named 'no-such-thing'"):
        execute(["no-such-thing", "x"], tmp_path, timeout=5, cancel=cancel)
    with pytest.raises(ToolError, match="Permission denied"):
        execute(["./data.txt"], tmp_path, timeout=5, cancel=cancel)
    with pytest.raises(ToolError, match="could not be started"):
        execute(["echo", "a\0b"], tmp_path, timeout=5, cancel=cancel)
    with pytest.raises(ToolError, match="no folder"):
        execute(["echo"], tmp_path / "absent", timeout=5, cancel=cancel)


@pytest.mark.parametrize(
    "argv",
    [
        "echo 'a | b' \"c > d\"",
        ["echo", "a | b", "c > d"],
        ["echo 'a | b' 'c > d'"],
        ("echo", "a | b", "c > d"),
    ],
)
def test_run_takes_a_line_or_a_list(tmp_path: Path, argv: object) -> None:
    result = Toolbox.of([Run(tmp_path)]).call("run", {"argv": argv}, threading.Event())
    assert result.output == "exit code 0\na | b c > d"
    assert result.ok
    assert result.display.startswith("run: echo 'a | b' 'c > d' (exit code 0")


@pytest.mark.parametrize(
    "argv",
    [
        "ls | wc",
        "cd x && ls",
        "echo a > f",
        "a; b",
        "echo $(id)",
        "echo `id`",
        "a\nb",
        "sleep 1 &",
        ["ls", "|", "wc"],
        ["a", "&&", "b"],
    ],
)
def test_run_refuses_a_shell(tmp_path: Path, argv: object) -> None:
    result = Toolbox.of([Run(tmp_path)]).call("run", {"argv": argv}, threading.Event())
    assert not result.ok
    assert "one program at a time" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", ["", "   ", [], "echo 'open", 3, ["echo", 3], ["x\ny", "z"]])
def test_run_refuses_what_is_no_command(tmp_path: Path, argv: object) -> None:
    result = Toolbox.of([Run(tmp_path)]).call("run", {"argv": argv}, threading.Event())
    assert not result.ok
    assert "\n" not in result.display


def test_run_reports_failure_and_cuts_output(tmp_path: Path) -> None:
    code = "print('first'); print('x' * 9000); print('last'); raise SystemExit(2)"
    result = Toolbox.of([Run(tmp_path)]).call("run", {"argv": python(code)}, threading.Event())
    assert not result.ok
    assert result.output.startswith("exit code 2\nfirst\n")
    assert result.output.endswith("last")
    assert len(result.output) < 4_100


def test_run_times_out(tmp_path: Path) -> None:
    call = {"argv": ["sleep", "60"], "timeout": 0.3}
    result = Toolbox.of([Run(tmp_path)]).call("run", call, threading.Event())
    assert not result.ok
    assert result.output.startswith("killed: no end after 0 s")


def test_run_is_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        Toolbox.of([Run(tmp_path)]).call("run", {"argv": "sleep 60"}, cancel)


def test_run_prefers_the_programs_of_the_repository_environment(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("")
    (programs / "hello").write_text("#!/bin/sh\necho from the environment\n")
    (programs / "hello").chmod(0o755)
    result = Toolbox.of([Run(tmp_path)]).call("run", {"argv": "hello"}, threading.Event())
    assert result.output == "exit code 0\nfrom the environment"
