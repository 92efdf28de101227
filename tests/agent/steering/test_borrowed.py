"""What a new test takes from the tests there are."""

from __future__ import annotations

import pytest

from agent.steering.borrowed import Borrowed, asking, borrowed

TESTS = {
    "tests/test_a.py": """\
import pytest

SIZE = 2
SIZES = [SIZE, 3]


@pytest.fixture(scope="module")
def shelf(tmp_path):
    return made(SIZES)


def made(sizes):
    return list(sizes)


def test_one(): ...


class TestTwo: ...
""",
    "conftest.py": "from pytest import fixture\n\n\n@fixture\ndef given(): ...\n\n\nSIZE = 9\n",
}


@pytest.mark.parametrize(
    ("names", "code", "fixtures"),
    [
        (["SIZE"], "SIZE = 2", ()),
        (["made", "SIZES"], "SIZE = 2|SIZES = [SIZE, 3]|def made", ()),
        (["shelf"], "SIZE = 2|SIZES = [SIZE, 3]|@pytest.fixture|def made", ("shelf",)),
        (["given", "tmp_path"], "", ("given", "tmp_path")),
        (["test_one", "TestTwo", "nothing"], "", ()),
        ([], "", ()),
    ],
)
def test_a_name_brings_what_it_takes(names: list[str], code: str, fixtures: tuple[str]) -> None:
    found = borrowed(names, TESTS)
    assert found.fixtures == fixtures
    begins = [part.partition("(")[0] for part in found.code.split("\n\n\n")] if found.code else []
    wanted = code.split("|") if code else []
    assert [text.startswith(start) for text, start in zip(begins, wanted, strict=True)] == [
        True
    ] * len(wanted)


@pytest.mark.parametrize(
    "source",
    ['"""doc\n"""; X = 1\n', "def f(:\n", 'A = "\x0c"\n"""a\n"""; X = A\n'],
)
def test_what_cannot_be_taken_alone_is_left(source: str) -> None:
    assert borrowed(["X"], {"test_a.py": source}) == Borrowed()


def test_lines_are_counted_as_python_does() -> None:
    source = "A = 1\n\x0c\nX = [\n    1,\n]\n"
    assert borrowed(["X"], {"test_a.py": source}).code == "X = [\n    1,\n]"


def test_tests_ask_for_what_they_use() -> None:
    code = "def helper(a): ...\n\n\ndef test_a():\n    a, b\n\n\ndef test_b(c):\n    a, c\n"
    assert asking(code, ("a", "b", "c")) == code.replace("test_a()", "test_a(a, b)").replace(
        "test_b(c)", "test_b(a, c)"
    )
    assert asking("def test_a(:\n", ("a",)) == "def test_a(:\n"
