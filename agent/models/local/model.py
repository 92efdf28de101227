"""The session's side of the local model: starts the process, asks it, outlives its death.

Owns the process's life and the mapping of its ends to errors. Must not import llama_cpp, numpy,
jinja2 or llguidance: those live on the other side of the pipe.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from agent.errors import (
    ContextOverflow,
    ModelError,
    ModelFileError,
    ModelTooBig,
    WorkerDied,
    WorkerSilent,
)
from agent.messages import Message
from agent.models.base import Answer, ModelEvent, ModelSpec, Request
from agent.models.local import protocol
from agent.models.local.process import Process
from agent.models.local.protocol import (
    Ask,
    Event,
    Failed,
    Fault,
    FromWorker,
    Load,
    Loaded,
    out_of_memory,
)
from tools.base import Cancel

_POLL = 0.02
"""Seconds between two looks at the cancel flag."""
_CHARS_PER_TOKEN = 3.2
"""Of code and English; only used while no tokenizer is loaded."""
_COUNT_PATIENCE = 5.0
"""Seconds that an exact count may take before the estimate is given."""
_START = 60.0
"""Seconds that a process may be silent before it is loaded, whatever `silence` says."""
_KEPT_COUNTS = 4096


class LocalModel:
    """A model file in a process of its own; implements `agent.models.base.Model`.

    Requests are answered one at a time. After a `WorkerDied` or `WorkerSilent` the next request
    starts a new process by itself.
    """

    def __init__(
        self,
        path: Path,
        spec: ModelSpec,
        *,
        context: int,
        gpu_layers: int = 0,
        kv_type: str = "f16",
        threads: int | None = None,
        silence: float = 300.0,
    ) -> None:
        """Nothing is started yet.

        Args:
            path: The GGUF file.
            spec: What the harness acts on; its name signs the answers.
            context: Tokens of the window to make room for.
            gpu_layers: Layers to put on the GPU; -1 for all.
            kv_type: `f16`, `q8_0` or `q4_0`.
            threads: None for one on each physical core.
            silence: Seconds without a sign of life after which a busy process is killed.
        """
        self._load = Load(
            str(path.absolute()),
            spec.name,
            context,
            gpu_layers,
            kv_type,
            threads or 0,
            spec.infills,
        )
        self._spec = spec
        self._silence = silence
        self._numbers = itertools.count(1)
        self._process: Process | None = None
        self._counts: dict[str, int] = {}
        self._asked: tuple[Message, ...] = ()
        self._asking = threading.Lock()
        self._starting = threading.Lock()

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def loaded(self) -> Loaded | None:
        """What the process told of the model; None until it is loaded."""
        return self._process.loaded if self._process else None

    @property
    def pid(self) -> int | None:
        """The process that holds the model, if one runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begin to load, without waiting for it."""
        self._alive()

    def count(self, text: str) -> int:
        """Tokens of the text: exact once the model is loaded, an estimate before."""
        known = self._counts.get(text)
        if known is not None:
            return known
        process = self._process
        tokens = None
        if process is not None and process.loaded is not None and not process.ended:
            tokens = process.count(next(self._numbers), text, _COUNT_PATIENCE)
        if tokens is None:
            return round(len(text) / _CHARS_PER_TOKEN)
        if len(self._counts) >= _KEPT_COUNTS:
            self._counts.clear()
        self._counts[text] = tokens
        return tokens

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        """Ask; see `agent.models.base.Model.stream`.

        Raises:
            ModelFileError, ModelTooBig, ContextOverflow, WorkerDied, WorkerSilent, ModelError
        """
        with self._asking:
            process = self._alive()
            number = next(self._numbers)
            before = () if process.asked else self._asked
            if request.infill is None:  # else the messages are not read
                process.asked = True
                self._asked = tuple(request.messages)
            process.send(Ask(number, request, before))
            cancelled = answered = False
            try:
                for frame in self._frames(process):
                    if cancel.is_set() and not cancelled:
                        cancelled = True
                        process.send(protocol.Cancel(number))
                    match frame:
                        case Event() if frame.id == number:
                            answered = isinstance(frame.event, Answer)
                            yield frame.event
                            if answered:
                                return
                        case Failed() if frame.id in (0, number):
                            answered = True
                            raise self._error(frame)
            finally:
                if not answered and not process.ended:
                    process.send(protocol.Cancel(number))

    def _frames(self, process: Process) -> Iterator[FromWorker | None]:
        """What arrives, and None every `_POLL` seconds in which nothing does."""
        # Not by the clock: it goes on while this process is suspended.
        silent = 0.0
        while True:
            try:
                frame = process.frames.get(timeout=_POLL)
            except queue.Empty:
                # Importing the libraries gives no sign of life yet.
                patience = self._silence if process.loaded else max(self._silence, _START)
                silent += _POLL
                if silent > patience:
                    process.kill()
                    raise WorkerSilent(
                        f"The model's process was silent for {patience:g} s and was "
                        "stopped; the request can be made again."
                    ) from None
                yield None
                continue
            if frame is None:
                raise self._death(process)
            silent = 0.0
            yield frame

    def _death(self, process: Process) -> ModelError:
        ending = process.ending()
        if process.loaded is None and out_of_memory(" ".join(process.log)):
            return ModelTooBig(f"{self._load.path} does not fit the memory: its process {ending}.")
        return WorkerDied(f"The model's process {ending}; the request can be made again.")

    def _error(self, failed: Failed) -> ModelError:
        if failed.id == 0:
            self.close()
        match failed.fault:
            case Fault.FILE:
                return ModelFileError(f"{self._load.path} cannot be loaded: {failed.message}")
            case Fault.MEMORY:
                return ModelTooBig(f"{self._load.path} does not fit the memory: {failed.message}")
            case Fault.OVERFLOW:
                return ContextOverflow(f"The request is too long: {failed.message}.")
            case _:
                return ModelError(f"The model failed: {failed.message}")

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def __enter__(self) -> LocalModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _alive(self) -> Process:
        """The process, started anew if there is none."""
        with self._starting:
            if self._process is None or self._process.ended:
                if not Path(self._load.path).is_file():
                    raise ModelFileError(f"{self._load.path} is not a file.")
                self._process = Process(self._load)
            return self._process
