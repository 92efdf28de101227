"""The life of the model's process as its parent sees it: start, frames both ways, how it ended.

Owns the operating system's part: pipes, threads, signals, environment. Must not know requests.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO

from agent.models.local import protocol
from agent.models.local.protocol import Count, Counted, FromWorker, Load, Loaded, ToWorker
from tools.process import is_secret_variable

_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PASSED_PREFIXES = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "GGML_", "OMP_", "GOMP_")
SPINS = "1000"
"""How often llama.cpp's threads look for each other before they sleep. libgomp's own default is
300 times that: beside a compiler or a test run the model was 2 to 10 times slower with it, alone
no faster; without any spinning it was a third slower alone."""
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from agent.models.local.worker import main; main()"
)
"""The package is named by its place, so that neither the working directory nor PYTHONPATH can
put another `agent` before it."""


class Process:
    """One process, from its start to its end; it is never started again."""

    def __init__(self, load: Load) -> None:
        self.frames: queue.SimpleQueue[FromWorker | None] = queue.SimpleQueue()
        """What arrived, in its order; None once the process has ended."""
        self.loaded: Loaded | None = None
        self.asked = False
        """Whether a request was sent to it yet."""
        self.log: deque[str] = deque(maxlen=40)
        """The last lines it wrote to stderr."""
        self._outgoing: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._popen: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._ended = threading.Event()
        self._killed = False
        self._counts: dict[int, queue.SimpleQueue[int]] = {}
        self.send(load)
        self._thread = threading.Thread(target=self._supervise, daemon=True, name="model-frames")
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def pid(self) -> int:
        self._started.wait()
        return self._popen.pid if self._popen else -1

    def send(self, frame: ToWorker) -> None:
        """Have a frame sent; never waits for a process that does not read."""
        self._outgoing.put(frame)

    def count(self, number: int, text: str, patience: float) -> int | None:
        """Tokens of the text, or None if the process does not say within `patience` seconds."""
        answer = self._counts[number] = queue.SimpleQueue()
        self.send(Count(number, text))
        try:
            return answer.get(timeout=patience)
        except queue.Empty:
            return None
        finally:
            del self._counts[number]

    def kill(self) -> None:
        """End it now and wait until its memory is free."""
        self._started.wait()
        self._killed = True
        if self._popen is not None:
            self._popen.kill()
        self._thread.join()

    def ending(self) -> str:
        """How it ended, in words, with the last line of its log."""
        code = self._popen.returncode if self._popen else None
        if code is None:
            how = "could not be started"
        elif code == -signal.SIGKILL:
            return "was killed by SIGKILL, which may mean that the memory ran out"
        elif code < 0:
            how = f"was ended by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        lines = [line for line in self.log if line]
        return f"{how} ({lines[-1]})" if lines else how

    def _supervise(self) -> None:
        """Start the process and take its frames in until it ends.

        One thread does both and lives as long as the process: Linux's parent-death signal is
        sent when the thread that started a child ends.
        """
        try:
            self._popen = _spawn()
        except OSError as error:
            self.log.append(str(error))
            self._started.set()
            self._ended.set()
            self.frames.put(None)
            return
        self._started.set()
        popen = self._popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        writer = threading.Thread(target=self._write, args=(popen.stdin,), daemon=True)
        listener = threading.Thread(target=self._listen, args=(popen.stderr,), daemon=True)
        writer.start()
        listener.start()
        try:
            while (frame := protocol.read(popen.stdout)) is not None:
                self._take(frame)
        except (protocol.FrameError, OSError) as error:
            if not self._killed:
                self.log.append(str(error))
            popen.kill()
        popen.wait()
        self._outgoing.put(None)
        writer.join()
        listener.join()
        popen.stdout.close()
        self._ended.set()
        self.frames.put(None)

    def _take(self, frame: FromWorker) -> None:
        match frame:
            case Counted():
                waiting = self._counts.get(frame.id)
                if waiting is not None:
                    waiting.put(frame.tokens)
            case Loaded():
                self.loaded = frame
                # What was remarked at loading does not explain a later end.
                self.log.clear()
                self.frames.put(frame)
            case _:
                self.frames.put(frame)

    def _write(self, stream: IO[bytes]) -> None:
        # A pipe that nobody reads any more is no news here: the reading side sees how it ended.
        with contextlib.suppress(OSError), stream:
            while (frame := self._outgoing.get()) is not None:
                stream.write(protocol.encode(frame))
                stream.flush()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.log.append(line.decode("utf-8", "replace").strip())


def _spawn() -> subprocess.Popen[bytes]:
    import agent

    package = Path(agent.__file__).resolve().parent
    environment = {
        name: value
        for name, value in os.environ.items()
        if (name in _PASSED or name.startswith(_PASSED_PREFIXES)) and not is_secret_variable(name)
    }
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)
    # On an assertion ggml would start a debugger, which may wait for ever.
    environment["GGML_NO_BACKTRACE"] = "1"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _LAUNCH, str(package.parent), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=environment,
        # Ctrl-C in the terminal is for the session, which cancels in its own way.
        start_new_session=True,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
