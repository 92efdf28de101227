"""A pytest plugin that runs the same tests again and again, each time with one file changed.

pytest, its plugins and what the tests import from elsewhere are loaded once; each trial is a fork
made before anything of the repository is imported. A changed file is given to the import system
alone: the change is never written to the tree, and a program that a test starts sees the file as it
is. The trials stand in `trials.jsonl` beside the copy of this file that is loaded, the outcomes go
to `outcomes.txt`. It runs in the interpreter of the repository under test: it must import nothing
but the standard library and pytest, nor need more than Python 3.6.
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
_LEAST, _FACTOR = 1.0, 5.0
"""Seconds that a trial has, or this many times what the tests take unchanged: many a change makes
a loop endless."""
_SHARE = 3
"""The tests as they are may take this fraction of all the time."""
_TICK = 0.002
"""Seconds between two looks at a child."""
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MODULES = os.path.join(_FOLDER, "modules.txt")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> "Generator[None, None, None]":
    seconds = float(os.environ.pop("PARITY_TRIAL_SECONDS", "0"))
    if seconds:
        _run(seconds)
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: "pytest.Config") -> None:
    # A worker of pytest-xdist is a process of its own, without the change.
    for name, value in (("numprocesses", 0), ("dist", "no"), ("tx", [])):
        if hasattr(config.option, name):
            setattr(config.option, name, value)


def _run(seconds: float) -> None:
    """Return in the children only."""
    most = seconds / _SHARE
    code = _fork(most, "", b"")
    if code is None:
        return
    if code == _USAGE:
        os._exit(code)
    limit = _LEAST
    if code >= _FAILED:  # it came to an end
        _import()
        began = time.monotonic()
        code = _fork(most, "", b"")
        if code is None:
            return
        limit = max(limit, _FACTOR * (time.monotonic() - began))
    with open(os.path.join(_FOLDER, "outcomes.txt"), "a", 1) as outcomes:
        outcomes.write(_told(code))
        if code == _FAILED:
            os._exit(0)  # none fails, so no change can make it better
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
        with suppress(Exception):  # theirs, which may raise anything out of its place
            importlib.import_module(name)
    for name in [name for name in sys.modules if _own(name)]:
        del sys.modules[name]  # it came along; each trial needs its own


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
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if path:
            _give(path, data)
        return None
    with suppress(OSError):
        os.setpgid(child, child)  # whichever of the two comes first

    def leave(number: int, frame: "FrameType | None") -> None:
        _kill(child)
        os._exit(1)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    end = time.monotonic() + limit
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > end:
            _kill(child)
            os.waitpid(child, 0)
            return -1
        time.sleep(_TICK)
    _kill(child)  # what it started
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1


def _kill(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


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
                file.write("\n".join(filter(_foreign, list(sys.modules))))
        os._exit(_FAILED + min(self.failed, _MANY) if self.passed or self.failed else 1)


def _foreign(name: str) -> bool:
    return _file(name) != os.devnull and not _own(name) and name not in ("__main__", "conftest")


def _own(name: str) -> bool:
    """Whether a module is the repository's."""
    path = os.path.realpath(_file(name))
    return path.startswith(os.path.realpath(os.getcwd()) + os.sep) and "site-packages" not in path


def _file(name: str) -> str:
    return getattr(sys.modules[name], "__file__", None) or os.devnull


def pytest_configure(config: "pytest.Config") -> None:
    config.pluginmanager.register(_Verdict(), "parity-verdict")
