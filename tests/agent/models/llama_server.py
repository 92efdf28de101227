"""llama.cpp's own server, out of the xllamacpp wheel, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.models.catalogue import Catalogue

SMALLEST = "smollm2-135m"
ABLE = "qwen2.5-coder-0.5b"
"""Knows how to call tools; too large to be fetched for every run of the tests."""
_SERVE = """\
import sys
from xllamacpp import CommonParams, Server
params = CommonParams()
params.model.path, params.port = sys.argv[1], 0
params.n_ctx, params.n_parallel = int(sys.argv[2]), 1
params.cpuparams.n_threads = 1
params.use_jinja = True
params.chat_template = sys.argv[3]
server = Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def weights_of(name: str) -> Path:
    """A model's file, where `agent models pull` put it."""
    catalogue = Catalogue.load()
    path = catalogue.on_disk(catalogue.find(name))
    if path is None:
        pytest.skip(f"needs `agent models pull {name}`")
    return path


@contextmanager
def llama(name: str, window: int, template: str = "") -> Iterator[str]:
    """The address of a server that answers for a model.

    Args:
        template: The chat template; empty: the model's own.
    """
    pytest.importorskip("xllamacpp")
    command = [sys.executable, "-c", _SERVE, str(weights_of(name)), str(window), template]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
        process.kill()
