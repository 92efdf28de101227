"""Real test runs in real repositories: what passes, fails, hangs, dies, and what is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tools.base import Toolbox
from tools.errors import Cancelled, ToolError
from tools.sandbox import Tier, detect
from tools.testing.commands import Runner, TestCommand, parse_command
from tools.testing.reports import Gist, Outcome, TestCase, TestRun
from tools.testing.runners import run_tests
from tools.tests import RunTests

# Half of a short run is the loading of whatever plugins are installed beside pytest.
PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest"
UNITTEST = f"{sys.executable} -m unittest discover"
CODE = """\
def double(x):
    return x + 2


def pick(d):
    return d["k"]


def spin():
    while True:
        pass
"""


def write(root: Path, **files: str) -> None:
    for name, text in {"code": CODE, **files}.items():
        (root / f"{name}.py").write_text(text)


def run(root: Path, command: str | TestCommand, *only: str, timeout: float = 60) -> TestRun:
    parsed = parse_command(command) if isinstance(command, str) else command
    return run_tests(parsed, root, threading.Event(), timeout, only)


def by_id(run: TestRun) -> dict[str, TestCase]:
    return {case.id: case for case in run.cases}


def git(root: Path, *args: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *args], check=True, capture_output=True, text=True
    ).stdout


OUTCOMES = """\
import pytest
from code_ import double, pick

def test_ok():
    assert double(2) == 4

def test_bad():
    assert double(3) == 6

def test_split():
    assert double(
        3
    ) == 6

class TestPick:
    @pytest.mark.parametrize("d", [{}, {"k": 1}])
    def test_pick(self, d):
        pick(d)

@pytest.fixture
def broken():
    raise RuntimeError("no fixture today")

def test_fixture(broken): pass

@pytest.mark.xfail
def test_expected(): assert 0

@pytest.mark.xfail
def test_unexpected(): pass

