"""Measures the local model against a bare llama.cpp loop, in one run and turn about.

    python benchmarks/decode.py MODEL.gguf [--tokens 96] [--rounds 3] [--threads N] [--gpu-layers N]

Prints decode speeds and their ratios (free text at least 0.95, under structure 0.90), the prompt
tokens evaluated per new one over a conversation (1.00), and how soon a cancel takes effect
(200 ms). Each figure is the median of the rounds; latencies are the longest of theirs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.messages import Message, SystemMessage, ToolMessage, ToolOutput, UserMessage
from agent.models.base import (
    Answer,
    CallForm,
    Form,
    ModelSpec,
    Reading,
    Request,
    TextDelta,
    Usage,
)
from agent.models.local.model import LocalModel
from agent.models.local.process import SPINS

CONTEXT = 4096
QUESTION = "Write a long Python module with twenty small functions on lists, each with a docstring."
BODY = Form(
    (CallForm("write_file", ((("path", "lists.py"),),), ("content",), ('"""',), "python"),),
    required=True,
    max_calls=1,
    max_thought=16,
)
"""One long body: hardly anything of it is forced."""
FUNCTIONS = tuple(f"function_{number}" for number in range(40))
FORM = Form(
    (
        CallForm(
            "replace_symbol",
            tuple((("path", f"src/part_{name}.py"), ("symbol", name)) for name in FUNCTIONS),
            ("body",),
            tuple(f"def {name}(" for name in FUNCTIONS),
            "python",
        ),
    ),
    required=True,
    max_calls=8,
    max_thought=16,
)
"""Many short calls: much of them is forced."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens of one answer and what they took."""

    tokens: int
    sampled: int
    seconds: float

    @property
    def speed(self) -> float:
        return self.tokens / self.seconds


class Bare:
    """The least that decodes: evaluate one token, take the likeliest next, nothing else."""

    def __init__(self, path: Path, threads: int, gpu_layers: int) -> None:
        # Before numpy, and after GOMP_SPINCOUNT is set.
        import llama_cpp.llama_cpp as lib
        import numpy

        self._lib, self._numpy = lib, numpy
        self._quiet = lib.llama_log_callback(lambda *_: None)
        lib.llama_log_set(self._quiet, ctypes.c_void_p(None))
        model_params = lib.llama_model_default_params()
        model_params.n_gpu_layers = 999 if gpu_layers < 0 else gpu_layers
        model = lib.llama_model_load_from_file(os.fsencode(path), model_params)
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = CONTEXT, 512, 512
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = -1
        params.no_perf = True
        self._context = lib.llama_init_from_model(model, params)
        self._vocab = lib.llama_model_get_vocab(model)
        self._size = lib.llama_vocab_n_tokens(self._vocab)

    def decode(self, tokens: int) -> Rate:
        lib, array = self._lib, (ctypes.c_int32 * 512)()
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        text = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n".encode()
        count = lib.llama_tokenize(self._vocab, text, len(text), array, 512, True, True)
        lib.llama_decode(self._context, lib.llama_batch_get_one(array, count))
        started = time.monotonic()
        for _ in range(tokens):
            pointer = lib.llama_get_logits_ith(self._context, -1)
            logits = self._numpy.ctypeslib.as_array(pointer, shape=(self._size,))
            array[0] = int(logits.argmax())
            lib.llama_decode(self._context, lib.llama_batch_get_one(array, 1))
        return Rate(tokens, tokens, time.monotonic() - started)


def decode(model: LocalModel, tokens: int, form: Form | None) -> Rate:
    usage = ask(model, [UserMessage(QUESTION)], tokens, form).usage
    return Rate(usage.output, usage.sampled, usage.output_seconds)


def ask(model: LocalModel, chat: list[Message], tokens: int, form: Form | None = None) -> Answer:
    for event in model.stream(Request(chat, form=form, max_tokens=tokens), threading.Event()):
        if isinstance(event, Answer):
            return event
    raise AssertionError("no answer")


def conversation(model: LocalModel, steps: int = 5) -> Iterator[Usage]:
    chat: list[Message] = [
        SystemMessage("You repair code."),
        UserMessage("calc.py:\n" + "\n".join(f"x_{n} = {n} * {n + 1}" for n in range(60))),
    ]
    for step in range(steps):
        answer = ask(model, chat, 120, FORM if step % 2 else None)
        yield answer.usage
        result = ToolOutput("c", "run_tests", f"step {step}: " + "1 failed, 3 passed\n" * 8)
        chat += [answer.message, ToolMessage((result,)), UserMessage(f"Step {step}: go on.")]


def latency(model: LocalModel, request: Request, ready: Callable[[object], bool]) -> float:
    """Seconds from a cancel to the end of the answer."""
    cancel, told = threading.Event(), 0.0
    timer: threading.Timer | None = None

    def stop() -> None:
        nonlocal told
        told = time.monotonic()
        cancel.set()

    for event in model.stream(request, cancel):
        if timer is None and ready(event):
            timer = threading.Timer(0.06, stop)
            timer.start()
        if isinstance(event, Answer) and timer is not None:
            timer.join()
            return time.monotonic() - told
    raise AssertionError("the answer ended before it could be cancelled")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, metavar="MODEL.gguf")
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=0)
    options = parser.parse_args()
    # As the model's process has it; libgomp reads it once, when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    threads = options.threads or len(os.sched_getaffinity(0))
    bare = Bare(options.path, threads, options.gpu_layers)
    spec = ModelSpec("measured", CONTEXT)
    with LocalModel(
        options.path, spec, context=CONTEXT, threads=threads, gpu_layers=options.gpu_layers
    ) as model:
        ask(model, [UserMessage("Hello")], 4, FORM)
        ways: dict[str, Callable[[], Rate]] = {
            "bare loop": lambda: bare.decode(options.tokens),
            "free text": lambda: decode(model, options.tokens, None),
            "one body": lambda: decode(model, options.tokens, BODY),
            "many calls": lambda: decode(model, options.tokens, FORM),
        }
        rates: dict[str, list[Rate]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, measure in ways.items():
                rates[name].append(measure())
        for name, found in rates.items():
            ratios = [
                rate.speed / base.speed
                for rate, base in zip(found, rates["bare loop"], strict=True)
            ]
            forced = 1 - sum(rate.sampled for rate in found) / sum(rate.tokens for rate in found)
            speed = statistics.median(rate.speed for rate in found)
            print(
                f"{name:11} {speed:7.1f} tok/s   {statistics.median(ratios):5.2f} of the bare loop"
                f"   {forced:4.0%} forced"
            )
        total = Usage()
        for usage in conversation(model):
            total += usage
        print(f"evaluated / new prompt tokens: {total.evaluated} / {total.new}", end="")
        print(f" = {total.evaluated / total.new:.3f} over 5 steps, {total.reused} reused")
        long = Request([UserMessage(QUESTION)], max_tokens=2000)
        waits = [
            latency(model, long, lambda event: isinstance(event, TextDelta))
            for _ in range(options.rounds)
        ]
        print(f"cancel in decode:  {max(waits) * 1000:4.0f} ms at most of {len(waits)}")
        waits = []
        for number in range(options.rounds):
            fresh = [UserMessage(f"{number} words that are new, " * 350)]
            begins = Request(fresh, max_tokens=16)
            waits.append(latency(model, begins, lambda event: isinstance(event, Reading)))
        print(f"cancel in prefill: {max(waits) * 1000:4.0f} ms at most of {len(waits)}")


if __name__ == "__main__":
    main()
