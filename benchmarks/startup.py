"""How long the command takes to start, against a bare Python, and what it imports.

The runs of each kind are interleaved, so that a busy machine slows them alike; the least and
the median of each are shown, with the time above the bare Python's.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HEAVY = (
    *("textual", "anthropic", "llama_cpp", "llguidance", "numpy", "pydantic", "tree_sitter"),
    "git",
)
"""What a command that needs no model must not import."""

SCRIPT = """\
steering = "free"

[[step]]
text = "There is nothing to do."
"""

MODULES = """\
import sys
sys.argv = ["agent", "--help"]
from parity_launcher import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def environment(state: Path) -> dict[str, str]:
    """As a user's, whose Python keeps what it compiles."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PARITY_STATE": str(state)}


def to_the_end(command: Sequence[str], cwd: Path) -> float:
    """Seconds that a command takes."""
    environ = environment(cwd / "state")
    begun = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def to_the_first_request(command: Sequence[str], cwd: Path) -> float:
    """Seconds until `agent fix --json` says that its first request leaves."""
    environ = environment(cwd.parent / "state")
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"event": "step_started"'):
                seconds = time.perf_counter() - begun
                process.stdout.read()
                return seconds
    sys.exit(f"{shlex.join(command)} ended with {process.returncode} before its first request")


def to_claude(command: Sequence[str], cwd: Path) -> float:
    """Seconds until `agent fix --model claude` has sent its first request to the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        environ = {
            **environment(cwd.parent / "state"),
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
        }
        begun = time.perf_counter()
        with subprocess.Popen(
            command, cwd=cwd, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                seconds = time.perf_counter() - begun
            process.kill()
    return seconds


class Listener(BaseHTTPRequestHandler):
    """A server with one model, which notes when it is asked and has nothing to do."""

    asked = 0.0
    """When the last request to the model came."""

    def do_GET(self) -> None:
        self.answer(b'{"data": [{"id": "bench"}]}', "application/json")

    def do_POST(self) -> None:
        type(self).asked = time.perf_counter()
        self.rfile.read(int(self.headers["Content-Length"]))
        said = b'data: {"choices": [{"delta": {"content": "Done."}, "finish_reason": "stop"}]}'
        self.answer(said + b"\n\ndata: [DONE]\n\n", "text/event-stream")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


def to_a_server(command: Sequence[str], cwd: Path) -> float:
    """Seconds until the first request of `agent fix` reaches the server that it names."""
    environ = environment(cwd.parent / "state")
    begun = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=environ, check=False, capture_output=True)
    if Listener.asked < begun:
        sys.exit(f"{shlex.join(command)} asked nothing")
    return Listener.asked - begun


def measure(runs: int, kinds: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Seconds of each run of each kind; one run of each before them is not counted."""
    for kind in kinds.values():
        kind()
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(runs):
        for name, kind in kinds.items():
            found[name].append(kind())
    return found


def heavy_modules(cwd: Path) -> list[str]:
    """Which of `HEAVY` `agent --help` imports."""
    run = subprocess.run(
        [sys.executable, "-c", MODULES], cwd=cwd, capture_output=True, text=True, check=True
    )
    return sorted(set(HEAVY) & set(run.stderr.split()))


def make_repository(folder: Path) -> Path:
    """A repository of one file with an issue, and beside it a script for the model."""
    repository = folder / "repository"
    repository.mkdir()
    (repository / "mean.py").write_text("def mean(values):\n    return sum(values)\n")
    (repository / "ISSUE.md").write_text("# `mean` returns the sum\n")
    (folder / "script.toml").write_text(SCRIPT)
    author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    sign = ("-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*author, *sign, "commit", "-qm", "as found")):
        subprocess.run(("git", *command), cwd=repository, check=True)
    return repository


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument(
        "--agent",
        default=shlex.quote(str(Path(sys.executable).with_name("agent"))),
        help="how the agent is started; by default the one beside this Python",
    )
    options = parser.parse_args()
    agent = shlex.split(options.agent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = make_repository(folder)
        fix = [*agent, "fix", "ISSUE.md", "--json", "--yes", "--model"]
        scripted = [*fix, f"scripted:{folder / 'script.toml'}"]
        claude = [*fix, "claude"]
        http = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        server = [*fix, f"http://127.0.0.1:{http.server_address[1]}"]
        found = measure(
            options.runs,
            {
                "python -c pass": lambda: to_the_end([sys.executable, "-c", "pass"], folder),
                "agent --help": lambda: to_the_end([*agent, "--help"], folder),
                "agent fix, first request": lambda: to_the_first_request(scripted, repository),
                "the same, to Claude": lambda: to_claude(claude, repository),
                "the same, to a server": lambda: to_a_server(server, repository),
            },
        )
        heavy = heavy_modules(folder)
    bare = found["python -c pass"]
    print(f"{'milliseconds':<28}{'least':>8}{'median':>8}{'least, above bare':>20}")
    for kind, seconds in found.items():
        least, median = min(seconds), statistics.median(seconds)
        above = least - min(bare)
        print(f"{kind:<28}{least * 1e3:>8.0f}{median * 1e3:>8.0f}{above * 1e3:>20.0f}")
    print(f"heavy modules that agent --help imports: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
