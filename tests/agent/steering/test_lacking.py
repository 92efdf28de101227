"""Imports that new code needs and does not bring."""

from __future__ import annotations

import pytest

from agent.steering import lacking
from tools.editing.splice import splice
from tools.syntax import symbols

FILES = {
    "shop/money.py": "from decimal import Decimal\n\n\ndef cents(text):\n    return int(text)\n",
    "shop/dates.py": "from datetime import date as day\nfrom .money import cents\n\nEPOCH = 1\n",
    "shop/rules/tax.py": "from ..money import cents as small\n",
    "lib/deep.py": "import yaml\n\n\nclass Deep:\n    def own(self): ...\n",
}


def imports(code: str, path: str = "shop/money.py") -> list[str]:
    return lacking.imports(
        path,
        FILES[path],
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
    )
    assert imports(code) == []


def test_nothing_is_added_to_what_does_not_parse_or_is_not_python() -> None:
    assert imports("def cents(text:\n    return date") == []
    assert lacking.imports("a.js", "", "f(re)", [], lambda path: (), lambda path: "") == ""


def test_what_is_added_lands_among_the_imports() -> None:
    code = "def cents(text):\n    return math.floor(float(text))\n"
    lines = "\n".join(imports(code))
    made = splice("shop/money.py", FILES["shop/money.py"], "cents", f"{lines}\n\n\n{code}").text
    assert made == f"from decimal import Decimal\nimport math\n\n\n{code}"
