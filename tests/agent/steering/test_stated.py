"""Values of an issue, and what a test expects."""

from __future__ import annotations

import pytest

from agent.steering.stated import holds, versions

LOG = """# The log cannot be read

    >>> read(["08:00 19.5", "09:00 error"])
    ValueError: could not convert

I expected `[('08:00', 19.5), ('10:00', 21.0)]`, or 'nothing' for an empty one.
The card prints `kick x...x.x.` and should print `kick x...x...`. It has 7 lines, see
https://example.org/8
"""


def written(expected: str) -> str:
    return f"def test_issue():\n    assert read() == {expected}\n    assert other() == 'nothin'\n"


@pytest.mark.parametrize(
    ("expected", "stated"),
    [
        ("['08:00', 19.5, '10:00', 21.0]", "[('08:00', 19.5), ('10:00', 21.0)]"),
        ("'kick x..x...'", "'kick x...x...'"),
        ("'kick x...x.x.'", "'kick x...x.x.'"),  # is said, too
        ("'something else'", "'something else'"),
        ("6", "6"),
        ("value", "value"),
        ("('noting')", "('nothing')"),
    ],
)
def test_a_value_that_is_nearly_the_issues_becomes_it(expected: str, stated: str) -> None:
    assert next(versions(LOG, written(expected), shown=True)) == written(stated)


def test_a_value_that_is_stated_may_be_what_is_wrong_now() -> None:
    both = [written("'kick x...x.x.'"), written("'kick x...x...'")]
    assert list(versions(LOG, both[0], shown=True)) == both
    assert list(versions(LOG, both[0], shown=False)) == both[:1]
    assert list(versions(LOG, both[1], shown=True)) == both[::-1]


def test_a_value_that_is_nearly_stated_may_be_right() -> None:
    nearly = "['08:00', 19.5, '10:00', 21.0]"
    stated = "[('08:00', 19.5), ('10:00', 21.0)]"
    assert list(versions(LOG, written(nearly), shown=False)) == [written(stated), written(nearly)]


@pytest.mark.parametrize(
    ("issue", "expected", "kept"),
    [
        ("`show(185)` gives 3:5 and not 3:05.", "'185'", False),
        ("`show(185)` gives 3:5 and not 3:05.", "185", False),
        ("`show(185)` gives 3:5 and not 3:05.", "'3:05'", True),
        ("`show(185)` gives 3:5 and should leave 185 as it is.", "'185'", True),
        ("`show(185)` gives 3:5; it should be left unchanged.", "'185'", True),
    ],
)
def test_a_value_that_only_goes_in_does_not_come_out(issue: str, expected: str, kept: bool) -> None:
    test = f"def test_issue():\n    assert show(185) == {expected}\n"
    assert (test in versions(issue, test, shown=True)) is kept


@pytest.mark.parametrize(
    ("raises", "wanted"),
    [
        ("pytest.raises(Empty)", "pytest.raises(ValueError)"),
        ("self.assertRaises(shop.Empty, f)", "self.assertRaises(ValueError, f)"),
        ("pytest.raises(builtins.ValueError)", "pytest.raises(builtins.ValueError)"),
        ("pytest.raises((KeyError, Empty))", "pytest.raises((KeyError, Empty))"),
    ],
)
def test_the_exception_is_the_one_that_the_issue_names(raises: str, wanted: str) -> None:
    code = "def test_issue():\n    with {}:\n        read()\n"
    assert next(versions(LOG, code.format(raises), shown=True)) == code.format(wanted)
    more = f"{LOG} Not a KeyError."
    assert next(versions(more, code.format(raises), shown=True)) == code.format(raises)


def test_what_is_no_python_stays() -> None:
    assert next(versions(LOG, "def test(:\n", shown=True)) == "def test(:\n"
    assert not holds(LOG, "def test(:\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("assert read() == [('08:00', 19.5), ('10:00', 21.0)]", True),
        ("assert read() == ['08:00']", True),
        ("assert read() == ['08:00', '11:00']", False),
        ("assert read() == [Reading('08:00', 19.5)]", True),
        ("assert read() == [Reading('08:00', 18)]", False),
        ("assert read() == -7", True),
        ("assert read() == ''", False),
        ("assert read() == 'kick x...x...'", True),
        ("assert read() == 7", True),
        ("assert read() == 19.5", True),
        ("assert read() == 19", False),
        ("assert read() is None", False),
        ("assert read()", False),
        ("assert read() == other()", False),
        ("assert read() == 5\nassert read() == 7", True),
        ("with pytest.raises(ValueError):\n    read()", True),
        ("with pytest.raises(KeyError):\n    read()", False),
    ],
)
def test_whether_the_issue_says_what_is_expected(code: str, said: bool) -> None:
    assert holds(LOG, code) is said
