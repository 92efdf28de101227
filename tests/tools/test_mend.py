"""Small changes tried against a real test, and a tree that is afterwards what it was."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.approval import AllowAll, Gate
from agent.mode import Mode
from tools.action import Command
from tools.base import Prepared, Toolbox, ToolResult
from tools.errors import Cancelled, ToolError
from tools.mend import Mends, TryMends, TryMendsArguments
from tools.testing.commands import parse_command
from tools.tests import RunTests
from tools.workspace import Workspace

PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -p no:cacheprovider"
CODE = "def is_long(text):\n    return len(text) > 3\n"
TEST = "from calc import is_long\n\n\ndef test_three():\n    assert is_long('abc')\n"
ID = "test_calc.py::test_three"


def git(root: Path, *args: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c", *args],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def repository(root: Path, code: bytes, test: str) -> None:
    (root / "calc.py").write_bytes(code)
    (root / "test_calc.py").write_text(test)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "start")


def tool(root: Path) -> TryMends:
    workspace = Workspace(root)
    return TryMends(workspace, RunTests(workspace.root, parse_command(PYTEST), 60))


def tried(root: Path, symbol: str = "is_long", path: str = "calc.py", **more: object) -> ToolResult:
    places = [{"path": path, "symbol": symbol}]
    arguments = {"definitions": places, "test": ID, **more}
    return tool(root).run(TryMendsArguments.model_validate(arguments), threading.Event())


def codes(result: ToolResult) -> tuple[str, ...]:
    assert isinstance(result.details, Mends)
    return tuple(mend.code for mend in result.details.passing)


def unchanged(root: Path, code: bytes) -> None:
    assert (root / "calc.py").read_bytes() == code
    assert git(root, "status", "--porcelain") == ""


def test_what_is_given_is_tried_instead_of_small_changes(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    right = "import math\n\n\ndef is_long(text):\n    return math.sqrt(len(text)) > 1\n"
    given = ["def is_long(text):\n    return len(text) > 5\n", right, "def is_long(text):"]
    places = [{"path": "calc.py", "symbol": "is_long", "code": code} for code in given]
    arguments = TryMendsArguments.model_validate({"definitions": places, "test": ID})
    result = tool(tmp_path).run(arguments, threading.Event())
    assert codes(result) == (right,)
    assert " small changes of is_long: 1 passes" in result.display
    unchanged(tmp_path, CODE.encode())


def test_how_many_are_equally_good_is_told(tmp_path: Path) -> None:
    more = "def test_short():\n    assert not is_long('')\n"
    repository(tmp_path, CODE.encode(), f"{TEST}\n\n{more}")
    first = "def is_long(text):\n    return len(text) >= 1\n"
    given = [first, "def is_long(text):\n    return True\n", first.replace(">= 1", "> 0")]
    places = [{"path": "calc.py", "symbol": "is_long", "code": code} for code in given]
    arguments = TryMendsArguments.model_validate({"definitions": places, "test": ID})
    result = tool(tmp_path).run(arguments, threading.Event())
    assert isinstance(result.details, Mends)
    assert [mend.code for mend in result.details.passing][:2] == [given[0], given[2]]
    assert result.details.best == 2


@pytest.mark.parametrize(
    "code",
    [
        CODE.encode(),
        CODE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + CODE.encode(),
        f"# -*- coding: latin-1 -*-\n# gr\u00f6\u00dfer\n\n\n{CODE}".encode("latin-1"),
        CODE.rstrip("\n").encode(),
    ],
    ids=["plain", "CRLF", "byte order mark", "Latin-1", "no line end"],
)
def test_the_change_is_found_and_the_tree_is_as_it_was(tmp_path: Path, code: bytes) -> None:
    repository(tmp_path, code, TEST)
    result = tried(tmp_path)
    assert codes(result)[0].rstrip("\n") == CODE.replace(">", ">=").rstrip("\n")
    assert "small changes of is_long" in result.display
    unchanged(tmp_path, code)


def test_what_the_user_changed_and_did_not_commit_stays(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    (tmp_path / "calc.py").write_text(f"{CODE}\n\nOWN = 1\n")
    tried(tmp_path)
    assert (tmp_path / "calc.py").read_text() == f"{CODE}\n\nOWN = 1\n"


def test_nothing_is_found_where_no_small_change_will_do(tmp_path: Path) -> None:
    code = b"def is_long(text):\n    return text.size < 1\n"
    repository(tmp_path, code, TEST)
    result = tried(tmp_path)
    assert codes(result) == ()
    assert "0 pass" in result.display
    unchanged(tmp_path, code)


def test_the_error_that_is_named_widens_an_except(tmp_path: Path) -> None:
    code = (
        "def is_long(text):\n    try:\n        return text.size > 3\n"
        "    except KeyError:\n        return True\n"
    )
    repository(tmp_path, code.encode(), TEST)
    assert codes(tried(tmp_path)) == ()
    (first,) = codes(tried(tmp_path, error="AttributeError"))
    assert "except (KeyError, AttributeError):" in first
    unchanged(tmp_path, code.encode())


def test_a_copy_works_with_the_import_that_it_brings(tmp_path: Path) -> None:
    code = "def is_long(text):\n    return list(text)\n"
    test = (
        "from calc import is_long\n\n\ndef test_three():\n    rows = [[1]]\n"
        "    is_long(rows)[0].append(2)\n    assert rows == [[1]]\n"
    )
    repository(tmp_path, code.encode(), test)
    (first,) = codes(tried(tmp_path))
    assert first.startswith("import copy\n\n\ndef is_long")
    unchanged(tmp_path, code.encode())


def test_it_stops_when_its_seconds_are_over_though_a_change_never_ends(tmp_path: Path) -> None:
    code = "def is_long(text):\n    while True:\n        pass\n"
    repository(tmp_path, code.encode(), TEST)
    began = time.monotonic()
    result = tried(tmp_path, seconds=1.5)
    assert time.monotonic() - began < 15
    assert codes(result) == ()
    unchanged(tmp_path, code.encode())


def test_cancelled_in_the_middle_it_ends_at_once(tmp_path: Path) -> None:
    endless = "    open('seen', 'a').close()\n    while True:\n        pass\n"
    repository(tmp_path, CODE.encode(), f"def test_three():\n{endless}")
    (tmp_path / ".git" / "info" / "exclude").write_text("seen\n")
    cancel = threading.Event()
    mend = tool(tmp_path)
    named = {"definitions": [{"path": "calc.py", "symbol": "is_long"}], "test": ID}
    arguments = TryMendsArguments.model_validate(named)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            mend.run(arguments, cancel)
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until = time.monotonic() + 20
    while not (tmp_path / "seen").exists() and time.monotonic() < until:
        time.sleep(0.02)
    cancel.set()
    thread.join(5)
    assert ended
    unchanged(tmp_path, CODE.encode())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"symbol": "no_such"}, "There is no no_such in calc.py."),
        ({"path": "no.py"}, "There is no file 'no.py'"),
        ({"path": "../calc.py"}, "outside"),
        ({"test": "-x"}, "is no test"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    tmp_path: Path, more: dict[str, str], said: str
) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    with pytest.raises(ToolError, match=said) as raised:
        tried(tmp_path, **more)
    assert "\n" not in str(raised.value)
    unchanged(tmp_path, CODE.encode())


def test_a_language_without_changes_runs_nothing(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    (tmp_path / "a.js").write_text("function f(a) {\n  return a < 1;\n}\n")
    result = tried(tmp_path, "f", path="a.js")
    assert result.display.startswith("0 small changes of f")


def test_it_is_asked_about_like_the_tests_it_runs(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    arguments = {"definitions": [{"path": "calc.py", "symbol": "is_long"}], "test": ID}
    prepared = Toolbox.of([tool(tmp_path)]).prepare("try_mends", arguments)
    assert isinstance(prepared, Prepared)
    request = Gate(Mode.ASK, AllowAll(), tmp_path.resolve(), True).question(prepared)
    assert request is not None
    assert isinstance(request.action, Command)
    assert request.action.chosen == ()
    assert Gate(Mode.PLAN, AllowAll(), tmp_path, True).forbidden("try_mends", prepared.effect)


def test_the_likely_changes_of_all_come_before_the_others_of_any(tmp_path: Path) -> None:
    code = f"def first(x):\n    return x == 4\n\n\n{CODE}"
    repository(tmp_path, code.encode(), TEST)
    places = [{"path": "calc.py", "symbol": name} for name in ("first", "is_long")]
    arguments = TryMendsArguments.model_validate({"definitions": places, "test": ID})
    found = codes(tool(tmp_path).run(arguments, threading.Event()))
    assert ">= 3" in found[0]
    assert "> 2" in "".join(found[1:])
    unchanged(tmp_path, code.encode())


def test_what_is_seldom_right_can_be_left_out(tmp_path: Path) -> None:
    code = "def is_long(text, other='four'):\n    return len(text) > 3\n"
    repository(tmp_path, code.encode(), TEST)
    some, every = (codes(tried(tmp_path, rare=rare)) for rare in (False, True))
    assert set(some) < set(every)
    assert any("len(other)" in code for code in every)


def test_a_change_that_fails_more_tests_is_left_out(tmp_path: Path) -> None:
    test = f"{TEST}\n\ndef test_two():\n    assert not is_long('ab')\n"
    repository(tmp_path, CODE.encode(), test)
    found = codes(tried(tmp_path))
    assert any(">= 3" in code for code in found)
    assert not any("< 3" in code or "!= 3" in code for code in found)


def test_of_several_the_one_with_which_fewest_fail_comes_first(tmp_path: Path) -> None:
    test = f"{TEST}\n\ndef test_two():\n    assert is_long('ab')\n"
    repository(tmp_path, CODE.encode(), test)
    found = codes(tried(tmp_path))
    assert "< 3" not in found[0]
    assert [code for code in found if ">= 3" in code]


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\nfrom calc import is_long\n\n\ndef test_three():\n"
        "    if is_long('abc') is False:\n        assert 0\n    pytest.skip()\n",
        "def test_three():\n    pass\n",
    ],
    ids=["skipped", "passes as it is"],
)
def test_what_proves_nothing_is_no_passing_test(tmp_path: Path, test: str) -> None:
    repository(tmp_path, CODE.encode(), test)
    assert codes(tried(tmp_path)) == ()


def test_a_process_that_is_killed_only_fails_its_own_change(tmp_path: Path) -> None:
    code = (
        "import os\n\n\ndef is_long(text):\n    if len(text) < 3:\n        os.abort()\n"
        "    return 3 < len(text)\n"
    )
    repository(tmp_path, code.encode(), TEST)
    assert any("3 <= len" in code for code in codes(tried(tmp_path)))


def test_options_of_plugins_that_are_not_installed_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    repository(tmp_path, CODE.encode(), TEST)
    assert any(">= 3" in code for code in codes(tried(tmp_path)))


def test_a_conftest_that_imports_the_code_sees_the_change(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from calc import is_long\n")
    repository(
        tmp_path, CODE.encode(), "from conftest import is_long\n\n\n" + TEST.partition("\n")[2]
    )
    assert any(">= 3" in code for code in codes(tried(tmp_path)))


def test_other_runners_have_no_trials(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    workspace = Workspace(tmp_path)
    tests = RunTests(workspace.root, parse_command(f"{sys.executable} -m unittest"), 60)
    arguments = {"definitions": [{"path": "calc.py", "symbol": "is_long"}], "test": ID}
    parsed = TryMendsArguments.model_validate(arguments)
    result = TryMends(workspace, tests).run(parsed, threading.Event())
    assert codes(result) == ()
    assert result.display.startswith("0 small changes")


def test_a_worker_of_xdist_is_not_asked(tmp_path: Path) -> None:
    repository(tmp_path, CODE.encode(), TEST)
    workspace = Workspace(tmp_path)
    command = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -p xdist.plugin -n 2"
    tests = RunTests(workspace.root, parse_command(command), 60)
    arguments = {"definitions": [{"path": "calc.py", "symbol": "is_long"}], "test": ID}
    parsed = TryMendsArguments.model_validate(arguments)
    found = codes(TryMends(workspace, tests).run(parsed, threading.Event()))
    assert any(">= 3" in code for code in found)


def test_where_all_tests_take_too_long_the_one_counts(tmp_path: Path) -> None:
    slow = f"{TEST}\n\ndef test_slow():\n    import time\n    time.sleep(30)\n"
    repository(tmp_path, CODE.encode(), slow)
    assert any(">= 3" in code for code in codes(tried(tmp_path, seconds=8)))


def test_a_fault_that_makes_a_loop_endless_is_mended(tmp_path: Path) -> None:
    code = "def is_long(text):\n    n = 0\n    while n < 3:\n        n -= 1\n    return n == 3\n"
    repository(tmp_path, code.encode(), TEST)
    assert any("n += 1" in code for code in codes(tried(tmp_path, seconds=25)))


def test_what_came_along_with_other_modules_is_the_repositorys_own(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "dependant.py").write_text("import calc\n")
    test = f"import sys\n\nsys.path.append({str(other)!r})\nimport dependant\n{TEST}"
    repository(root, CODE.encode(), test)
    assert any(">= 3" in code for code in codes(tried(root)))


def test_what_a_trial_started_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess\n\n\ndef is_long(text):\n"
        "    subprocess.Popen(['sleep', '311'])\n    return len(text) > 3\n"
    )
    repository(tmp_path, code.encode(), TEST)
    tried(tmp_path)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "sleep 311" not in running.stdout.splitlines()
