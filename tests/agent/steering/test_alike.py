"""What a change replaced, where the same stands, and what becomes of it there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from agent import events
from agent.events import Event, Status
from agent.steering.alike import Slip, corrected, missed, slip
from tests.agent.steering.test_guided import call, ended
from tests.agent.steering.test_guided import conduct as conduct_with

CODE = """\
def price(prices, name):
    return prices[name.strip()]


def take(store, name):
    key = name.strip()
    return store[key]


def label(name):
    return name.strip()
"""
TESTS = """\
from calc import label, price, take


def test_price():
    assert price({"basil": 1}, "Basil") == 1


def test_take():
    assert take({"basil": 2}, "basil") == 2


def test_label():
    assert label(" Basil ") == "Basil"
"""
PRICE = "def price(prices, name):\n    return prices[name.strip().lower()]\n"
TASK = '`price(prices, "Basil")` raises KeyError, and `take(store, "Basil")` does as well.'
conduct = partial(conduct_with, code=CODE, tests=TESTS, task=TASK)


def code(tmp_path: Path) -> str:
    return (tmp_path / "repository" / "calc.py").read_text()


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ("x = a[b.strip()]\n", "x = a[b.strip().lower()]\n", "b.strip()", "b.strip().lower()"),
        ("if a.b is None:\n    c\n", "if not a.b:\n    c\n", "a.b is None", "not a.b"),
        ("x = f(a.b + 1)\n", "x = f(a.b)\n", "a.b + 1", "a.b"),
        ("é = größe < b\n", "é = größe <= b\n", "größe < b", "größe <= b"),
        ("x = a.b\r\ny = 1\r\n", "x = a.c\r\ny = 1\r\n", "a.b", "a.c"),
        ("x = f(int(a), b)\n", "x = f(round(a), b)\n", "int(a)", "round(a)"),
    ],
)
def test_the_expression_that_was_replaced_is_found(
    before: str, after: str, old: str, new: str
) -> None:
    found = slip(before.encode(), after.encode())
    assert found == Slip(old.encode(), new.encode(), before.encode().index(old.encode()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a\n", "x = b\n"),
        ("x = 1\n", "x = 2\n"),
        ("x = self.a()\n", "x = self.a() - self.b()\n"),
        ("x = a.b\n", "x = a.b\ny = 2\n"),
        ("x = a.b\ny = a.b\n", "x = a.c\ny = a.c\n"),
        ("x = a.b\n", "x = a.b\n"),
        ("x = (\n", "x = (a.b\n"),
        ("", "x = a.b\n"),
        ("for a in b:\n    c(a)\n", "for a in b:\n    c(a)\n    break\n"),
    ],
    ids=[
        "a name",
        "a number",
        "a method",
        "a line more",
        "two",
        "none",
        "no Python",
        "new",
        "a statement",
    ],
)
def test_other_changes_are_no_slip(before: str, after: str) -> None:
    assert slip(before.encode(), after.encode()) is None


def test_every_place_in_a_definition_is_corrected_once() -> None:
    wrong = Slip(b"a.b()", b"a.b().c()", 0)
    code = b"    def f(self, a):\n        return a.b(), [a.b() for a in xa.b()], a.b().c()\n"
    right = code.replace(b"return a.b()", b"return a.b().c()").replace(b"[a.b()", b"[a.b().c()")
    assert corrected(code, wrong) == right
    assert corrected(right, wrong) == right


def test_another_function_is_called_for_what_goes_by_the_same_name() -> None:
    wrong = Slip(b"int(minutes)", b"round(minutes)", 0)
    code = b"def row(leg):\n    return [int(leg.minutes()), int(leg.km), print(int(minutes))]\n"
    assert corrected(code, wrong) == code.replace(b"int(leg.m", b"round(leg.m").replace(
        b"(int(minutes", b"(round(minutes"
    )


def test_what_is_not_known_there_is_not_put_there() -> None:
    code = b"def g(prices, name):\n    return prices[name]\n"
    assert corrected(code, Slip(b"prices[name]", b"prices.get(name, default)", 0)) == code
    assert corrected(code, Slip(b"prices[name]", b"prices.get(name, None)", 0)) != code


def test_whatever_asks_for_an_overlap_is_mended() -> None:
    wrong = Slip(b"a <= d and c <= b", b"a < d and c < b", 0)
    code = b"def g(use, first, last):\n    return use[0] <= last and first <= use[1], first <= 1\n"
    right = code.replace(b"use[0] <= last and first <= use[1]", b"use[0] < last and first < use[1]")
    assert corrected(code, wrong) == right
    mixed = b"def g(a, b, c, d):\n    return [x for x in a if b <= c and x >= d]\n"
    assert b"if b < c and x > d" in corrected(mixed, wrong)
    for other in (b"x <= y and y <= z", b"x < y and z < w", b"x <= y and z", b"x <= y < z"):
        assert corrected(b"def g():\n    return %s\n" % other, wrong).endswith(b"%s\n" % other)


def test_what_is_assigned_is_left_alone() -> None:
    code = b"def g(order):\n    order.total = 0\n    return order.total\n"
    right = b"def g(order):\n    order.total = 0\n    return order.count\n"
    assert corrected(code, Slip(b"order.total", b"order.count", 0)) == right


def test_the_same_slip_is_mended_where_the_issue_speaks_of_it(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [call("price", PRICE)])
    assert ended(seen).status is Status.VERIFIED
    mended = "key = name.strip().lower()"
    assert code(tmp_path) == CODE.replace(
        "prices[name.strip()", "prices[name.strip().lower()"
    ).replace("key = name.strip()", mended)


def test_it_is_left_where_the_issue_does_not(tmp_path: Path) -> None:
    conduct(tmp_path, [call("price", PRICE)], task='`price(prices, "Basil")` raises KeyError.')
    assert code(tmp_path) == CODE.replace("prices[name.strip()", "prices[name.strip().lower()")


def test_it_is_left_where_a_test_minds(tmp_path: Path) -> None:
    task = f"{TASK} The label is right."
    seen = conduct(tmp_path, [call("price", PRICE)], task=task)
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert code(tmp_path) == CODE.replace("prices[name.strip()", "prices[name.strip().lower()")


def test_what_was_mended_first_stays_where_the_turn_ends_meanwhile(tmp_path: Path) -> None:
    def told(event: Event) -> bool:
        return isinstance(event, events.Notice) and "elsewhere" in event.text

    seen = conduct(tmp_path, [call("price", PRICE)], stop=told)
    assert ended(seen).status is Status.INTERRUPTED
    assert code(tmp_path) == CODE.replace("prices[name.strip()", "prices[name.strip().lower()")


BANK = """\
def pay(balance, amount):
    \"\"\"In.\"\"\"
    return balance + amount


