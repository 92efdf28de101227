"""A pytest plugin that writes down each test as it starts and ends, and stops one that hangs.

A line of JSON for each event goes to `record.jsonl` beside the copy of this file that is loaded,
so that a crash or a kill loses nothing. It runs in the interpreter of the repository under test:
it must import nothing but the standard library and pytest, nor need more than Python 3.6.
"""

import json
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import CodeType, FrameType, TracebackType

    import pluggy

_TEXT = 20_000
"""Characters kept of one failure."""
_FRAMES = 40
"""Frames kept from each end of a traceback."""
_CALLS = 50_000
"""Calls of one test that are looked at, so that looking costs it a fraction of a second."""
_FUNCTIONS = 400
"""Functions of one test that are written down."""
_AGAIN = 4
"""Once a test has hung, each later one gets this fraction of the time: most hang alike."""


def pytest_configure(config: "pytest.Config") -> None:
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Inherited from a parent in the background; the interrupt at the timeout must arrive.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    watch = _Watch(float(os.environ.get("PARITY_ONE_TEST_SECONDS", "0")))
    config.pluginmanager.register(watch, "parity-watch")
    if not hasattr(config, "workerinput"):  # a worker's reports reach the controller
        config.pluginmanager.register(_Record(config), "parity-record")


class _Watch:
    """Fails a test that takes too long, notes where tests raise and which functions they call.

    It lives where the tests run.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self.calls = _Calls()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self) -> "Generator[None, None, None]":
        self._start()
        yield
        self._stop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self) -> "Generator[None, None, None]":
        self._start()
        self.calls.start()
        yield
        self.calls.stop()
        self._stop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, call: "pytest.CallInfo[None]"
    ) -> "Generator[None, pluggy.Result[pytest.TestReport], None]":
        report = vars((yield).get_result())
        if call.when == "call":
            report["parity_calls"] = self.calls.functions()
        if call.excinfo is not None:
            report["parity_frames"] = _frames(call.excinfo.tb)

    def _start(self) -> None:
        if self.seconds <= 0 or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:  # else the tests use it themselves
            signal.signal(signal.SIGALRM, self._expire)
            signal.setitimer(signal.ITIMER_REAL, self.seconds / (_AGAIN if self.expired else 1))

    def _stop(self) -> None:
        # A bound method is another object each time it is taken.
        if signal.getsignal(signal.SIGALRM) == self._expire:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _expire(self, number: int, frame: "FrameType | None") -> None:
        __tracebackhide__ = True
        seconds = self.seconds / (_AGAIN if self.expired else 1)
        self.expired = True
        pytest.fail("timed out: no end after {:.3g} s".format(seconds))  # noqa: UP032


class _Calls:
    """Which functions below the folder of the tests a test calls; the first are enough."""

    def __init__(self) -> None:
        self.root = os.getcwd() + os.sep
        self.found: dict[CodeType, None] = {}  # not evaluated in a function
        self.left = 0
        self.look = self._look  # a bound method is another object each time it is taken

    def start(self) -> None:
        self.found, self.left = {}, _CALLS
        if sys.gettrace() is None:  # else a debugger or a measurement of coverage is at work
            sys.settrace(self.look)

    def stop(self) -> None:
        if sys.gettrace() is self.look:
            sys.settrace(None)

    def functions(self) -> "list[list[object]]":
        return [[code.co_filename, code.co_firstlineno, code.co_name] for code in self.found]

    def _look(self, frame: "FrameType", event: str, argument: object) -> None:
        self.left -= 1
        if self.left <= 0 or len(self.found) >= _FUNCTIONS:
            sys.settrace(None)
        elif frame.f_code.co_filename.startswith(self.root):
            self.found[frame.f_code] = None


class _Record:
    """Writes what becomes of each test; where the outcomes come together."""

    def __init__(self, config: "pytest.Config") -> None:
        self.start = os.getcwd()
        self.root = str(getattr(config, "rootpath", self.start))  # from pytest 6.1 on
        folder = os.path.dirname(os.path.abspath(__file__))
        self.file = open(os.path.join(folder, "record.jsonl"), "a", 1, "utf-8")  # noqa: SIM115
        self.owner = os.getpid()

    def _write(self, event: str, **values: object) -> None:
        if os.getpid() == self.owner:  # not from a child that a test forked
            self.file.write(json.dumps(dict(values, event=event)) + "\n")

    def _id(self, nodeid: object) -> str:
        # Relative to where pytest was started, as its own output shows it and its command takes it.
        path, separator, rest = str(nodeid).partition("::")
        if path:
            path = os.path.relpath(os.path.join(self.root, path), self.start).replace(os.sep, "/")
        return path + separator + rest

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write("start", id=self._id(nodeid))

    def pytest_runtest_logreport(self, report: "pytest.TestReport") -> None:
        self._write(
            "report",
            id=self._id(report.nodeid),
            when=str(report.when),
            outcome=str(report.outcome),
            xfail=hasattr(report, "wasxfail"),
            text=_shortened(report.longrepr),
            frames=getattr(report, "parity_frames", []),
            calls=getattr(report, "parity_calls", []),
        )

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write("finish", id=self._id(nodeid))

    def pytest_collectreport(self, report: "pytest.CollectReport") -> None:
        if report.failed:
            self._write("collect", id=self._id(report.nodeid), text=_shortened(report.longrepr))

    # Before the terminal's own, which takes longer than there may be until the kill.
    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
        self._write("interrupt", frames=_frames(excinfo.tb))

    def pytest_internalerror(self, excrepr: object) -> None:
        self._write("broken", text=_shortened(excrepr))

    def pytest_unconfigure(self) -> None:
        self.file.close()


def _frames(tb: "TracebackType | None") -> "list[list[object]]":
    found: list[list[object]] = [
        [frame.f_code.co_filename, line, frame.f_code.co_name]
        for frame, line in traceback.walk_tb(tb)
    ]
    return found if len(found) <= 2 * _FRAMES else found[:_FRAMES] + found[-_FRAMES:]


def _shortened(representation: object) -> str:
    if representation is None:
        return ""
    if isinstance(representation, tuple):  # of a skipped test: file, line, reason
        return str(representation[-1])
    text = str(representation)
    if len(text) <= _TEXT:
        return text
    return text[: _TEXT // 2] + "\n...\n" + text[-_TEXT // 2 :]
