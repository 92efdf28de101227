"""The programs that judge a file with one function: what `FunctionTask.check` holds.

Owns their text and the way they end. Must not know how they are run. They are written for the
standard library alone, and each is made of the tests of one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_BEGIN = '''\
import importlib.util
import json
import os
import sys

sys.dont_write_bytecode = True
FOLDER, TOKEN = sys.argv[1:]
del sys.argv[1:]
sys.path.append(FOLDER)


def load(path, name="solution", before=None):
    """Run the file as a module, with these names in it from the start."""
    place = os.path.join(FOLDER, path)
    spec = importlib.util.spec_from_file_location(name, place)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(before or {})
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run(text, space, name="test"):
    exec(compile(text, name, "exec"), space)


'''

_END = """

def judge(token=TOKEN, write=os.write, leave=os._exit, out=sys.stdout):
    del globals()["TOKEN"]
    check()
    out.flush()
    # At the very end: neither an early exit nor one that was planned for later gets here.
    write(1, f"\\n{token}\\n".encode())
    leave(0)


judge()
"""

_HUMANEVAL = """\
def check():
    space = {"__name__": "start"}
    run(START, space, "start")
    space.update(vars(load(FILE)))
    run(TEST, space)
    space["check"](space[ENTRY])
"""

_ASSERTIONS = """\
def check():
    space = dict(vars(load(FILE)))
    for text in TESTS:
        run(text, space)
"""

_QUIXBUGS = """\
import types


class Approximate:
    def __init__(self, expected, abs):
        self.expected, self.margin = expected, abs

    def __eq__(self, other):
        return -self.margin <= other - self.expected <= self.margin


class Skip(Exception):
    pass


def skip(reason=""):
    raise Skip


def parametrize(names, values):
    def decorate(test):
        test.values = values
        return test

    return decorate


def module(name, **values):
    made = sys.modules[name] = types.ModuleType(name)
    vars(made).update(values)
    return made


def check():
    if NODE:
        run(NODE, vars(module("node")), "node")
    mark = types.SimpleNamespace(parametrize=parametrize)
    module("pytest", use_correct=False, run_slow=False, skip=skip, approx=Approximate, mark=mark)
    module("load_testdata", load_json_testcases=lambda name: json.loads(CASES))
    module("python_programs")
    load(FILE, "python_programs." + ENTRY)
    space = {"__name__": "test"}
    run(TEST, space)
    done = 0
    for name, test in list(space.items()):
        if name.startswith("test") and callable(test):
            for values in getattr(test, "values", [()]):
                try:
                    test(*values)
                    done += 1
                except Skip:
                    pass
    assert done, "no test was run"
"""

_CASES = """\
import base64
import io
import pickle
import zlib


class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError("only text is expected")


def cases():
    found = list(PUBLIC)
    if PRIVATE:
        try:
            found += json.loads(PRIVATE)
        except ValueError:
            packed = zlib.decompress(base64.b64decode(PRIVATE))
            found += json.loads(Plain(io.BytesIO(packed)).load())
    return found
"""

_CALLED = """\
import collections
import functools
import heapq
import itertools
import math
import typing

sys.setrecursionlimit(50_000)
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(50_000)


def plain(value):
    return json.loads(json.dumps(value))


def check():
    before = {name: getattr(typing, name) for name in typing.__all__}
    for known in (collections, functools, heapq, itertools, math):
        before[known.__name__] = known
        before.update((name, each) for name, each in vars(known).items() if name[0] != "_")
    space = vars(load(FILE, before=before))
    owner = space["Solution"]() if "Solution" in space else None
    call = getattr(owner, ENTRY) if owner is not None else space[ENTRY]
    for case in cases():
        values = [json.loads(line) for line in case["input"].split("\\n") if line.strip()]
        expected = json.loads(case["output"])
        found = plain(call(*values))
        assert found == expected, f"{values}: {found} is not {expected}"
"""

_PRINTED = """\
import decimal
import subprocess

ONE = 10.0  # seconds for one case


def lines(text):
    return [line.strip() for line in text.strip().split("\\n")]


def numbers(line):
    return [decimal.Decimal(word) for word in line.split()]


def equal(found, expected):
    if found == expected:
        return True
    try:
        return numbers(found) == numbers(expected)
    except decimal.InvalidOperation:
        return False


def check():
    for case in cases():
        done = subprocess.run(
            [sys.executable, "-I", "-B", os.path.join(FOLDER, FILE)],
            input=case["input"].encode(),
            stdout=subprocess.PIPE,
            timeout=ONE,
            check=True,
            cwd=FOLDER,
        )
        found, expected = lines(done.stdout.decode()), lines(case["output"])
        same = len(found) == len(expected) and all(map(equal, found, expected))
        assert same, f"{case['input']!r}: {found} is not {expected}"
"""


def _program(body: str, values: Mapping[str, object]) -> str:
    constants = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return f"{_BEGIN}{constants}\n\n{body}{_END}"


def humaneval_check(path: str, entry: str, start: str, test: str) -> str:
    """`test` defines `check(candidate)`; `start` has names that it may use."""
    return _program(_HUMANEVAL, {"FILE": path, "ENTRY": entry, "START": start, "TEST": test})


def assertions_check(path: str, tests: Sequence[str]) -> str:
    """Statements that see what the file defines."""
    return _program(_ASSERTIONS, {"FILE": path, "TESTS": list(tests)})


def quixbugs_check(path: str, entry: str, test: str, cases: str, node: str) -> str:
    """`test` is a file for pytest, which is not needed; `cases` JSON; `node` a module, or empty."""
    values = {"FILE": path, "ENTRY": entry, "TEST": test, "CASES": cases, "NODE": node}
    return _program(_QUIXBUGS, values)


def called_check(path: str, entry: str, public: Sequence[object], private: str) -> str:
    """Cases with a JSON value a line as input, and one as output.

    Args:
        private: More of them as JSON, or as the set packs them; empty for none.
    """
    values = {"FILE": path, "ENTRY": entry, "PUBLIC": list(public), "PRIVATE": private}
    return _program(_CASES + "\n\n" + _CALLED, values)


def printed_check(path: str, public: Sequence[object], private: str) -> str:
    """Cases with what a program reads and what it prints."""
    values = {"FILE": path, "PUBLIC": list(public), "PRIVATE": private}
    return _program(_CASES + "\n\n" + _PRINTED, values)