@pytest.mark.skip(reason="not now")
def test_skipped(): pass
""".replace("code_", "code_under_test")


def test_pytest_outcomes_messages_and_frames(tmp_path: Path) -> None:
    write(tmp_path, code_under_test=CODE, test_a=OUTCOMES, test_b="import absent_module\n")
    result = run(tmp_path, PYTEST)
    cases = by_id(result)
    assert {name.removeprefix("test_a.py::"): case.outcome for name, case in cases.items()} == {
        "test_ok": Outcome.PASSED,
        "test_bad": Outcome.FAILED,
        "test_split": Outcome.FAILED,
        "TestPick::test_pick[d0]": Outcome.FAILED,
        "TestPick::test_pick[d1]": Outcome.PASSED,
        "test_fixture": Outcome.ERROR,
        "test_expected": Outcome.XFAIL,
        "test_unexpected": Outcome.XPASS,
        "test_skipped": Outcome.SKIPPED,
        "test_b.py": Outcome.ERROR,
    }
    assert cases["test_a.py::test_bad"].message == (
        "test_a.py:8 in test_bad: assert double(3) == 6\n"
        "E   assert 5 == 6\n"
        "E    +  where 5 = double(3)"
    )
    assert "assert double( 3 ) == 6" in cases["test_a.py::test_split"].message
    pick = cases["test_a.py::TestPick::test_pick[d0]"]
    assert pick.frames == (("test_a.py", 18), ("code_under_test.py", 6))
    assert "code_under_test.py:6 in pick: return d[\"k\"]\nE   KeyError: 'k'" in pick.message
    assert "no fixture today" in cases["test_a.py::test_fixture"].message
    assert "No module named 'absent_module'" in cases["test_b.py"].message
    assert cases["test_b.py"].frames == (("test_b.py", 1),)
    assert not result.ok
    assert result.code == 1
    assert "test_a.py::test_unexpected" in result.passed
    assert result.failed >= {"test_b.py", "test_a.py::test_bad"}
    assert result.summary().startswith(
        "2 passed, 3 failed, 2 error, 1 skipped, 1 xfailed, 1 xpassed in "
    )


def test_each_test_tells_which_functions_of_the_repository_it_calls(tmp_path: Path) -> None:
    code = (
        "import json\n\n\ndef outer(x):\n    return inner(x)\n\n\ndef inner(x):\n"
        "    return json.dumps(x)\n\n\ndef idle():\n    pass\n"
    )
    tests = "from code_u import idle, outer\ndef test_a(): outer(1)\ndef test_b(): assert idle()\n"
    write(tmp_path, code_u=code, test_a=tests)
    cases = by_id(run(tmp_path, PYTEST))
    assert cases["test_a.py::test_a"].calls == (
        ("test_a.py", 2),
        ("code_u.py", 4),
        ("code_u.py", 8),
    )
    assert cases["test_a.py::test_b"].calls == (("test_a.py", 3), ("code_u.py", 12))


def test_a_test_that_traces_by_itself_is_left_to_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        test_a="import sys\ndef mine(*a): return None\n"
        "def test_a():\n    sys.settrace(mine)\n    assert sys.gettrace() is mine\n",
    )
    assert run(tmp_path, PYTEST).ok


def test_brief_is_short_and_says_why(tmp_path: Path) -> None:
    failing = "".join(f"def test_{i}():\n    assert [{i}] * 900 == {{}}\n" for i in range(6))
    write(tmp_path, test_many=failing)
    result = run(tmp_path, PYTEST)
    brief = result.brief()
    assert brief.startswith("FAILED test_many.py::test_0\ntest_many.py:2 in test_0: assert [0] *")
    assert brief.endswith("and 3 more failing")
    assert brief.count("\nE   assert") == 3
    assert len(brief) <= 1500
    for limit in (0, 10, 100, 400, 800):
        assert len(result.brief(limit)) <= limit
    gist = result.gist()
    assert (gist.ok, gist.failure) == (False, "failed test_many.py::test_0")
    assert gist.error.startswith("E   assert [0,")
    assert len(gist.error) < 200


def test_all_pass_and_none_found(tmp_path: Path) -> None:
    write(tmp_path, test_a="def test_ok(): pass\n")
    result = run(tmp_path, PYTEST)
    assert result.ok
    assert result.brief() == ""
    assert result.gist() == Gist(ok=True)
    assert result.summary().startswith("1 passed in ")
    (tmp_path / "test_a.py").unlink()
    empty = run(tmp_path, PYTEST)
    assert empty.ok
    assert not empty.cases


def test_a_test_that_hangs_is_stopped_and_the_rest_runs(tmp_path: Path) -> None:
    test = "from code_u import spin\ndef test_a(): spin()\ndef test_b(): spin()\ndef test_c(): 0\n"
    write(tmp_path, code_u=CODE, test_hang=test)
    result = run(tmp_path, PYTEST, timeout=12)
    cases = by_id(result)
    assert not result.timed_out
    assert result.passed == {"test_hang.py::test_c"}
    hung = cases["test_hang.py::test_a"]
    assert hung.outcome is Outcome.FAILED
    assert hung.frames[-1][0] == "code_u.py"
    assert "timed out: no end after 3 s" in hung.message
    assert "no end after 0.75 s" in cases["test_hang.py::test_b"].message


def test_an_import_that_hangs_is_ended_and_the_place_named(tmp_path: Path) -> None:
    write(tmp_path, test_hang="def test_ok(): pass\nwhile True: pass\n")
    result = run(tmp_path, PYTEST, timeout=8)
    assert result.timed_out
    assert result.code is None
    assert not result.ok
    assert [case.frames for case in result.failures] == [(("test_hang.py", 2),)]
    assert "test_hang.py:2 in <module>: while True: pass" in result.brief()
    assert "stopped at the timeout" in result.summary()
    assert result.seconds < 11


def test_a_hang_that_swallows_every_interrupt_is_named(tmp_path: Path) -> None:
    test = (
        "import time\n"
        "def test_ok(): pass\n"
        "def test_deaf():\n"
        "    while True:\n"
        "        try:\n"
        "            while True: time.sleep(0.01)\n"
        "        except BaseException: pass\n"
    )
    write(tmp_path, test_hang=test)
    result = run(tmp_path, PYTEST, timeout=8)
    assert result.timed_out
    assert result.passed == {"test_hang.py::test_ok"}
    assert result.failed == {"test_hang.py::test_deaf"}
    assert "timed out" in result.brief()


@pytest.mark.parametrize(
    ("end", "words"), [("os.abort()", "SIGABRT"), ("os._exit(0)", "exit code 0")]
)
def test_a_process_that_dies_keeps_the_results_before(tmp_path: Path, end: str, words: str) -> None:
    write(tmp_path, test_die=f"import os\ndef test_ok(): pass\ndef test_die(): {end}\n")
    result = run(tmp_path, PYTEST)
    assert result.passed == {"test_die.py::test_ok"}
    assert result.failed == {"test_die.py::test_die"}
    assert words in result.brief()
    assert not result.ok


def test_configured_options_of_absent_plugins_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option -x\n")
    write(tmp_path, test_a="def test_a(): assert 0\ndef test_b(): pass\n")
    result = run(tmp_path, PYTEST)
    assert result.failed == {"test_a.py::test_a"}
    assert result.passed == {"test_a.py::test_b"}


def test_options_of_the_user_win_over_ours(tmp_path: Path) -> None:
    write(tmp_path, test_a="def test_a(): assert 0\ndef test_b(): pass\n")
    assert run(tmp_path, f"{PYTEST} -x").passed == set()


def test_parallel_runs_are_read_too(tmp_path: Path) -> None:
    write(tmp_path, test_a="def test_a(): assert 1 == 2\ndef test_b(): pass\n")
    result = run(tmp_path, f"{sys.executable} -m pytest -n 2")
    assert result.passed == {"test_a.py::test_b"}
    assert by_id(result)["test_a.py::test_a"].frames == (("test_a.py", 1),)


def test_only(tmp_path: Path) -> None:
    write(tmp_path, test_a="def test_a(): pass\ndef test_b(): pass\n", test_c="def test_c(): 0\n")
    command = f"{PYTEST} test_a.py test_c.py"
    assert run(tmp_path, command, "test_a.py::test_b").passed == {"test_a.py::test_b"}
    assert run(tmp_path, command, "test_c.py").passed == {"test_c.py::test_c"}
    with pytest.raises(ToolError, match=r"no test test_a\.py::test_z"):
        run(tmp_path, command, "test_a.py::test_z")


def test_ids_are_relative_to_the_workspace_below_a_configured_folder(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "part").mkdir()
    write(tmp_path / "part", test_a="def test_a(): pass\n")
    assert run(tmp_path / "part", PYTEST).passed == {"test_a.py::test_a"}


def test_frames_survive_a_test_that_changes_folder(tmp_path: Path) -> None:
    test = "def test_a(tmp_path, monkeypatch):\n    monkeypatch.chdir(tmp_path)\n    assert 0\n"
    write(tmp_path, test_a=test)
    assert run(tmp_path, PYTEST).cases[0].frames == (("test_a.py", 3),)


def test_sources_are_importable(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "inner_pkg.py").write_text("X = 1\n")
    write(tmp_path, test_a="import inner_pkg\ndef test_a(): assert inner_pkg.X == 1\n")
    argv = (sys.executable, "-m", "pytest")
    command = TestCommand(argv, Runner.PYTEST, "found", sources=("src",))
    assert run(tmp_path, command).ok
    assert not run(tmp_path, TestCommand(argv, Runner.PYTEST, "found")).ok


def test_a_run_leaves_nothing_in_the_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    write(tmp_path, code_u=CODE, test_a="import code_u\ndef test_a(): assert 0\n")
    git(tmp_path, "add", "-A")
    before = git(tmp_path, "status", "--porcelain", "--ignored")
    run(tmp_path, PYTEST)
    run(tmp_path, UNITTEST)
    assert git(tmp_path, "status", "--porcelain", "--ignored") == before


def test_what_a_hostile_test_prints_or_writes_is_harmless(tmp_path: Path) -> None:
    test = (
        "import os, sys, pathlib\n"
        "def test_a():\n"
        "    folder = pathlib.Path(sys.modules['parity_recorder'].__file__).parent\n"
        "    with open(folder / 'record.jsonl', 'ab') as f:\n"
        "        f.write(b'{\"event\": \"report\"}\\n[1]\\n\\xff\\n' + b'[' * 100000 + b'\\n')\n"
        '        f.write(b\'{"event": "report", "id": 3, "frames": [[1], ["/etc", "x"]]}\\n\')\n'
        "    raise ValueError('\\x1b[2J\\u202e')\n"
    )
    write(tmp_path, test_a=test)
    result = run(tmp_path, PYTEST)
    message = by_id(result)["test_a.py::test_a"].message
    assert "\x1b" not in message + result.output
    assert "\u202e" not in message + result.output
    assert not result.ok


UNIT = """\
import unittest
from code_under_test import double, pick


