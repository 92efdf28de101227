"""A pytest plugin that runs the same tests again and again, each time with one file changed.

pytest, its plugins and what the tests import from elsewhere are loaded once; each trial is a fork
made before anything of the repository is imported. A changed file is given to the import system
alone: nothing is written to the tree, and a program that a test starts sees the file as it is. The
trials stand in `trials.jsonl` beside the copy of this file that is loaded, the outcomes go to
`outcomes.txt`. It runs in the interpreter of the repository under test: it must import nothing but
the standard library and pytest, nor need more than Python 3.6.
"""

import base64
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import CodeType, FrameType

_USAGE = 4
"""pytest's exit code for options that it does not know."""
_FAILED, _MANY = 100, 100
"""A child that came to an end leaves with the first of these and the number of tests that failed,
of which so many are counted."""
_LEAST, _MOST, _FACTOR = 1.0, 10.0, 5.0
"""Seconds that a trial has; between the two, it is so many times what the tests take unchanged.
Many a change makes a loop endless."""
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MODULES = os.path.join(_FOLDER, "modules.txt")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> "Generator[None, None, None]":
    # A worker of pytest-xdist is told the same plugins, and must work.
    if os.environ.pop("PARITY_TRIALS", ""):
        _run()
    yield


def _run() -> None:
    """Return in the children only."""
    code = _fork(_MOST, "", b"")
    if code is None:
        return
    if code == _USAGE:
        os._exit(code)
    _import()
    began = time.monotonic()
    code = _fork(_MOST, "", b"")
    if code is None:
        return
    taken = time.monotonic() - began
    limit = min(max(_LEAST, _FACTOR * taken), _MOST) if taken < _MOST else _LEAST
    with open(os.path.join(_FOLDER, "outcomes.txt"), "a", 1) as outcomes:
        outcomes.write(_told(code))
        for path, data in _trials():
            code = _fork(limit, path, data)
            if code is None:
                return
            outcomes.write(_told(code))
    os._exit(0)


def _import() -> None:
    """What a first run of the tests imported that is not the repository's own."""
    try:
        with open(_MODULES, encoding="utf-8") as file:
            names = file.read().split()
    except OSError:
        return
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def _told(code: int) -> str:
    """How many tests failed, or -1 where that is not known."""
    return "{}\n".format(code - _FAILED if code >= _FAILED else -1)  # noqa: UP032


def _trials() -> "Iterator[tuple[str, bytes]]":
    """Each changed file: its path and what it holds."""
    known = {}
    with open(os.path.join(_FOLDER, "trials.jsonl"), encoding="ascii") as lines:
        for line in lines:
            path, start, end, text = json.loads(line)
            if path not in known:
                with open(path, "rb") as file:
                    known[path] = file.read()
            data = known[path]
            yield path, data[:start] + base64.b64decode(text) + data[end:]


def _fork(limit: float, path: str, data: bytes) -> "int | None":
    """How the tests end with the file changed, their exit code; None in the child that runs them.

    Args:
        limit: Seconds after which the child is killed.
        path: Empty for no change.
    """
    child = os.fork()
    if not child:
        if path:
            _give(path, data)
        return None
    timer = signal.signal(signal.SIGALRM, _expire)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        status = os.waitpid(child, 0)[1]
    except _Expired:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, timer)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1


class _Expired(Exception):
    pass


def _expire(number: int, frame: "FrameType | None") -> None:
    raise _Expired


def _give(path: str, data: bytes) -> None:
    """Let the modules of one file be made of these bytes."""
    real = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> "CodeType | None":
        if os.path.realpath(self.path) == path:
            return self.source_to_code(data, self.path)
        return real(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


class _Verdict:
    """Ends the process as soon as it is known how many tests failed, or did not run."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def pytest_runtest_logreport(self, report: "pytest.TestReport") -> None:
        self.passed += report.when == "call" and report.passed
        self.failed += report.failed

    def pytest_collectreport(self, report: "pytest.CollectReport") -> None:
        self.failed += report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if not os.path.exists(_MODULES):
            with open(_MODULES, "w", encoding="utf-8") as file:
                file.write("\n".join(filter(_elsewhere, list(sys.modules))))
        os._exit(_FAILED + min(self.failed, _MANY) if self.passed or self.failed else 1)


def _elsewhere(name: str) -> bool:
    path = getattr(sys.modules[name], "__file__", None) or ""
    inside = path.startswith(os.getcwd() + os.sep) and "site-packages" not in path
    return bool(path) and not inside and name not in ("__main__", "conftest")


def pytest_configure(config: "pytest.Config") -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Verdict(), "parity-verdict")
