"""How the screen feels: start, idleness, streaming, keys, long conversations; against the limits.

The real command runs on a pseudo-terminal and is looked at from outside: what it writes and when,
what it costs. A frame is what it writes at once; those of a stream are the frames that show some
of the answer, so that a spinner counts for nothing. The answer to a key is the frame that shows it,
that to a page the first frame after a silence. The model is a server on the loopback that writes
500 tokens a second.

    python benchmarks/screen.py [start] [stream] [keys] [flood] [long] [--peer codex]
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import shlex
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); import parity_launcher; parity_launcher.main()"
)
RATE = 500
"""Tokens a second."""
SIZE = (40, 120)
"""Rows and columns of the terminal."""
PAUSE = 0.004
"""Seconds of silence between two frames, at least."""
SETTLED = 0.03
"""Seconds of silence after which nothing is left of the answer to a key."""
IDLE = 10
"""Seconds that it is watched while nothing happens."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_UP, PAGE_DOWN, HOME, END = b"\x1b[5~", b"\x1b[6~", b"\x1b[H", b"\x1b[F"
MESSAGES = 5_000
CODE = "".join(
    f"    total_{number} = sum(value * {number} for value in values if value > {number})\n"
    for number in range(400)
)
PROSE = "The **total** of the `values` is what it was before; nothing else depends on it.\n\n"
ANSWER = f"# What is to be done\n\n{PROSE * 12}\n```python\n{CODE}```\n\n{PROSE * 12}"


class Screen:
    """A program on a pseudo-terminal."""

    def __init__(self, command: Sequence[str], cwd: Path, state: Path) -> None:
        self.frames: list[tuple[float, bytes]] = []
        """When it wrote what."""
        self.began = time.perf_counter()
        main, other = pty.openpty()
        tty.setraw(other)  # what is typed before it reads is not echoed by the terminal
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        environ = {
            **{name: text for name, text in os.environ.items() if "PYTHONDONTWRITE" not in name},
            **{"PARITY_STATE": str(state), "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        }
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environ, stdin=other, stdout=other, stderr=other
        )
        os.close(other)
        self._main = main
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 1 << 20)
                now = time.perf_counter()
                while select.select([self._main], [], [], PAUSE)[0]:
                    more = os.read(self._main, 1 << 20)
                    data += more
            except OSError:
                return
            self.frames.append((now, data))

    def type(self, keys: bytes) -> float:
        """Type; when that was."""
        now = time.perf_counter()
        os.write(self._main, keys)
        return now

    def until(self, text: bytes, seconds: float = 60, after: float = 0.0) -> float:
        """Wait until it wrote a text; when it did. Ends the program if it never does."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for when, data in list(self.frames):
                if when >= after and text in data:
                    return when
            time.sleep(0.002)
        self.close()
        tail = b"".join(data for _, data in self.frames)[-3000:]
        sys.exit(f"it never wrote {text!r}: {tail.decode(errors='replace')}")

    def settle(self, silence: float, seconds: float = 20) -> None:
        """Wait until it has written nothing for so long."""
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end and now - self.frames[-1][0] < silence:
            time.sleep(0.002)

    def takes_keys(self) -> float:
        """Type a letter until it is shown; when that was."""
        letter = "Ω".encode()
        while not any(letter in data for _, data in list(self.frames)):
            self.type(letter)
            time.sleep(0.02)
            if time.perf_counter() > self.began + 60:
                sys.exit("it takes no keys")
        return self.until(letter)

    def cpu(self) -> float:
        """Seconds of a processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Its resident memory, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


class Streaming(BaseHTTPRequestHandler):
    """A server with one model, which writes `ANSWER` at `RATE`."""

    written = (0.0, 0.0)
    """When the first and the last piece of the last answer left."""

    def do_GET(self) -> None:
        body = b'{"data": [{"id": "bench"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        pieces = [ANSWER[at : at + 4] for at in range(0, len(ANSWER), 4)]
        began = time.perf_counter()
        for number, piece in enumerate(pieces):
            ahead = began + number / RATE - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            self._send({"delta": {"content": piece}, "finish_reason": None})
        self._send({"delta": {}, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")
        type(self).written = (began, time.perf_counter())

    def _send(self, choice: dict[str, object]) -> None:
        self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def server() -> Iterator[str]:
    """The model's address."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Streaming)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()


def percentile(values: Sequence[float], part: float) -> float:
    """The value that so many of the others do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(part * (len(ranked) - 1)))]


def told(name: str, value: float, limit: float, unit: str) -> None:
    """One line: what was measured, what it may be."""
    verdict = "" if round(value, 1) <= limit else "   OVER"
    print(f"{name:<52}{value:>9.1f} {unit:<3} limit {limit:g}{verdict}", flush=True)


def start(agent: Sequence[str], folder: Path, peer: Sequence[str]) -> None:
    """From the command to a key that is shown, a peer in turns; memory and idleness after it."""
    repository = make_repository(folder / "start")
    script = folder / "script.toml"
    script.write_text('steering = "free"\n[[step]]\ntext = "Hello."\n')
    found, beside = [], []
    for _ in range(6):
        if peer:
            other = Screen(peer, repository, folder / "state")
            beside.append(other.takes_keys() - other.began)
            other.close()
        screen = Screen([*agent, "--model", f"scripted:{script}"], repository, folder / "state")
        found.append(screen.takes_keys() - screen.began)
        if len(found) < 6:
            screen.close()
    ours = statistics.median(found[1:])
    told("start to a key that is shown, median", ours * 1e3, 450, "ms")
    if peer:
        theirs = statistics.median(beside[1:])
        print(f"({Path(peer[0]).name}: {theirs * 1e3:.0f} ms; ours is {ours / theirs:.2f} of it)")
    time.sleep(2)
    screen.settle(2)
    told("memory then", screen.memory(), 120, "MB")
    before, written = screen.cpu(), len(screen.frames)
    time.sleep(IDLE)
    told("idle, of one core", (screen.cpu() - before) / IDLE * 100, 0, "%")
    told("frames while idle", len(screen.frames) - written, 0, "")
    screen.close()


def stream(agent: Sequence[str], folder: Path, *, typing: bool) -> None:
    """An answer with 400 lines of code at `RATE`; keys answered meanwhile, where `typing`."""
    repository = make_repository(folder / f"stream{typing}")
    with server() as address:
        screen = Screen([*agent, "--model", address], repository, folder / "state")
        screen.takes_keys()
        time.sleep(1)
        screen.type(b"go\r")
        screen.until(b"What is to be done")
        used, began = screen.cpu(), time.perf_counter()
        latencies = answers(screen, 25, 0.25) if typing else []
        while Streaming.written[1] < began and time.perf_counter() < began + 60:
            time.sleep(0.01)
        ended = time.perf_counter()
        share = (screen.cpu() - used) / (ended - began) * 100
        times = [
            when for when, data in screen.frames if began <= when <= ended and b"total" in data
        ]
        screen.close()
    if typing:
        told("a key while it streams, p95", percentile(latencies, 0.95) * 1e3, 50, "ms")
        return
    gaps = [after - before for before, after in pairwise(times)]
    took = Streaming.written[1] - Streaming.written[0]
    print(f"({len(ANSWER) / 4:.0f} tokens in {took:.1f} s, {len(times)} frames)")
    told(f"streaming {RATE} tokens/s, of one core", share, 25, "%")
    told("gap between frames, p95", percentile(gaps, 0.95) * 1e3, 50, "ms")
    told("gap between frames, longest", max(gaps) * 1e3, 150, "ms")


def answers(screen: Screen, count: int, pause: float) -> list[float]:
    """Seconds until each of some keys is shown."""
    found = []
    for number in range(count):
        key = chr(0x3B1 + number % 24).encode()
        typed = screen.type(key)
        found.append(screen.until(key, 10, typed) - typed)
        time.sleep(pause)
    return found


def inner(kind: str, folder: Path, *, seconds: float = 10) -> Screen:
    """This program as an application that shows a conversation alone."""
    command = [sys.executable, __file__, "--inner", kind]
    return Screen(command, folder, folder / "state")


def flood(folder: Path) -> None:
    """Keys while a shell line writes as fast as `yes` does."""
    screen = inner("flood", folder)
    screen.until(b"the flood")
    time.sleep(1)
    used, began = screen.cpu(), time.perf_counter()
    latencies = answers(screen, 25, 0.1)
    print(f"(under `yes`: {(screen.cpu() - used) / (time.perf_counter() - began):.0%} of one core)")
    screen.close()
    told("a key under `yes`, p95", percentile(latencies, 0.95) * 1e3, 50, "ms")


def long(folder: Path) -> None:
    """A conversation of 5,000 messages: opened, scrolled by pages, from end to end."""
    screen = inner("long", folder)
    screen.until(b"ready to load")
    time.sleep(0.5)
    typed = screen.type(b"l")
    told(
        f"{MESSAGES:,} messages opened",
        (screen.until(b"the last of all", 20, typed) - typed) * 1e3,
        1000,
        "ms",
    )
    time.sleep(1)
    for name, key, from_where in (("up", PAGE_UP, END), ("down", PAGE_DOWN, HOME)):
        screen.type(from_where)
        time.sleep(1)
        found = []
        used, began = screen.cpu(), time.perf_counter()
        for _ in range(40):
            screen.settle(SETTLED)
            typed = screen.type(key)
            end = typed + 2
            while not (later := [when for when, _ in screen.frames[-20:] if when > typed]):
                time.sleep(0.001)
                if time.perf_counter() > end:
                    sys.exit(f"a page {name} changed nothing")
            found.append(later[0] - typed)
            time.sleep(max(0, typed + 0.1 - time.perf_counter()))
        share = (screen.cpu() - used) / (time.perf_counter() - began)
        told(f"a page {name}, p95", percentile(found, 0.95) * 1e3, 50, "ms")
        print(f"(ten pages a second: {share:.0%} of one core)")
    typed = screen.type(HOME)
    first = screen.until(b"the first of all", 10, typed) - typed
    told("to the beginning", first * 1e3, 150, "ms")
    typed = screen.type(END)
    last = screen.until(b"the last of all", 10, typed) - typed
    told("to the end", last * 1e3, 150, "ms")
    print(f"(memory: {screen.memory():.0f} MB)")
    screen.close()


def make_repository(folder: Path) -> Path:
    """A repository of one file."""
    folder.mkdir()
    (folder / "mean.py").write_text("def mean(values):\n    return sum(values)\n")
    author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "as found")):
        subprocess.run(("git", *command), cwd=folder, check=True)
    return folder


def run_inner(kind: str) -> None:
    """Inside the pseudo-terminal: a conversation and a line to type in."""
    # Not needed outside.
    sys.path.insert(0, str(ROOT))
    from textual.app import App, ComposeResult
    from textual.widgets import Input

    from agent import events
    from agent.events import Event, Origin
    from agent.messages import AssistantMessage, ToolCall
    from tools.base import ToolResult
    from tui.themes import derived
    from tui.widgets.transcript import Transcript

    def conversation() -> Iterator[Event]:
        text = f"{PROSE}\n- one\n- two `three`\n\n```python\n{CODE[:900]}```\n\n"
        for number in range(MESSAGES // 4):
            place = "the first of all" if number == 0 else f"task {number}"
            yield events.TurnStarted(place, "bench", "free", "/", "", "")
            yield events.Said(AssistantMessage(text))
            call = ToolCall(f"{number}", "run", {"argv": ["ls"]})
            yield events.ToolStarted(call, Origin.MODEL)
            done = ToolResult("exit code 0\none\ntwo\nthree\n", "run: ls (exit code 0, 0.1 s)")
            yield events.ToolFinished(call, Origin.MODEL, done, 0.1)
            last = number == MESSAGES // 4 - 1
            yield events.Said(AssistantMessage("the last of all" if last else PROSE))

    class Bench(App[None]):
        CSS_PATH = str(ROOT / "tui" / "styles" / "transcript.tcss")

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return derived(self.current_theme)

        def compose(self) -> ComposeResult:
            yield Transcript()
            yield Input()

        def on_mount(self) -> None:
            view = self.query_one(Transcript)
            if kind == "flood":
                self.query_one(Input).focus()
                line = view.shell("the flood")
                threading.Thread(target=self.pour, args=(line,), daemon=True).start()
            else:
                view.focus()
                view.tell("ready to load")

        def pour(self, line: object) -> None:
            from tui.blocks.shell_line import ShellLine

            assert isinstance(line, ShellLine)
            with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                while self.is_running:
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    self.call_from_thread(line.write, data.decode())
                    time.sleep(0.005)  # as whoever reads a program's output for a screen does

        def key_l(self) -> None:
            if kind == "long":
                self.query_one(Transcript).load(conversation())

    Bench().run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    known = ("start", "stream", "keys", "flood", "long")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(known)}; all, if none is named")
    parser.add_argument(
        "--agent",
        default=shlex.join([sys.executable, "-P", "-c", LAUNCH]),
        help="how the agent is started; by default from this tree",
    )
    parser.add_argument("--peer", default="", help="another program, whose start is compared")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        run_inner(options.inner)
        return
    agent = shlex.split(options.agent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in options.parts or known:
            if part == "start":
                start(agent, folder, shlex.split(options.peer))
            elif part in ("stream", "keys"):
                stream(agent, folder, typing=part == "keys")
            elif part == "flood":
                flood(folder)
            elif part == "long":
                long(folder)
            else:
                parser.error(f"there is no part {part!r}")


if __name__ == "__main__":
    main()
