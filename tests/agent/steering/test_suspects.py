"""Who is suspected first."""

from __future__ import annotations

from pathlib import Path

from agent.steering.suspects import mentioned, replaceable, suspects
from tools.outline import Index
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun
from tools.workspace import Workspace

SHOP = """\
from os import sep

__all__ = ["total"]
LIMIT = 10
NAME = sep


class Missing(Exception):
    pass


class Price:
    cents: int = 0
    currency: str = "EUR"
    rounded: bool = False


class Cart:
    def total(self):
        return sum(self.items) + 1

    def label(self):
        return "cart"


def shipping(total):
    return 5 if total < LIMIT else 0


def unused(total):
    return total
"""


def index_of(tmp_path: Path) -> tuple[Index, Workspace]:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text("def test_one():\n    assert True\n")
    workspace = Workspace(tmp_path)
    return Index.build(workspace, None), workspace


def line(text: str) -> int:
    return SHOP[: SHOP.index(text)].count("\n") + 1


def case(name: str, *functions: str, good: bool) -> TestCase:
    calls = tuple(("shop.py", line(f"def {function}(")) for function in functions)
    outcome = Outcome.PASSED if good else Outcome.FAILED
    return TestCase(f"test_shop.py::{name}", outcome, "assert 1 == 2", calls=calls)


def run(*cases: TestCase) -> TestRun:
    return TestRun(("pytest",), Runner.PYTEST, cases, 1, "", 0.1)


def test_what_only_failing_tests_call_comes_before_what_all_call(tmp_path: Path) -> None:
    index, _ = index_of(tmp_path)
    found = run(
        case("a", "total", "shipping", good=False),
        case("b", "shipping", good=True),
        case("c", "shipping", "label", good=True),
    )
    names = [item.symbol.name for item in suspects(index, "Something is wrong.", found, "")]
    assert names[:2] == ["Cart.total", "shipping"]


def test_without_calls_the_words_of_the_task_decide(tmp_path: Path) -> None:
    index, _ = index_of(tmp_path)
    names = [item.symbol.name for item in suspects(index, "`shipping` is too dear", None, "")]
    assert names[0] == "shipping"


def test_tests_are_never_suspects(tmp_path: Path) -> None:
    index, _ = index_of(tmp_path)
    found = run(case("one", good=False))
    ranked = suspects(index, "test_one in test_shop.py fails", found, "def test_one():")
    assert {item.path for item in ranked} == {"shop.py"}


def test_only_what_can_hold_the_fault_is_offered(tmp_path: Path) -> None:
    index, workspace = index_of(tmp_path)
    source = workspace.peek("shop.py")
    offered = {
        item.symbol.name
        for item in suspects(index, "", None, "")
        if replaceable(item, index, source)
    }
    assert {"Cart.total", "shipping", "LIMIT", "Price"} <= offered
    assert not {"(imports)", "NAME", "Missing", "Cart", "__all__"} & offered


def test_names_in_a_text_are_found_the_most_frequent_first(tmp_path: Path) -> None:
    index, _ = index_of(tmp_path)
    items = suspects(index, "", None, "")
    found = mentioned("`shipping` uses total, and total is wrong", items)
    assert [item.symbol.name for item in found][:2] == ["Cart.total", "shipping"]
