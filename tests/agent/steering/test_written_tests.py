"""How the file of a new test begins, and what is left of the test that comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.steering import written_tests
from agent.steering.snippets import Snippet
from agent.steering.suspects import suspects
from tools.outline import Index
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun
from tools.workspace import Workspace

BOXES = """\
class Box:
    def __init__(self, size):
        self.size = size


def fill(box, by=1):
    return box.size + by


def half(x):
    return x / 3
"""
SHOP = "def price(x):\n    return x\n"
TESTS = """\
import os

from boxes import Box, fill


def test_fill():
    small = Box(1)
    big = Box(
        2)
    nested = fill(small)
    assert fill(small, by=2) == 3
"""
OTHER = "from shop import price\n\n\ndef test_price():\n    assert price(1) == 1\n"
HEAD = "import os\n\nfrom boxes import Box, fill\n\n\ndef test_issue():\n    "
TASK = "The fill of a box is wrong: Box, fill."


def opening(
    root: Path,
    snippet: Snippet | None,
    runner: Runner = Runner.PYTEST,
    tests: str = TESTS,
    folder: str = "",
) -> tuple[str, str]:
    (root / folder).mkdir(exist_ok=True)
    (root / "boxes.py").write_text(BOXES)
    (root / "shop.py").write_text(SHOP)
    (root / folder / "test_a.py").write_text(OTHER)
    (root / folder / "test_boxes.py").write_text(tests)
    workspace = Workspace(root)
    index = Index.build(workspace, None)
    place = f"{folder}/" if folder else ""
    cases = (
        TestCase(f"{place}test_a.py::test_price", Outcome.PASSED, ""),
        TestCase(f"{place}test_boxes.py::test_fill", Outcome.PASSED, ""),
    )
    run = TestRun(("pytest",), runner, cases, 0, "", 1.0)
    ranked = suspects(index, TASK, None, "")
    return written_tests.new_test(workspace, index, run, ranked, snippet)


def test_it_begins_as_the_tests_nearest_to_the_suspects_do(tmp_path: Path) -> None:
    assert opening(tmp_path, None) == ("test_issue.py", HEAD)


def test_it_lies_beside_the_tests_and_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_issue.py").write_text("")
    assert opening(tmp_path, None, folder="tests")[0] == "tests/test_issue_2.py"


@pytest.mark.parametrize(
    ("snippet", "body"),
    [
        (Snippet("", "fill(Box(3))"), "assert fill(Box(3)) == "),
        (
            Snippet("box = Box(3)\nbox.size = 4", "fill(box)"),
            "box = Box(3)\n    box.size = 4\n    assert fill(box) == ",
        ),
        (Snippet("", "str(Box)"), "assert str(Box) == "),
        (Snippet("", "len(os.listdir(fill))"), "assert len(os.listdir(fill)) == "),
        (Snippet("", "fill('assert (1)')"), "assert fill('assert (1)') == "),
    ],
)
def test_it_does_what_the_issue_shows_up_to_the_equals_sign(
    tmp_path: Path, snippet: Snippet, body: str
) -> None:
    assert opening(tmp_path, snippet) == ("test_issue.py", f"{HEAD}{body}")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("fill(small)", "small = Box(1)\n    assert fill(small) == "),
        ("fill(nested)", "small = Box(1)\n    nested = fill(small)\n    assert fill(nested) == "),
    ],
    ids=["one", "by way of another"],
)
def test_a_name_is_made_as_the_other_tests_make_it(tmp_path: Path, value: str, body: str) -> None:
    assert opening(tmp_path, Snippet("", value)) == ("test_issue.py", f"{HEAD}{body}")


def test_what_the_tests_do_not_import_is_imported(tmp_path: Path) -> None:
    assert opening(tmp_path, Snippet("", "half(4)"))[1] == (
        HEAD.replace("fill\n", "fill\nfrom boxes import half\n") + "assert half(4) == "
    )


@pytest.mark.parametrize(
    "snippet",
    [
        Snippet("", "no_such(1)"),
        Snippet("x = unheard_of(1)", "fill(x)"),
        Snippet("", "fill(big)"),
        Snippet("", "Box(1)"),
        Snippet("return 1 +", "fill(1)"),
    ],
    ids=["call", "before", "on two lines", "class", "no Python"],
)
def test_what_means_nothing_here_opens_nothing(tmp_path: Path, snippet: Snippet) -> None:
    assert opening(tmp_path, snippet)[1] == ""


def test_unittest_wants_a_class(tmp_path: Path) -> None:
    tests = (
        "import unittest\n\nfrom boxes import Box, fill\n\n\nclass T(unittest.TestCase):\n"
        "    def test_fill(self):\n        self.assertEqual(fill(Box(1)), 2)\n"
    )
    snippet = Snippet("box = Box(1)", "fill(box)")
    assert opening(tmp_path, snippet, Runner.UNITTEST, tests)[1] == (
        "import unittest\n\nfrom boxes import Box, fill\n\n\n"
        "class IssueTest(unittest.TestCase):\n    def test_issue(self):\n"
        "        box = Box(1)\n        assert fill(box) == "
    )


def test_without_tests_nothing_is_opened(tmp_path: Path) -> None:
    (tmp_path / "boxes.py").write_text(BOXES)
    workspace = Workspace(tmp_path)
    run = TestRun(("pytest",), Runner.PYTEST, (), 0, "", 1.0)
    index = Index.build(workspace, None)
    assert written_tests.new_test(workspace, index, run, ()) == ("test_issue.py", "")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            "def test_a():\n    x = 1\n    assert x == 1\n    assert x == 2\n\n\ndef b(): ...\n",
            "def test_a():\n    x = 1\n    assert x == 1\n",
        ),
        (
            "def test_a():\n    assert [\n        1\n    ] == x\n    more()\n",
            "def test_a():\n    assert [\n        1\n    ] == x\n",
        ),
        ("def test_a():\n    check()\n", "def test_a():\n    check()\n"),
        ("def test_a(:\n", "def test_a(:\n"),
        ("x = '\0'\n", "x = '\0'\n"),
    ],
)
def test_what_follows_the_first_assertion_is_left_out(content: str, wanted: str) -> None:
    assert written_tests.shortened(content) == wanted


FIXTURES = """\
import pytest

