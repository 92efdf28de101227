"""Recipes lent by rows of the same repository and version."""

from __future__ import annotations

from dataclasses import replace

from agent.replay.instance import Instance, Recipe, RepositoryTask
from agent.replay.sources.borrowed import with_borrowed


def instance(name: str, *tested: str, test: str = "", **values: str) -> Instance:
    patch = "".join(f"diff --git a/{path} b/{path}\n--- a/{path}\n" for path in tested)
    task = RepositoryTask(
        "owner/name", "0" * 40, "", patch, ("test_a",), (), version="1.0",
        recipes=(Recipe("name", "3.11", (), "", test, "parse_log_pytest"),) if test else (),
        log_parser="parse_log_pytest" if test else "",
    )  # fmt: skip
    return Instance(name, "It fails.", replace(task, **values))  # type: ignore[arg-type]


LENDER = instance("lender", "tests/test_a.py", "tests/a.json", test="pytest tests/test_a.py -rA")


def recipes(wanting: Instance, *lenders: Instance) -> list[str]:
    (served,) = with_borrowed([wanting], lenders)
    assert isinstance(served.task, RepositoryTask)
    assert {it.log_parser for it in served.task.recipes} <= {served.task.log_parser}
    return [recipe.test for recipe in served.task.recipes]


def test_a_recipe_is_lent_with_the_borrowers_own_tests() -> None:
    wanting = instance("wanting", "tests/test_b.py", "tests/data.csv", "tests/test_c.py")
    assert recipes(wanting, LENDER) == ["pytest tests/test_b.py tests/test_c.py -rA"]


def test_djangos_tests_are_named_as_modules() -> None:
    lender = instance("lender", "tests/a/test_b.py", test="runtests.py a.test_b",
                      repo="django/django")  # fmt: skip
    wanting = instance("wanting", "tests/c/tests.py", repo="django/django")
    assert recipes(wanting, lender) == ["runtests.py c.tests"]


def test_another_version_or_repository_lends_nothing() -> None:
    wanting = instance("wanting", "tests/test_b.py")
    assert recipes(instance("wanting", "tests/test_b.py", version="2.0"), LENDER) == []
    assert recipes(instance("wanting", "tests/test_b.py", repo="other/name"), LENDER) == []
    assert recipes(instance("wanting"), LENDER) == []
    assert recipes(wanting, instance("lender", "tests/test_a.py", test="make test")) == []
    assert recipes(wanting, instance("lender", test="pytest")) == []


def test_a_recipe_of_its_own_stays() -> None:
    own = instance("own", "tests/test_b.py", test="own tests/test_b.py")
    assert with_borrowed([own], [LENDER]) == [own]
