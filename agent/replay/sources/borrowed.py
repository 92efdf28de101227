"""Recipes for rows that say nothing of how their environment is made: from other rows that do.

The official sets name images alone. A row of the same repository at the same version has a recipe
that fits, but for the tests it runs. Owns what is lent to whom. Must not know a file format, nor
how an environment is made of a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from agent.replay.instance import Instance, Recipe, RepositoryTask

_CHANGED = re.compile(r"^diff --git a/.* b/(.*)$", re.MULTILINE)
_NO_TESTS = (
    ".json", ".png", ".csv", ".txt", ".md", ".jpg", ".jpeg", ".pkl", ".yml", ".yaml", ".toml",
)  # fmt: skip
_DJANGO = "django/django"


def with_borrowed(instances: Iterable[Instance], lenders: Iterable[Instance]) -> list[Instance]:
    """The instances; those without a recipe have that of the first lender that fits, if any."""
    known: dict[tuple[str, str], RepositoryTask] = {}
    for lender in lenders:
        task = lender.task
        if isinstance(task, RepositoryTask) and task.version and _lendable(task):
            known.setdefault((task.repo, task.version), task)
    return [_served(instance, known) for instance in instances]


def _served(instance: Instance, known: dict[tuple[str, str], RepositoryTask]) -> Instance:
    task = instance.task
    if not isinstance(task, RepositoryTask) or task.recipes or not _tests(task):
        return instance
    lender = known.get((task.repo, task.version))
    if lender is None:
        return instance
    before, after = _tests(lender), _tests(task)
    recipes = tuple(replace(it, test=it.test.replace(before, after)) for it in lender.recipes)
    return replace(instance, task=replace(task, recipes=recipes, log_parser=lender.log_parser))


def _lendable(task: RepositoryTask) -> bool:
    """Whether it can be told which tests the recipes run."""

    def names(recipe: Recipe) -> bool:
        return _tests(task) in recipe.test

    return bool(task.recipes and _tests(task)) and all(map(names, task.recipes))


def _tests(task: RepositoryTask) -> str:
    """What is tested, as the official harness tells it from the files of the tests' patch."""
    files = [name for name in _CHANGED.findall(task.test_patch) if not name.endswith(_NO_TESTS)]
    if task.repo == _DJANGO:
        files = [
            name.removesuffix(".py").removeprefix("tests/").replace("/", ".") for name in files
        ]
    return " ".join(files)