class TestIt(unittest.TestCase):
    def test_ok(self):
        print("noise")
        self.assertEqual(double(2), 4)

    def test_bad(self):
        \"\"\"What it is about.\"\"\"
        self.assertEqual(double(3), 6)

    def test_pick(self):
        pick({})

    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertEqual(i, 1)

    @unittest.skip("not now")
    def test_skip(self): pass

    @unittest.expectedFailure
    def test_expected(self): self.fail()


class TestSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError("no setup today")
    def test_never(self): pass
"""


@pytest.mark.parametrize("folder", ["", "tests"])
def test_unittest_outcomes_messages_and_frames(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    write(tmp_path, code_under_test=CODE)
    write(tmp_path / folder, test_a=UNIT, test_b="import absent_module\n")
    result = run(tmp_path, f"{UNITTEST} -s {folder}" if folder else UNITTEST)
    prefix = f"{folder}/" if folder else ""
    cases = {name.removeprefix(prefix): case for name, case in by_id(result).items()}
    assert {name: case.outcome for name, case in cases.items()} == {
        "test_a.py::TestIt::test_ok": Outcome.PASSED,
        "test_a.py::TestIt::test_bad": Outcome.FAILED,
        "test_a.py::TestIt::test_pick": Outcome.FAILED,
        "test_a.py::TestIt::test_sub": Outcome.FAILED,
        "test_a.py::TestIt::test_skip": Outcome.SKIPPED,
        "test_a.py::TestIt::test_expected": Outcome.XFAIL,
        "test_a.py::TestSetUp::setUpClass": Outcome.ERROR,
        "test_b.py": Outcome.ERROR,
    }
    assert cases["test_a.py::TestIt::test_bad"].message == (
        f"{prefix}test_a.py:12 in test_bad: self.assertEqual(double(3), 6)\n"
        "E   AssertionError: 5 != 6"
    )
    assert cases["test_a.py::TestIt::test_pick"].frames == (
        (f"{prefix}test_a.py", 15),
        ("code_under_test.py", 6),
    )
    one = run(tmp_path, f"{UNITTEST} -s {folder or '.'}", f"{prefix}test_a.py::TestIt::test_ok")
    assert one.passed == {f"{prefix}test_a.py::TestIt::test_ok"}


def test_unittest_that_hangs_names_test_and_place(tmp_path: Path) -> None:
    test = (
        "import unittest\nfrom code_u import spin\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): pass\n"
        "    def test_b(self): spin()\n"
    )
    write(tmp_path, code_u=CODE, test_hang=test)
    result = run(tmp_path, UNITTEST, timeout=2)
    assert result.timed_out
    assert result.passed == {"test_hang.py::T::test_a"}
    hung = by_id(result)["test_hang.py::T::test_b"]
    assert hung.outcome is Outcome.ERROR
    assert hung.frames[-1][0] == "code_u.py"


def test_other_commands_are_judged_by_their_exit_code(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("test:\n\t@echo 'file.c:3: wrong'; exit 1\nok:\n\t@true\n")
    bad = run(tmp_path, "make test")
    assert bad.failed == {"make test"}
    assert "file.c:3: wrong" in bad.brief()
    assert run(tmp_path, "make ok").passed == {"make ok"}


def test_a_program_that_is_not_there_is_a_failing_run(tmp_path: Path) -> None:
    result = run(tmp_path, "no-such-runner test")
    assert result.failed == {"no-such-runner test"}
    assert result.code is None
    assert "no program named 'no-such-runner'" in result.brief()


def test_cancel(tmp_path: Path) -> None:
    write(tmp_path, test_a="import time\ndef test_a(): time.sleep(60)\n")
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run_tests(parse_command(PYTEST), tmp_path, cancel, 60)
    assert time.monotonic() - started < 5


def test_the_tool(tmp_path: Path) -> None:
    write(tmp_path, test_a="def test_a(): assert 1 == 2\ndef test_b(): pass\n")
    toolbox = Toolbox.of([RunTests(tmp_path, parse_command(PYTEST), timeout=60)])
    result = toolbox.call("run_tests", {}, threading.Event())
    assert result.output.startswith("1 passed, 1 failed in ")
    assert "FAILED test_a.py::test_a\ntest_a.py:1 in test_a:" in result.output
    assert result.display.startswith("tests: 1 passed, 1 failed (")
    assert result.display.endswith(" s)")
    assert isinstance(result.details, TestRun)
    only = toolbox.call("run_tests", {"only": "test_a.py::test_b"}, threading.Event())
    assert only.output.startswith("1 passed in ")
    for bad in ("--help", "absent.py", "test_a.py::test_z"):
        refused = toolbox.call("run_tests", {"only": bad}, threading.Event())
        assert not refused.ok
        assert bad in refused.output


def test_in_a_sandbox_the_results_come_out_and_a_hang_still_says_where(tmp_path: Path) -> None:
    sandbox = detect(tmp_path)
    if sandbox.tier is Tier.NONE:
        pytest.skip("needs a sandbox")
    (tmp_path / "conftest.py").write_text("open('/etc/parity-test', 'w').write('x')\n")
    write(tmp_path, test_a="def test_a(): pass\n")
    cancel = threading.Event()
    broken = run_tests(parse_command(PYTEST), tmp_path, cancel, 60, sandbox=sandbox)
    assert not broken.passed
    assert "/etc/parity-test" in broken.brief()
    (tmp_path / "conftest.py").unlink()
    write(
        tmp_path, test_a="def test_a(): pass\n", test_b="import u\ndef test_b(): u.spin()\n", u=CODE
    )
    command = parse_command(f"{PYTEST} -p no:parity-watch")
    result = run_tests(command, tmp_path, cancel, 4, sandbox=sandbox)
    assert result.passed == {"test_a.py::test_a"}
    hung = by_id(result)["test_b.py::test_b"]
    assert "u.py" in hung.frames[-1]
    assert {path.name for path in tmp_path.iterdir()} >= {"test_a.py"}
    assert not (tmp_path / ".agent").exists()
