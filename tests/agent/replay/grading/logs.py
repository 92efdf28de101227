"""Logs of real runs of tests made for it: every status, and names that are hard to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYTEST = """
import pytest, warnings, sys

def test_good(): print("PASSED by its own account"); print("FAILED - so it says")
def test_bad(): assert {"a": 1} == {"a": 2}, "a - b - c"
@pytest.mark.skip(reason="not now")
def test_skipped(): pass
@pytest.mark.skipif("True", reason="nor now")
def test_skipped_too(): pass
@pytest.mark.xfail
def test_expected(): assert 0
@pytest.mark.xfail
def test_unexpected(): pass
@pytest.fixture
def broken(): raise RuntimeError("setup - broken")
def test_error(broken): pass
@pytest.mark.parametrize(
    "value",
    ["a b", "/usr/share/x.txt", "//host/x", "/a/*", "log(photon / cm)", "é", "[", "]", "a::b"],
)
def test_each(value): assert value != "a b"
class TestInside:
    def test_method(self): sys.stderr.write("ok\\n")
    @pytest.mark.parametrize("one", [1, 2])
    @pytest.mark.parametrize("two", ["x-y", "z"])
    def test_two(self, one, two): assert one == 1
"""
UNITTEST = '''
import sys, unittest

class Cases(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    def test_error(self): raise ValueError("x")
    @unittest.skip("not now")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    def test_told(self):
        """Its first line is its name."""
    def test_told_and_bad(self):
        """A name ... with dots in it."""
        self.fail()
    def test_talks(self):
        sys.stderr.write("Testing against Django installed in '/x'\\nsilenced).\\n")
    def test_noisy(self):
        sys.stderr.write("Internal Server Error: /path/\\n")
    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n): self.assertNotEqual(n, 1)

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError("no")
    def test_never(self): pass
'''
WRITTEN = """\
FAILED
PASSED
SKIPPED [3] tests/test_a.py:7: reason
SKIPPED tests/test_a.py::test_s
PASSED [100%]
ERROR tests/test_a.py - ImportError: no
FAILED tests/test_a.py::test_x - assert 1 - 2
FAILED tests/test_a.py::test_y[a - b] - assert 1
XFAIL tests/test_a.py::test_z
XPASS tests/test_a.py::test_w
\x1b[32mPASSED\x1b[0m tests/test_a.py::\x1b[1mtest_colour\x1b[0m
[32mPASSED[0m tests/test_a.py::test_half
tests/test_a.py::test_old PASSED
tests/test_a.py::test_old[a b] FAILED
tests/test_a.py::test_progress PASSED                       [ 50%]
PASSED tests/test_b.py::test_path[/home/me/a/b.txt-x]
PASSED tests/test_b.py::test_path[http://a/b]
PASSED tests/test_b.py::test_mouse[MouseButton.LEFT]
________ sympy/core/tests/test_basic.py:test_structure ________
test_one ok
test_two F
test_three E
test_four[slow] ok
  test_five   ok
test_six f
test_a (app.tests.T.test_a) ... ok
test_b (app.tests.T) ... OK
test_c (app.tests.T) ...  OK
test_d (app.tests.T) ... skipped 'x'
test_e (app.tests.T) ... FAIL
test_f (app.tests.T) ... ERROR
FAIL: test_g (app.tests.T)
ERROR: test_h (app.tests.T)
test_i (app.tests.T) ... some output
ok
Applying sites.0002_alter_domain_unique...test_no_migrations (x.Y) ... ok
--version is equivalent to version ... ok
test_j (a.B) ... Testing against Django installed in '/x' (0 silenced).
ok
test_k (a.B) ... Internal Server Error: /a/b/
ok
test_l (a.B) ... System check identified no issues (0 silenced)
ok
"""


def recorded(folder: Path) -> list[str]:
    """Runs pytest and unittest; what they printed, and lines that other runners print."""
    (folder / "test_made.py").write_text(PYTEST)
    (folder / "test_unit.py").write_text(UNITTEST)
    (folder / "test_broken.py").write_text("import nothing_of_this_name\n")
    runs = (
        ("-m", "pytest", "-rA", "-p", "no:cacheprovider"),
        ("-m", "pytest", "-rA", "-v", "--color=yes", "-p", "no:cacheprovider"),
        ("-m", "unittest", "-v", "test_unit"),
    )
    return [WRITTEN, *(_output(argv, folder) for argv in runs)]


def _output(argv: tuple[str, ...], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    return done.stdout.decode()