def draw(balance, amount):
    return balance - amount


def show(balance):
    return str(balance)
"""
BANKING = """\
import pytest

from calc import draw, pay


def test_pay():
    with pytest.raises(ValueError):
        pay(1, -1)


def test_draw():
    assert draw(3, 2) == 1
"""
GUARD = "    if amount <= 0:\n        raise ValueError(amount)\n"
PAY = f"def pay(balance, amount):\n{GUARD}    return balance + amount\n"


def test_a_guard_goes_into_the_other_functions_that_the_issue_speaks_of(tmp_path: Path) -> None:
    task = "`pay(1, -1)` and `draw(1, -1)` should raise a ValueError; `show` is right."
    seen = conduct(tmp_path, [call("pay", PAY)], task=task, code=BANK, tests=BANKING)
    assert ended(seen).status is Status.VERIFIED
    _, draw, show = code(tmp_path).split("\n\n\n")
    assert draw == f"def draw(balance, amount):\n{GUARD}    return balance - amount"
    assert show == "def show(balance):\n    return str(balance)\n"


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        (BANK, BANK.replace('    """In."""\n', GUARD), True),
        (BANK, BANK.replace("    return balance", f"{GUARD}    return balance"), False),
        (BANK, BANK.replace("balance + amount", "amount"), False),
        (BANK, f"{BANK}size = lambda x: x if x else 0\n", False),
        (BANK, "def pay(:\n", False),
    ],
    ids=["one", "two", "another change", "no function", "no Python"],
)
def test_the_guard_that_a_change_put_in_is_found(before: str, after: str, missing: bool) -> None:
    found = missed(before.encode(), after.encode())
    assert (found is not None) is missing