from boxes import Box, fill

SIZES = [1, 2]


def biggest():
    return max(SIZES)


@pytest.fixture
def shelf():
    return Box(biggest())


def test_fill(shelf):
    assert fill(shelf) == 3
"""


def test_what_a_fixture_gives_is_asked_for(tmp_path: Path) -> None:
    _, text = opening(tmp_path, Snippet("", "fill(shelf, SIZES[0])"), tests=FIXTURES)
    head = FIXTURES.partition("def test_fill")[0].replace("fill\n\nSIZES", "fill\n\n\nSIZES")
    assert text == f"{head}def test_issue(shelf):\n    assert fill(shelf, SIZES[0]) == "


def test_a_fixture_of_a_conftest_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import pytest\n\n\n@pytest.fixture\ndef low(): ...\n")
    assert opening(tmp_path, Snippet("", "fill(low)"))[1].endswith(
        "fill\n\n\ndef test_issue(low):\n    assert fill(low) == "
    )


def test_a_class_has_no_fixtures(tmp_path: Path) -> None:
    assert opening(tmp_path, Snippet("", "fill(shelf)"), Runner.UNITTEST, FIXTURES)[1] == ""


def test_a_helpers_assertion_is_not_the_tests() -> None:
    helper = "def filled(x):\n    assert x\n    return x\n\n\n"
    test = "def test_issue():\n    assert filled(1) == 2\n"
    assert written_tests.shortened(f"{helper}{test}    assert more\n") == f"{helper}{test}"


def test_imports_stand_behind_those_of_the_future(tmp_path: Path) -> None:
    tests = f"from __future__ import annotations\n\n{TESTS}"
    _, text = opening(tmp_path, Snippet("", "half(4)"), tests=tests)
    compile(f"{text}2\n", "test_issue.py", "exec")
    assert "from boxes import half\n" in text


def test_what_a_written_test_lacks_is_added(tmp_path: Path) -> None:
    (tmp_path / "boxes.py").write_text(BOXES)
    (tmp_path / "test_boxes.py").write_text(FIXTURES)
    workspace = Workspace(tmp_path)
    cases = (TestCase("test_boxes.py::test_fill", Outcome.PASSED, ""),)
    run = TestRun(("pytest",), Runner.PYTEST, cases, 0, "", 1.0)
    content = (
        "from boxes import fill\n\n\ndef test_issue():\n"
        "    Path(tmp_path, 'a').touch()\n    assert fill(shelf) == 4\n"
    )
    index = Index.build(workspace, None)
    done = written_tests.complete(workspace, index, run, "test_issue.py", content)
    fixture = FIXTURES[FIXTURES.index("SIZES") : FIXTURES.index("def test_fill")]
    imports = "import pytest\nfrom boxes import Box\nfrom pathlib import Path\n"
    lines, _, rest = done.removeprefix("from boxes import fill\n").partition("\n\n\n")
    assert set(lines.splitlines()) == set(imports.splitlines())
    assert rest == (
        f"{fixture}def test_issue(shelf, tmp_path):\n"
        "    Path(tmp_path, 'a').touch()\n    assert fill(shelf) == 4\n"
    )
