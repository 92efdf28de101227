"""Imports that new code needs and does not bring."""

from __future__ import annotations

import pytest

from agent.steering import lacking
from tools.editing.splice import splice
from tools.syntax import symbols

FILES = {
    "shop/__init__.py": "",
    "shop/money.py": "from decimal import Decimal\n\n\ndef cents(text):\n    return int(text)\n",
    "shop/dates.py": "from datetime import date as day\nfrom .money import cents\n\nEPOCH = 1\n",
    "shop/rules/tax.py": "from ..money import cents as small\n",
    "lib/deep.py": "import yaml\n\n\nclass Deep:\n    def own(self): ...\n",
    "lib/near.py": "from far import (\n    near,\n    thing,\n)\n",
    "a/first.py": "from afar import thing\n",
    "bin/my-tool.py": "def dashed(): ...\n",
    "lambda/handler.py": "def handle(): ...\n",
    "shop/every.py": "from math import *\n",
    "tests/test_shop.py": "from attr import evolve\nfrom shop.dates import EPOCH as start\n",
    "tests/helpers.py": "def made(): ...\n",
}


def imports(code: str, path: str = "shop/money.py") -> list[str]:
    return lacking.imports(
        path,
        FILES.get(path, ""),
        code,
        list(FILES),
        lambda other: symbols(other, FILES[other].encode()),
        FILES.__getitem__,
    ).splitlines()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("day(2024, 1, 1)", ["from datetime import date as day"]),
        ("yaml.load(text)", ["import yaml"]),
        ("small(text)", []),  # relative to another folder
        ("EPOCH", ["from .dates import EPOCH"]),
        ("Deep()", ["from lib.deep import Deep"]),
        ("own(text)", []),  # a method is no name of its module
        ("InvalidOperation", ["from decimal import InvalidOperation"]),
        ("copy.copy(text)", ["import copy"]),
        ("copy(text)", ["from copy import copy"]),
        ("math.floor(1)", ["import math"]),
        ("floor(1)", ["from math import floor"]),
        ("Decimal(text), cents(text), len(text)", []),
        ("[x for x in text if (y := x)] and y", []),
        ("nowhere(text)", []),
        ("near(text)", ["from far import near"]),
        ("__file__", []),
        ("_grouper", []),  # what a module keeps to itself
        ("dashed(text), handle(text)", []),  # no module has such a name
        ("evolve(text), start, made(text)", []),  # the tests' own
    ],
)
def test_the_repository_comes_before_the_standard_library(body: str, wanted: list[str]) -> None:
    assert imports(f"def cents(text):\n    return {body}\n") == wanted


def test_names_of_except_with_and_match_are_the_codes_own() -> None:
    code = (
        "def cents(text):\n"
        "    import json as j\n"
        "    try:\n        with open(text) as date:\n            return j, date\n"
        "    except ValueError as math:\n        return math\n"
        "    match text:\n        case copy:\n            return copy\n"
        "        case [_, *floor]:\n            return floor\n"
        "        case {'a': 1, **ceil}:\n            return ceil\n"
    )
    assert imports(code) == []


def test_tests_take_from_tests() -> None:
    code = "def test():\n    return evolve(made(EPOCH))\n"
    assert imports(code, "tests/test_shop.py") == [
        "from tests.helpers import made",
        "from shop.dates import EPOCH",
    ]


def test_a_near_file_comes_before_a_far_one() -> None:
    assert imports("def f():\n    return thing\n", "lib/deep.py") == ["from far import thing"]
    assert imports("def f():\n    return thing\n", "a/second.py") == ["from afar import thing"]


def test_files_of_a_folder_that_is_no_package_are_not_relative() -> None:
    code = "def f():\n    return Deep\n"
    assert imports(code, "lib/near.py") == ["from lib.deep import Deep"]


def test_a_file_that_imports_everything_may_have_every_name() -> None:
    assert imports("def f():\n    return sqrt(day)\n", "shop/every.py") == []


def test_each_file_is_read_once_and_only_imports_are_parsed() -> None:
    seen: list[str] = []

    def read(other: str) -> str:
        seen.append(other)
        return "def one(two): return three(two)\n"

    code = "def f():\n    return one, two, three\n"
    assert lacking.imports("m.py", "", code, ["a.py", "b.py"], lambda path: (), read) == ""
    assert sorted(seen) == ["a.py", "b.py"]


def test_nothing_is_added_to_what_does_not_parse_or_is_not_python() -> None:
    assert imports("def cents(text:\n    return date") == []
    assert lacking.imports("a.js", "", "f(re)", [], lambda path: (), lambda path: "") == ""


def test_what_is_added_lands_among_the_imports() -> None:
    code = "def cents(text):\n    return math.floor(float(text))\n"
    lines = "\n".join(imports(code))
    made = splice("shop/money.py", FILES["shop/money.py"], "cents", f"{lines}\n\n\n{code}").text
    assert made == f"from decimal import Decimal\nimport math\n\n\n{code}"
